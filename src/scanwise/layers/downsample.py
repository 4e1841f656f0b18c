"""Downsampling: keep every s-th position (lecture 5.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import arguments
from .base import Shape
from .window import _Windowed


@dataclass(frozen=True, repr=False)
class _Downsample(_Windowed):
    stride: int | tuple[int, ...]

    operations_per_output: ClassVar[int] = 0

    def __post_init__(self) -> None:
        self._settle("stride", arguments.sizes(type(self).__name__, "stride", self.stride, (self.axes,)))

    def sliding_window(self) -> tuple[Shape, Shape, Shape, tuple[tuple[int, int], ...]]:
        ones = (1,) * self.axes
        return ones, arguments.per_axis(self.stride, self.axes), ones, ((0, 0),) * self.axes

    def output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.geometry(input_shape).output[2 - self.axes :])


@dataclass(frozen=True, repr=False)
class Downsample1d(_Downsample):
    """Keep time steps 0, s, 2s, ...: `(C, T)` to `(C, Q)` (lecture 5.9).

    Args:
        stride: s, in time steps.

    >>> Downsample1d(2).output_shape((8, 5))
    (8, 3)
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, repr=False)
class Downsample2d(_Downsample):
    """Keep rows and columns 0, s, 2s, ...: `(C, H, W)` to `(C, P, Q)` (lecture 5.9).

    Args:
        stride: s in pixels, or (rows, columns).

    >>> Downsample2d(2).output_shape((8, 28, 27))
    (8, 14, 14)
    """

    axes: ClassVar[int] = 2
