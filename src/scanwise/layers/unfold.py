"""Unfold: every window of a signal as a vector of its own (lecture 1.2, step 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from . import arguments
from .base import Shape
from .window import _Windowed


@dataclass(frozen=True, repr=False)
class _Unfold(_Windowed):
    window: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1

    operations_per_output: ClassVar[int] = 0

    def __post_init__(self) -> None:
        for name in ("window", "stride"):
            value = arguments.sizes(type(self).__name__, name, getattr(self, name), (self.axes,))
            self._settle(name, value)

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        window, stride = (arguments.per_axis(value, self.axes) for value in (self.window, self.stride))
        return window, stride, (1,) * self.axes, ((0, 0),) * self.axes

    def patch(self, input_shape: Shape) -> Shape:
        """Shape of one window, flat: `(C window,)` or `(C R S,)`."""
        self.geometry(input_shape)
        return (input_shape[0] * math.prod(arguments.per_axis(self.window, self.axes)),)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*self.patch(input_shape), *self.geometry(input_shape).output[2 - self.axes :])


@dataclass(frozen=True, repr=False)
class Unfold1d(_Unfold):
    """Every window of a signal as a column: `(C, T)` to `(C window, Q)` (lecture 1.2).

    Column q holds x(:, q stride .. q stride + window - 1) flattened, last axis fastest, as PyTorch's `Unfold` does.

    Args:
        window: extent of a window, in time steps.
        stride: time steps between neighbouring windows.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Unfold1d(5).output_shape((2, 20))
    (10, 16)
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, repr=False)
class Unfold2d(_Unfold):
    """Every window of an image as a vector of channels: `(C, H, W)` to `(C R S, P, Q)` (lecture 1.2).

    Args:
        window: extent of a window, R = S or (R, S), in pixels.
        stride: pixels between neighbouring windows, or (rows, columns).

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Unfold2d((2, 3)).output_shape((1, 5, 5))
    (6, 4, 3)
    """

    axes: ClassVar[int] = 2
