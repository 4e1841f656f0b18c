"""Which output of an affine layer reads which input, and with what weight: one rule for each layer.

Maps are flattened as `x.ravel()` does: input (c, i, j) is number (c H + i) W + j, output (k, p, q) is number
(k P + p) Q + q. A rule is index arithmetic on whole arrays: no layer is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.layers import (
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    Downsample1d,
    Downsample2d,
    Dropout,
    Flatten,
    Geometry,
    Layer,
    Linear,
    Pad1d,
    Pad2d,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Unfold1d,
    Unfold2d,
)
from scanwise.memory import available_bytes, gibibytes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["EquivalentMatrix", "Taps", "affine", "taps"]

# For each entry: row, column and value as they are listed, the same sorted by rows, and what sorting takes.
_BYTES_PER_ENTRY = 64

Values = Mapping[str, NDArray[Any]]


class EquivalentMatrix(NamedTuple):
    """An affine layer as one matrix: `matrix @ x.ravel() + bias` is its flattened output.

    Attributes:
        matrix: `(outputs, inputs)` float32 `scipy.sparse.csr_array` with an entry exactly where an output reads an
            input.
        bias: `(outputs,)` float32.
    """

    matrix: csr_array
    bias: NDArray[np.float32]


@singledispatch
def affine(layer: Layer, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    """The layer as a matrix and a bias.

    Args:
        layer: the layer.
        shape: shape that reaches it.
        parameters: of the whole network.
        place: of the layer within the network with a dot behind it (`"2.0."`), or empty: what its parameters' names
            begin with.

    Raises:
        ArgumentError: the layer is not affine, or the matrix does not fit into memory.
    """
    name = f"layer {place.rstrip('.')} {layer!r}" if place else f"layer {layer!r}"
    raise ArgumentError(
        f"{name} must be affine (y = W x + b) to have an equivalent matrix. It is not: ask for the affine layers one "
        "by one, equivalent_matrix(layer, the shape that reaches it, its parameters)."
    )


@affine.register
def _(layer: Linear, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    K, C = layer.out_features, shape[0]
    _make_room(layer, shape, K * C, K, C)
    rows, columns = np.repeat(np.arange(K), C), np.tile(np.arange(C), K)
    matrix = _matrix(rows, columns, parameters[f"{place}weight"].ravel(), (K, C))
    return EquivalentMatrix(matrix, _bias(parameters, place, K, 1))


@affine.register(Conv1d)
@affine.register(Conv2d)
def _(layer: Conv1d | Conv2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, K = layer.geometry(shape), layer.out_channels
    # A scan's convolution has its filters as the rows of a `Linear`.
    filters = parameters[f"{place}weight"].reshape(K, shape[0] // layer.groups, *geometry.kernel)
    if layer.flip:
        filters = filters[:, :, ::-1, ::-1]
    matrix = _sliding(layer, shape, geometry, filters)
    return EquivalentMatrix(matrix, _bias(parameters, place, K, math.prod(geometry.output)))


@affine.register(AvgPool1d)
@affine.register(AvgPool2d)
def _(layer: AvgPool1d | AvgPool2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry = layer.geometry(shape)
    (R, S), (top, bottom, left, right) = geometry.kernel, geometry.padding
    H, W = (1, *shape[1:])[-2:]
    # Positions of each window inside the padded input, along both axes.
    rows = np.minimum(R, top + H + bottom - np.arange(geometry.output[0]) * geometry.stride[0])
    columns = np.minimum(S, left + W + right - np.arange(geometry.output[1]) * geometry.stride[1])
    return _unbiased(_sliding(layer, shape, geometry, _ones(shape, R, S), 1.0 / np.outer(rows, columns)))


@affine.register(Downsample1d)
@affine.register(Downsample2d)
def _(layer: Downsample1d | Downsample2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    return _unbiased(_sliding(layer, shape, layer.geometry(shape), _ones(shape, 1, 1)))


@affine.register(Unfold1d)
@affine.register(Unfold2d)
def _(layer: Unfold1d | Unfold2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    geometry, (C, (H, W)) = layer.geometry(shape), (shape[0], (1, *shape[1:])[-2:])
    (R, S), (P, Q) = geometry.kernel, geometry.output
    down, across = taps(geometry, 0, H), taps(geometry, 1, W)
    size = (C * R * S * P * Q, C * H * W)
    _make_room(layer, shape, size[0], *size)
    c = np.arange(C)[:, None, None]
    value = (c * R + down.offset[:, None]) * S + across.offset  # (c, r, s) of a window
    rows = (value * P + down.position[:, None]) * Q + across.position
    columns = (c * H + down.source[:, None]) * W + across.source
    return _unbiased(_matrix(rows.ravel(), columns.ravel(), np.ones(size[0], np.float32), size))


@affine.register(Pad1d)
@affine.register(Pad2d)
def _(layer: Pad1d | Pad2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    P, Q = (1, *layer.output_shape(shape)[1:])[-2:]
    geometry = Geometry((1, 1), (1, 1), (1, 1), layer.pads, (P, Q))
    return _unbiased(_sliding(layer, shape, geometry, _ones(shape, 1, 1)))


@affine.register
def _(layer: Aggregate, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    if layer.mode != "mean":
        return affine.dispatch(Layer)(layer, shape, parameters, place)
    K, positions = shape[0], math.prod(shape[1:])
    entries = K * positions
    _make_room(layer, shape, entries, K, entries)
    rows, columns = np.repeat(np.arange(K), positions), np.arange(entries)
    return _unbiased(_matrix(rows, columns, np.full(entries, 1.0 / positions), (K, entries)))


@affine.register(Flatten)
@affine.register(Dropout)  # the identity outside training
def _(layer: Flatten | Dropout, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    return _identity(layer, shape)


# y = W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)
@affine.register(Sequential)
@affine.register(Scan1d)  # whose layers of maps have the parameters of its MLP
@affine.register(Scan2d)
def _(layer: Sequential | Scan1d | Scan2d, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    result: EquivalentMatrix | None = None
    for name, inner, reached in layer.chain(shape):
        after = affine(inner, reached, parameters, f"{place}{name}.")
        result = after if result is None else _composed(layer, shape, after, result)
    assert result is not None  # a Sequential has at least one layer
    return result


# y = x + (W x + b) = (1 + W) x + b
@affine.register
def _(layer: Residual, shape: Shape, parameters: Values, place: str) -> EquivalentMatrix:
    inner = affine(Sequential(*layer.layers), shape, parameters, place)
    around = _identity(layer, shape)
    size = math.prod(shape)
    _make_room(layer, shape, inner.matrix.nnz + size, size, size)
    one, other = inner.matrix.tocoo(), around.matrix.tocoo()
    rows, columns = np.append(one.row, other.row), np.append(one.col, other.col)
    return EquivalentMatrix(_matrix(rows, columns, np.append(one.data, other.data), (size, size)), inner.bias)


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


def _sliding(
    layer: Layer,
    shape: Shape,
    geometry: Geometry,
    filters: NDArray[Any],
    scale: NDArray[Any] | None = None,
) -> csr_array:
    """The matrix of `filters` `(K, C/groups, R, S)` that slide over an input of `shape`.

    Args:
        layer: whose matrix it is.
        shape: shape that reaches it.
        geometry: where the windows lie.
        filters: as they meet the input.
        scale: `(P, Q)`, a factor for each position.
    """
    K, each = filters.shape[:2]
    C, (H, W), (P, Q) = shape[0], (1, *shape[1:])[-2:], geometry.output
    down, across = taps(geometry, 0, H), taps(geometry, 1, W)
    size = (K * P * Q, C * H * W)
    _make_room(layer, shape, K * each * len(down.source) * len(across.source), *size)
    output = down.position[:, None] * Q + across.position  # (taps along rows, taps along columns)
    source = down.source[:, None] * W + across.source
    k = np.arange(K)[:, None]
    channel = k // (K // (C // each)) * each + np.arange(each)  # (K, C/groups): the channels of k's group
    values = filters[:, :, down.offset[:, None], across.offset]
    if scale is not None:
        values = values * scale[down.position[:, None], across.position]
    rows = np.broadcast_to(k[:, :, None, None] * (P * Q) + output, values.shape)
    columns = np.broadcast_to(channel[:, :, None, None] * (H * W) + source, values.shape)
    return _matrix(rows.ravel(), columns.ravel(), values.ravel(), size)


def _matrix(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[Any], size: tuple[int, int]
) -> csr_array:
    """Entries as a sparse matrix, sorted; several of one row and column are added up; zeros stay entries."""
    from scipy.sparse import coo_array

    matrix = coo_array((values, (rows, columns)), shape=size).tocsr()
    matrix.sum_duplicates()
    return matrix


def _identity(layer: Layer, shape: Shape) -> EquivalentMatrix:
    size = math.prod(shape)
    _make_room(layer, shape, size, size, size)
    return _unbiased(_matrix(np.arange(size), np.arange(size), np.ones(size, np.float32), (size, size)))


def _composed(
    layer: Layer, shape: Shape, after: EquivalentMatrix, before: EquivalentMatrix
) -> EquivalentMatrix:
    """`after` of `before`, with an entry wherever a path leads, also where its products add up to zero."""
    size = (after.matrix.shape[0], before.matrix.shape[1])
    paths = int(np.diff(before.matrix.indptr).astype(np.int64)[after.matrix.indices].sum())
    _make_room(layer, shape, min(paths, math.prod(size)), *size)
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


def _unbiased(matrix: csr_array) -> EquivalentMatrix:
    return EquivalentMatrix(matrix, np.zeros(matrix.shape[0], np.float32))


def _bias(parameters: Values, place: str, outputs: int, positions: int) -> NDArray[np.float32]:
    """One bias for all positions of an output channel, or zeros where there is none."""
    bias = parameters.get(f"{place}bias", np.zeros(outputs, np.float32))
    return np.repeat(bias, positions)


def _ones(shape: Shape, rows: int, columns: int) -> NDArray[np.float32]:
    """Filters that read each channel by itself."""
    return np.broadcast_to(np.float32(1), (shape[0], 1, rows, columns))


def _make_room(layer: Layer, shape: Shape, entries: int, outputs: int, inputs: int) -> None:
    memory = available_bytes()
    needed = entries * _BYTES_PER_ENTRY
    if needed > memory:
        raise ArgumentError(
            f"input_shape must leave the equivalent matrix small enough for memory ({gibibytes(memory)} available). "
            f"Got {shape} for {layer!r}: {outputs:,} x {inputs:,} with {entries:,} entries, which need "
            f"{gibibytes(needed)}."
        )
