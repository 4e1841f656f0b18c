"""Walks a network: shapes, receptive field, stride, counts of parameters, operations and connections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .errors import ArgumentError, ArgumentTypeError, ShapeError
from .layers import Layer, Pad1d, Pad2d, Residual, Sequential, Shape
from .layers.arguments import integer
from .layers.window import _Windowed

__all__ = [
    "Row",
    "added_positions",
    "has_padding",
    "padding_before",
    "pairs_positions",
    "parameter_shapes",
    "receptive_field",
    "summary_table",
    "walk",
]


@dataclass(frozen=True)
class Row:
    """One layer of a network, in its place.

    Attributes:
        name: the layer's place, PyTorch's way: `"0"`, nested `"2.0"`.
        layer: the layer.
        input_shape: shape that reaches it, without the sample axis.
        output_shape: shape that leaves it.
        parameters: number of trained values.
        operations: arithmetic operations for one sample (a multiply-add counts as two).
        receptive_field: positions of the network's input that one output position sees, one entry a spatial
            axis, padding included; `()` where the input is flat.
        stride: positions of the network's input between neighbouring output positions.
        connections: weighted connections for one sample, biases included.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    operations: int
    receptive_field: Shape
    stride: Shape
    connections: int = 0


def walk(network: Sequential, input_shape: Shape) -> list[Row]:
    """One row for every layer, in order of evaluation.

    A nested `Sequential` shows as its layers; a `Residual` as its layers and then one row for the sum.

    Args:
        network: the layers.
        input_shape: `(C, H, W)`, `(C, T)` or `(D,)`.

    Raises:
        ShapeError: a layer does not fit; the message holds the table of all layers up to it.
        ArgumentError, ArgumentTypeError: `input_shape` is not one to three positive integers.

    >>> from scanwise.layers import Conv1d, MaxPool1d
    >>> for row in walk(Sequential(Conv1d(4, 5), MaxPool1d(2), Conv1d(2, 3)), (1, 20)):
    ...     print(row.name, row.output_shape, row.receptive_field, row.stride)
    0 (4, 16) (5,) (1,)
    1 (4, 8) (6,) (2,)
    2 (2, 6) (10,) (2,)
    """
    return list(_rows(network, _checked(input_shape)))


@lru_cache(maxsize=64)
def _rows(network: Sequential, shape: Shape) -> tuple[Row, ...]:
    """Networks are values, and every scan asks for the same rows a few times: a millisecond each for 20 layers."""
    ones = (1,) * (len(shape) - 1)
    rows: list[Row] = []
    _follow(network.layers, "", shape, (ones, ones), rows, shape)
    return tuple(rows)


def receptive_field(network: Sequential, input_shape: Shape) -> tuple[Shape, Shape]:
    """(receptive field, stride) of the whole network, one entry a spatial axis of the input.

    >>> from scanwise.layers import Conv2d, MaxPool2d
    >>> receptive_field(Sequential(Conv2d(6, 5), MaxPool2d(2)), (1, 28, 28))
    ((6, 6), (2, 2))
    """
    last = walk(network, input_shape)[-1]
    return last.receptive_field, last.stride


def parameter_shapes(network: Sequential, input_shape: Shape) -> dict[str, Shape]:
    """Name and shape of every parameter of the network, in order, PyTorch's names and layout.

    Raises:
        ShapeError: a layer does not fit; the message holds the table of all layers up to it.

    >>> from scanwise.layers import Flatten, Linear
    >>> parameter_shapes(Sequential(Flatten(), Linear(10)), (1, 8, 8))
    {'1.weight': (10, 64), '1.bias': (10,)}
    """
    walk(network, input_shape)
    return network.parameter_shapes(tuple(input_shape))


def added_positions(row: Row) -> Shape:
    """Positions that a layer adds around its input along each axis, so that a window's edge differs from its inside.

    They are those of a padded convolution or pooling or a `Pad` layer, and what the last window of a pooling with
    `ceil_mode` reaches over the end. Where no layer adds any, a scan may share all overlapping work.

    >>> from scanwise.layers import Conv1d
    >>> [added_positions(row) for row in walk(Sequential(Conv1d(4, 5), Conv1d(4, 3, padding="same")), (1, 20))]
    [(0,), (2,)]
    """
    axes = len(row.input_shape) - 1
    if isinstance(row.layer, Pad1d | Pad2d):
        top, bottom, left, right = row.layer.pads
        return (top + bottom, left + right)[2 - axes :]
    if not isinstance(row.layer, _Windowed):
        return (0,) * axes
    geometry = row.layer.geometry(row.input_shape)
    added = []
    for axis, extent in enumerate((1, *row.input_shape[1:])[-2:]):
        padded = extent + geometry.padding[2 * axis] + geometry.padding[2 * axis + 1]
        reached = (geometry.output[axis] - 1) * geometry.stride[axis]
        reached += geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1
        added.append(max(padded, reached) - extent)
    return tuple(added)[2 - axes :]


def pairs_positions(row: Row) -> bool:
    """Whether a layer is a `Residual` around a stride, whose sum is one only where a single position is left."""
    strided = any(step != 1 for step in row.layer.reach(row.input_shape)[1])
    return isinstance(row.layer, Residual) and strided


def has_padding(network: Sequential, input_shape: Shape) -> Row | None:
    """The first layer that adds positions around its input; None if there is none.

    >>> from scanwise.layers import Conv1d
    >>> has_padding(Sequential(Conv1d(4, 5), Conv1d(4, 3, padding="same")), (1, 20)).name
    '1'
    """
    return next((row for row in walk(network, input_shape) if any(added_positions(row))), None)


def padding_before(network: Sequential, input_shape: Shape) -> Shape:
    """Positions by which the receptive field of the network's first output reaches over the beginning of each axis.

    >>> from scanwise.layers import Conv1d, MaxPool1d
    >>> padding_before(Sequential(Conv1d(4, 5, padding=2), MaxPool1d(2), Conv1d(4, 3, padding="same")), (1, 20))
    (4,)
    """
    stride, before = (1,) * (len(input_shape) - 1), (0,) * (len(input_shape) - 1)
    for row in walk(network, input_shape):
        pads = _pads_before(row)[-len(stride) :]
        before = tuple(b + p * s for b, p, s in zip(before, pads, stride, strict=True))
        stride = row.stride
    return before


def summary_table(network: Sequential, input_shape: Shape) -> str:
    """A table of the layers: output shape, parameters, operations, receptive field; totals last.

    >>> from scanwise.layers import Flatten, Linear
    >>> print(summary_table(Sequential(Flatten(), Linear(10)), (1, 8, 8)))
    place  layer       output shape  parameters  operations  receptive field
           input       1x8x8                                 1x1
    0      Flatten()   64            0           0           8x8
    1      Linear(10)  10            650         1,290       8x8
           total                     650         1,290
    """
    rows = walk(network, input_shape)
    parameters, operations = sum(row.parameters for row in rows), sum(row.operations for row in rows)
    total = ["", "total", "", f"{parameters:,}", f"{operations:,}", ""]
    return _table([*_cells(rows, tuple(input_shape)), total])


_Reach = tuple[Shape, Shape]  # receptive field and stride


def _follow(
    layers: Sequence[Layer], prefix: str, shape: Shape, reach: _Reach, rows: list[Row], network_input: Shape
) -> tuple[Shape, _Reach]:
    for index, layer in enumerate(layers):
        name = f"{prefix}{index}"
        try:
            shape, reach = _enter(layer, name, shape, reach, rows, network_input)
        except _MisfitError as misfit:
            cells = [*_cells(rows, network_input), [name, _label(layer), "does not fit", "", "", ""]]
            raise ShapeError(f"layer {name}: {misfit}\n{_table(cells)}") from None
    return shape, reach


class _MisfitError(Exception):
    """A layer's own ShapeError, before the table of the layers above it is added."""


def _enter(
    layer: Layer, name: str, shape: Shape, reach: _Reach, rows: list[Row], network_input: Shape
) -> tuple[Shape, _Reach]:
    if isinstance(layer, Sequential):
        return _follow(layer.layers, f"{name}.", shape, reach, rows, network_input)
    if isinstance(layer, Residual):
        _, reach = _follow(layer.layers, f"{name}.", shape, reach, rows, network_input)
        parameters, operations = 0, math.prod(shape)
    else:
        parameters = operations = 0
    connections = 0
    try:
        output = layer.output_shape(shape)
        if not isinstance(layer, Residual):
            sizes = layer.parameter_shapes(shape).items()
            parameters = sum(math.prod(each) for name, each in sizes if name not in layer.state)
            operations = layer.operations(shape)
            connections = layer.connection_count(shape)
            reach = _widen(reach, layer, shape)
    except ShapeError as error:
        raise _MisfitError(str(error)) from None
    rows.append(Row(name, layer, shape, output, parameters, operations, *reach, connections))
    return output, reach


def _widen(reach: _Reach, layer: Layer, shape: Shape) -> _Reach:
    """New field = field + (extent - 1) stride, new stride = stride x step; flat layers change neither."""
    if len(shape) == 1:
        return reach
    field, stride = reach
    extent, step = layer.reach(shape)
    field = tuple(f + (e - 1) * s for f, e, s in zip(field, extent, stride, strict=True))
    return field, tuple(s * t for s, t in zip(stride, step, strict=True))


def _pads_before(row: Row) -> tuple[int, int]:
    """Rows above and columns left of a layer's input."""
    if isinstance(row.layer, Pad1d | Pad2d):
        return row.layer.pads[0], row.layer.pads[2]
    if isinstance(row.layer, _Windowed) and len(row.input_shape) > 1:
        padding = row.layer.geometry(row.input_shape).padding
        return padding[0], padding[2]
    return 0, 0


def _checked(input_shape: object) -> Shape:
    if not isinstance(input_shape, tuple | list):
        raise ArgumentTypeError(f"input_shape must be a tuple of integers. Got {input_shape!r}.")
    if not 1 <= len(input_shape) <= 3:
        raise ArgumentError(f"input_shape must be (D,), (C, T) or (C, H, W). Got {input_shape!r}.")
    return tuple(integer("network", "input_shape", extent) for extent in input_shape)


_HEADER = ["place", "layer", "output shape", "parameters", "operations", "receptive field"]


def _label(layer: Layer) -> str:
    return "Residual: input + above" if isinstance(layer, Residual) else layer.label()


def _cells(rows: list[Row], input_shape: Shape) -> list[list[str]]:
    cells = [["", "input", _times(input_shape), "", "", _times((1,) * (len(input_shape) - 1))]]
    for row in rows:
        counts = [f"{row.parameters:,}", f"{row.operations:,}"]
        cells.append(
            [row.name, _label(row.layer), _times(row.output_shape), *counts, _times(row.receptive_field)]
        )
    return cells


def _table(cells: list[list[str]]) -> str:
    lines = [_HEADER, *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _times(shape: Shape) -> str:
    return "x".join(str(extent) for extent in shape)
