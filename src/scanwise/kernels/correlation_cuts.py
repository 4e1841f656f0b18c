"""The cuts of a convolution: rows, columns, or vectors of output channels."""

from collections.abc import Sequence
from dataclasses import replace

from scanwise.kernels.convolution import Convolution
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.cut import CHANNELS, COLUMNS, ROWS, Cut, windows_read
from scanwise.kernels.operation import Call

__all__ = ["correlation_cuts"]


def correlation_cuts(whole: Call, convolution: Convolution) -> Sequence[Cut]:
    """Cuts of the forward pass of a convolution.

    Args:
        whole: its call, with the arguments x, weights, bias, y and another.
        convolution: the sizes.
    """
    c, kernel = convolution, whole.kernel
    assert isinstance(kernel, Correlation)
    (sweep,) = kernel.sweeps

    def piece(part: Correlation, x: int = 0, weights: int = 0, bias: int = 0, y: int = 0) -> Sequence[Call]:
        return (Call(part, whole.arguments, (x, weights, bias, y, 0)),)

    def rows(first: int, stop: int) -> Sequence[Call]:
        part = replace(kernel, sweeps=(sweep.of_rows(first, stop - first),))
        return piece(part, x=first * sweep.x.row, y=first * sweep.y.row)

    def columns(first: int, stop: int) -> Sequence[Call]:
        first, stop = first // kernel.together, stop // kernel.together
        part = replace(kernel, sweeps=(sweep.of_columns(first, stop - first),))
        return piece(part, x=first * sweep.x.column, y=first * sweep.y.column)

    def channels(first: int, stop: int) -> Sequence[Call]:
        part = replace(kernel, channels=stop - first)
        weights = first // kernel.lanes * kernel.block
        return piece(part, weights=weights, bias=first if kernel.bias else 0, y=first)

    found = []
    for axis, grain, calls in ((ROWS, 1, rows), (COLUMNS, kernel.together, columns)):
        i = axis - ROWS
        reads = windows_read(c.kernel[i], c.stride[i], c.dilation[i], c.padding[i], c.extent[i])
        found.append(Cut(axis, c.positions[i], grain, calls, reads))
    if kernel.groups == 1 and not kernel.depthwise:
        found.append(Cut(CHANNELS, kernel.channels, kernel.lanes, channels, lambda *_: (0, c.channels)))
    return found
