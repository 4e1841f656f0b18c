"""Zero padding as a layer of its own (lecture 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class Pad1d(Layer):
    """Zeros at both ends: `(C, T)` to `(C, left + T + right)`.

    Args:
        padding: zeros on both ends, or (left, right).

    >>> Pad1d((2, 1)).output_shape((8, 10))
    (8, 13)
    """

    padding: int | tuple[int, ...]

    operations_per_output: ClassVar[int] = 0

    def __post_init__(self) -> None:
        self._settle("padding", arguments.sizes("Pad1d", "padding", self.padding, (2,), minimum=0))

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Zeros on (top, bottom, left, right)."""
        left, right = arguments.per_axis(self.padding, 2)
        return 0, 0, left, right

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 2)
        _, _, left, right = self.pads
        return input_shape[0], left + input_shape[1] + right


@dataclass(frozen=True, repr=False)
class Pad2d(Layer):
    """Zeros around an image: `(C, H, W)` to `(C, top + H + bottom, left + W + right)`.

    Args:
        padding: zeros on every side, or (left, right, top, bottom) as in PyTorch's `ZeroPad2d`.

    >>> Pad2d((1, 2, 0, 3)).output_shape((8, 10, 10))
    (8, 13, 13)
    """

    padding: int | tuple[int, ...]

    operations_per_output: ClassVar[int] = 0

    def __post_init__(self) -> None:
        self._settle("padding", arguments.sizes("Pad2d", "padding", self.padding, (4,), minimum=0))

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Zeros on (top, bottom, left, right)."""
        left, right, top, bottom = arguments.per_axis(self.padding, 4)
        return top, bottom, left, right

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 3)
        top, bottom, left, right = self.pads
        return input_shape[0], top + input_shape[1] + bottom, left + input_shape[2] + right
