"""Padding as a layer of its own: zeros (lecture 5.6) or another constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class _Pad(Layer):
    padding: int | tuple[int, ...]
    value: float = 0.0

    operations_per_output: ClassVar[int] = 0
    counts: ClassVar[tuple[int, ...]]

    def __post_init__(self) -> None:
        kind = type(self).__name__
        self._settle("padding", arguments.sizes(kind, "padding", self.padding, self.counts, minimum=0))
        self._settle("value", arguments.float32(kind, "value", self.value))


@dataclass(frozen=True, repr=False)
class Pad1d(_Pad):
    """A constant at both ends: `(C, T)` to `(C, left + T + right)`.

    Args:
        padding: time steps added on both ends, or (left, right).
        value: what they hold.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Pad1d((2, 1)).output_shape((8, 10))
    (8, 13)
    """

    counts: ClassVar[tuple[int, ...]] = (2,)

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Positions added on (top, bottom, left, right)."""
        left, right = arguments.per_axis(self.padding, 2)
        return 0, 0, left, right

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 2)
        _, _, left, right = self.pads
        return input_shape[0], left + input_shape[1] + right


@dataclass(frozen=True, repr=False)
class Pad2d(_Pad):
    """A constant around an image: `(C, H, W)` to `(C, top + H + bottom, left + W + right)`.

    Args:
        padding: pixels added on every side, or (left, right, top, bottom) as in PyTorch's `ConstantPad2d`.
        value: what they hold. LeCun et al. 1989 pad their maps with the background level -1.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not allowed.

    >>> Pad2d((1, 2, 0, 3)).output_shape((8, 10, 10))
    (8, 13, 13)
    """

    counts: ClassVar[tuple[int, ...]] = (4,)

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Positions added on (top, bottom, left, right)."""
        left, right, top, bottom = arguments.per_axis(self.padding, 4)
        return top, bottom, left, right

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 3)
        top, bottom, left, right = self.pads
        return input_shape[0], top + input_shape[1] + bottom, left + input_shape[2] + right
