"""Trainable subsampling: the sum of each window of each map, times a weight, plus a bias (LeCun et al. 1998)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from . import arguments
from .base import Shape
from .window import _Windowed


@dataclass(frozen=True, repr=False)
class _Subsample(_Windowed):
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        kind = type(self).__name__
        self._settle("kernel_size", arguments.sizes(kind, "kernel_size", self.kernel_size, (self.axes,)))
        if self.stride is not None:
            stride = arguments.sizes(kind, "stride", self.stride, (self.axes,))
            self._settle("stride", None if stride == self.kernel_size else stride)

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        stride = self.kernel_size if self.stride is None else self.stride
        kernel = arguments.per_axis(self.kernel_size, self.axes)
        return kernel, arguments.per_axis(stride, self.axes), (1,) * self.axes, ((0, 0),) * self.axes

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.geometry(input_shape).output[2 - self.axes :])

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        self.output_shape(input_shape)
        return {"weight": (input_shape[0],), "bias": (input_shape[0],)}

    def operations(self, input_shape: Shape) -> int:
        additions = math.prod(arguments.per_axis(self.kernel_size, self.axes))  # the bias among them
        return math.prod(self.output_shape(input_shape)) * (additions + 1)

    def connection_count(self, input_shape: Shape) -> int:
        window = math.prod(arguments.per_axis(self.kernel_size, self.axes))
        return math.prod(self.output_shape(input_shape)) * (window + 1)


@dataclass(frozen=True, repr=False)
class Subsample1d(_Subsample):
    """y_c = w_c (sum over a window of time steps of x_c) + b_c: `(C, T)` to `(C, Q)`.

    Source: Waibel et al., "Phoneme recognition using time-delay neural networks" (1989), whose outputs sum over time
    with equal weights; in two dimensions LeCun et al. (1998), layers S2 and S4.

    Args:
        kernel_size: window extent, in time steps.
        stride: time steps between windows; None for `kernel_size` (windows side by side).

    Parameters: `weight (C,)`, `bias (C,)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Subsample1d(9, stride=1).output_shape((3, 9))
    (3, 1)
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, repr=False)
class Subsample2d(_Subsample):
    """y_c = w_c (sum over a window of pixels of x_c) + b_c: `(C, H, W)` to `(C, P, Q)`.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998), layers
    S2 and S4.

    Args:
        kernel_size: window extent, R = S or (R, S), in pixels.
        stride: pixels between windows, or (rows, columns); None for `kernel_size`.

    Parameters: `weight (C,)`, `bias (C,)`.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Subsample2d(2).output_shape((6, 28, 28))
    (6, 14, 14)
    >>> Subsample2d(2).parameter_shapes((6, 28, 28))
    {'weight': (6,), 'bias': (6,)}
    """

    axes: ClassVar[int] = 2
