"""Sparse matrices of affine layers: made from indices, composed, and refused where they would not fit into memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.layers import Geometry, Layer, Shape
from scanwise.memory import available_bytes, gibibytes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "Filters",
    "grouped",
    "EquivalentMatrix",
    "Taps",
    "all_taps",
    "composed",
    "identity",
    "make_room",
    "make_room_around",
    "matrix_of",
    "refuse_beyond",
    "sliding",
    "taps",
    "unbiased",
]

# For each entry: row, column and value as they are listed, the same sorted by rows, and what sorting takes.
_BYTES_PER_ENTRY = 64
# For each output and input: where its entries begin, its bias, and what a rule keeps for each channel or position.
_BYTES_PER_VALUE = 16


class EquivalentMatrix(NamedTuple):
    """An affine layer as one matrix: `matrix @ x.ravel() + bias` is its flattened output.

    Attributes:
        matrix: `(outputs, inputs)` float32 `scipy.sparse.csr_array` with an entry exactly where an output reads an
            input.
        bias: `(outputs,)` float32.
    """

    matrix: csr_array
    bias: NDArray[np.float32]


class Taps(NamedTuple):
    """Along one axis: window `position` reads input `source` at `offset` of its kernel; padding is left out."""

    position: NDArray[np.int64]
    offset: NDArray[np.int64]
    source: NDArray[np.int64]


def taps(geometry: Geometry, axis: int, extent: int) -> Taps:
    """All that the windows read along `axis` (0: rows, 1: columns) of an input of `extent` positions."""
    position, offset = np.indices((geometry.output[axis], geometry.kernel[axis])).reshape(2, -1)
    source = position * geometry.stride[axis] + offset * geometry.dilation[axis] - geometry.padding[2 * axis]
    inside = (source >= 0) & (source < extent)
    return Taps(position[inside], offset[inside], source[inside])


def all_taps(
    layer: Layer, inputs: Shape, geometry: Geometry, filters: int, outputs: int
) -> tuple[Taps, Taps]:
    """The taps along both axes of a layer on an input of shape `inputs`, if its matrix fits into memory.

    Args:
        layer: whose matrix it is.
        inputs: shape of the input.
        geometry: where the windows lie.
        filters: how many slide.
        outputs: number of output values.
    """
    listed = max(map(math.prod, zip(geometry.output, geometry.kernel, strict=True)))
    refuse_beyond(layer, inputs, listed * _BYTES_PER_ENTRY, "its windows, padding included, which")
    rows, columns = (1, *inputs[1:])[-2:]
    entries = filters * _tap_count(geometry, 0, rows) * _tap_count(geometry, 1, columns)
    make_room(layer, inputs, entries, outputs, math.prod(inputs))
    return taps(geometry, 0, rows), taps(geometry, 1, columns)


def _tap_count(geometry: Geometry, axis: int, extent: int) -> int:
    """How many `taps` there are: for each offset the windows that read inside the input there."""
    stride, reached = geometry.stride[axis], np.arange(geometry.kernel[axis]) * geometry.dilation[axis]
    first = reached - geometry.padding[2 * axis]  # what window 0 reads
    start = np.maximum(0, -(first // stride))
    stop = np.minimum(geometry.output[axis], (extent - 1 - first) // stride + 1)
    return int(np.maximum(0, stop - start).sum())


class Filters(NamedTuple):
    """Filter n leads from input channel `input[n]` to output channel `output[n]` of a convolution."""

    output: NDArray[np.intp]
    input: NDArray[np.intp]
    kernels: NDArray[Any]  # (n, R, S), as they meet the input


def grouped(outputs: int, inputs: int, groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(output channel, input channel) of every filter `(K, C/groups)` of a convolution, in that order."""
    k, c = np.indices((outputs, inputs // groups)).reshape(2, -1)
    return k, k // (outputs // groups) * (inputs // groups) + c


def sliding(
    layer: Layer,
    inputs: Shape,
    outputs: Shape,
    geometry: Geometry,
    filters: Filters,
    scale: NDArray[Any] | None = None,
) -> csr_array:
    """The matrix of filters that slide over an input.

    Args:
        layer: whose matrix it is.
        inputs: shape of the input.
        outputs: shape of the output.
        geometry: where the windows lie.
        filters: what they apply.
        scale: `(P, Q)`, a factor for each position.
    """
    (H, W), (P, Q) = (1, *inputs[1:])[-2:], geometry.output
    size = (math.prod(outputs), math.prod(inputs))
    down, across = all_taps(layer, inputs, geometry, len(filters.output), size[0])
    position = down.position[:, None] * Q + across.position  # (taps along rows, taps along columns)
    source = down.source[:, None] * W + across.source
    values = filters.kernels[:, down.offset[:, None], across.offset]
    if scale is not None:
        values = values * scale[down.position[:, None], across.position]
    rows = filters.output[:, None, None] * (P * Q) + position
    columns = filters.input[:, None, None] * (H * W) + source
    return matrix_of(rows.ravel(), columns.ravel(), values.ravel(), size)


def matrix_of(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[Any], size: tuple[int, int]
) -> csr_array:
    """Entries as a sparse matrix, sorted; several of one row and column are added up; zeros stay entries."""
    from scipy.sparse import coo_array

    matrix = coo_array((values, (rows, columns)), shape=size).tocsr()
    matrix.sum_duplicates()
    return matrix


def identity(layer: Layer, shape: Shape) -> EquivalentMatrix:
    size = math.prod(shape)
    make_room(layer, shape, size, size, size)
    return unbiased(matrix_of(np.arange(size), np.arange(size), np.ones(size, np.float32), (size, size)))


def composed(
    layer: Layer, shape: Shape, after: EquivalentMatrix, before: EquivalentMatrix
) -> EquivalentMatrix:
    """`after` of `before`, with an entry wherever a path leads, also where its products add up to zero."""
    size = (after.matrix.shape[0], before.matrix.shape[1])
    paths = int(np.diff(before.matrix.indptr).astype(np.int64)[after.matrix.indices].sum())
    make_room(layer, shape, min(paths, math.prod(size)), *size)
    # Products of sparse matrices leave zeros out. Numbers of paths are never zero, so that theirs has every entry.
    matrix = _counting(after.matrix) @ _counting(before.matrix)
    matrix.sort_indices()
    values = after.matrix.astype(np.float64) @ before.matrix.astype(np.float64)
    values.sort_indices()
    data = np.zeros(matrix.nnz)
    data[np.searchsorted(_numbers(matrix), _numbers(values))] = values.data
    matrix = type(matrix)((data, matrix.indices, matrix.indptr), shape=size)
    return EquivalentMatrix(matrix, after.matrix @ before.bias + after.bias)


def _counting(matrix: csr_array) -> csr_array:
    return type(matrix)((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)


def _numbers(matrix: csr_array) -> NDArray[np.int64]:
    """Row times columns plus column of every entry: increasing in a sorted matrix."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return np.asarray(rows * matrix.shape[1] + matrix.indices)


def make_room_around(layer: Layer, shape: Shape) -> None:
    """Refuse a layer whose parameters, inputs and outputs alone do not fit into memory."""
    parameters = sum(map(math.prod, layer.parameter_shapes(shape).values()))
    values = math.prod(shape) + math.prod(layer.output_shape(shape))
    needed = 4 * parameters + values * _BYTES_PER_VALUE
    refuse_beyond(layer, shape, needed, "its parameters, inputs and outputs, which alone")


def unbiased(matrix: csr_array) -> EquivalentMatrix:
    return EquivalentMatrix(matrix, np.zeros(matrix.shape[0], np.float32))


def make_room(layer: Layer, shape: Shape, entries: int, outputs: int, inputs: int) -> None:
    """Refuse a matrix that does not fit into memory, before anything of its size is made."""
    needed = entries * _BYTES_PER_ENTRY + (outputs + inputs) * _BYTES_PER_VALUE
    refuse_beyond(layer, shape, needed, f"{outputs:,} x {inputs:,} with {entries:,} entries, which")


def refuse_beyond(layer: Layer, shape: Shape, needed: int, what: str) -> None:
    """Raise ArgumentError if `what` of the layer's matrix needs more bytes than there are."""
    memory = available_bytes()
    if needed > memory:
        raise ArgumentError(
            f"input_shape must leave the equivalent matrix small enough for memory ({gibibytes(memory)} available). "
            f"Got {shape} for {layer.label()}: {what} need {gibibytes(needed)}."
        )
