"""The cuts of a convolution and of its input gradient: rows, columns, or vectors of output channels."""

from collections.abc import Sequence
from dataclasses import replace

from scanwise.kernels.convolution import Convolution
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.cut import CHANNELS, COLUMNS, ROWS, Cut, windows_read
from scanwise.kernels.operation import Call

__all__ = ["correlation_cuts", "input_gradient_cuts"]


def correlation_cuts(whole: Call, convolution: Convolution) -> Sequence[Cut]:
    """Cuts of the forward pass of a convolution.

    Args:
        whole: its call, with the arguments x, weights, bias, y and another.
        convolution: the sizes.
    """
    c = convolution

    def reading(cut: Cut) -> Cut:
        if cut.axis == CHANNELS:
            return replace(cut, reads=lambda *_: (0, c.channels))
        i = cut.axis - ROWS
        reads = windows_read(c.kernel[i], c.stride[i], c.dilation[i], c.padding[i], c.extent[i])
        return replace(cut, count=c.positions[i], reads=reads)

    return [reading(cut) for cut in _cuts(whole)]


def input_gradient_cuts(whole: Call) -> Sequence[Cut]:
    """Cuts of the input gradient of a convolution. What they read is not said.

    Args:
        whole: its call, with the arguments dz, weights, bias, dx and saved.
    """
    return _cuts(whole)


def _cuts(whole: Call) -> list[Cut]:
    kernel = whole.kernel
    assert isinstance(kernel, Correlation)
    found = []
    if len(kernel.sweeps) == 1 and all(repeat.count == 1 for repeat in kernel.sweeps[0].repeats):
        found += _grid_cuts(whole, kernel)
    if kernel.groups == 1 and not kernel.depthwise:

        def channels(first: int, stop: int) -> Sequence[Call]:
            part = replace(kernel, channels=stop - first)
            offsets = (0, first // kernel.lanes * kernel.block, first if kernel.bias else 0, first, first)
            return _piece(whole, part, offsets)

        found.append(Cut(CHANNELS, kernel.channels, kernel.lanes, channels, _unsaid))
    return found


def _grid_cuts(whole: Call, kernel: Correlation) -> list[Cut]:
    (sweep,) = kernel.sweeps
    other = sweep.other or sweep.y
    row, column = (0, 0) if kernel.scales else (other.row, other.column)  # scales are the same everywhere

    def rows(first: int, stop: int) -> Sequence[Call]:
        part = replace(kernel, sweeps=(sweep.of_rows(first, stop - first),))
        return _piece(whole, part, (first * sweep.x.row, 0, 0, first * sweep.y.row, first * row))

    def columns(first: int, stop: int) -> Sequence[Call]:
        first, stop = first // kernel.together, stop // kernel.together
        part = replace(kernel, sweeps=(sweep.of_columns(first, stop - first),))
        offsets = (first * sweep.x.column, 0, 0, first * sweep.y.column, first * column)
        return _piece(whole, part, offsets)

    return [
        Cut(ROWS, sweep.rows, 1, rows, _unsaid),
        Cut(COLUMNS, sweep.columns * kernel.together, kernel.together, columns, _unsaid),
    ]


def _piece(whole: Call, part: Correlation, offsets: tuple[int, int, int, int, int]) -> Sequence[Call]:
    """A part of the whole, with what is added to the arguments that are there."""
    there = zip(whole.arguments, offsets, strict=True)
    return (Call(part, whole.arguments, tuple(0 if name == "none" else offset for name, offset in there)),)


def _unsaid(first: int, stop: int) -> tuple[int, int]:
    raise AssertionError("nobody asks what this piece reads")
