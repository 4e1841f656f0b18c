"""Pooling: the maximum or the mean of each window of each map (lecture 5.8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ArgumentError

from . import arguments
from .base import Shape
from .window import _Windowed


@dataclass(frozen=True, repr=False)
class _Pool(_Windowed):
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] = 0
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        kind = type(self).__name__
        self._settle("kernel_size", arguments.sizes(kind, "kernel_size", self.kernel_size, (self.axes,)))
        if self.stride is not None:
            stride = arguments.sizes(kind, "stride", self.stride, (self.axes,))
            self._settle("stride", None if stride == self.kernel_size else stride)
        self._settle("padding", arguments.sizes(kind, "padding", self.padding, (self.axes,), minimum=0))
        self._settle("ceil_mode", arguments.boolean(kind, "ceil_mode", self.ceil_mode))
        kernel = arguments.per_axis(self.kernel_size, self.axes)
        padding = arguments.per_axis(self.padding, self.axes)
        if any(
            2 * p > k for p, k in zip(padding, kernel, strict=True)
        ):  # else a window could lie in padding alone
            raise ArgumentError(
                f"{kind}: padding must be at most half of kernel_size {self.kernel_size}. Got {self.padding}."
            )

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        stride = self.kernel_size if self.stride is None else self.stride
        padding = tuple((p, p) for p in arguments.per_axis(self.padding, self.axes))
        kernel = arguments.per_axis(self.kernel_size, self.axes)
        return kernel, arguments.per_axis(stride, self.axes), (1,) * self.axes, padding

    def rounds_up(self) -> bool:
        return self.ceil_mode

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.geometry(input_shape).output[2 - self.axes :])

    def operations(self, input_shape: Shape) -> int:
        window = math.prod(arguments.per_axis(self.kernel_size, self.axes))
        return math.prod(self.output_shape(input_shape)) * window


@dataclass(frozen=True, repr=False)
class MaxPool1d(_Pool):
    """Maximum over windows of time steps: `(C, T)` to `(C, Q)` (lecture 5.8). Ties go to the first.

    Args:
        kernel_size: window extent, in time steps.
        stride: time steps between windows; None for `kernel_size` (windows side by side).
        padding: positions on both ends that never win; at most half of `kernel_size`.
        ceil_mode: whether a last window that is only partly inside counts.

    >>> MaxPool1d(2).output_shape((64, 96))
    (64, 48)
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, repr=False)
class MaxPool2d(_Pool):
    """Maximum over windows of pixels: `(C, H, W)` to `(C, P, Q)` (lecture 5.8).

    Ties go to the first maximum in row-major order.

    Args:
        kernel_size: window extent, R = S or (R, S), in pixels.
        stride: pixels between windows, or (rows, columns); None for `kernel_size`.
        padding: pixels on every side that never win, or (rows, columns); at most half of `kernel_size`.
        ceil_mode: whether a last window that is only partly inside counts.

    >>> MaxPool2d(3, stride=2, ceil_mode=True).output_shape((6, 28, 28))
    (6, 14, 14)
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True, repr=False)
class AvgPool1d(_Pool):
    """Mean over windows of time steps: `(C, T)` to `(C, Q)` (lecture 5.8).

    Divides by the part of the window that lies inside the padded input, as PyTorch does by default.

    Args:
        kernel_size: window extent, in time steps.
        stride: time steps between windows; None for `kernel_size`.
        padding: zeros on both ends; at most half of `kernel_size`.
        ceil_mode: whether a last window that is only partly inside counts.

    >>> AvgPool1d(4).output_shape((64, 96))
    (64, 24)
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, repr=False)
class AvgPool2d(_Pool):
    """Mean over windows of pixels: `(C, H, W)` to `(C, P, Q)` (lecture 5.8).

    Divides by the part of the window that lies inside the padded input, as PyTorch does by default.

    Args:
        kernel_size: window extent, R = S or (R, S), in pixels.
        stride: pixels between windows, or (rows, columns); None for `kernel_size`.
        padding: zeros on every side, or (rows, columns); at most half of `kernel_size`.
        ceil_mode: whether a last window that is only partly inside counts.

    >>> AvgPool2d(2).output_shape((6, 28, 28))
    (6, 14, 14)
    """

    axes: ClassVar[int] = 2
