"""Aggregation: one value for each label out of all positions (lecture 1.2 step 5, 2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ShapeError

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class Aggregate(Layer):
    """`(K, T)` or `(K, H, W)` to `(K,)`: is the pattern anywhere?

    Args:
        mode: `"max"`, `"mean"` or `"logsumexp"` over the positions of each channel; or `"softmax"`: one
            softmax over all channels and positions together (lecture 2.2), each channel the sum over its
            positions.

    Raises:
        ArgumentError: unknown mode.

    >>> Aggregate("max").output_shape((64, 20))
    (64,)
    """

    mode: str

    modes: ClassVar[tuple[str, ...]] = ("max", "mean", "logsumexp", "softmax")

    def __post_init__(self) -> None:
        arguments.choice("Aggregate", "mode", self.mode, self.modes)

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (2, 3):
            raise ShapeError(f"{self!r}: input shape must be (K, T) or (K, H, W). Got {input_shape}.")
        return (input_shape[0],)

    def operations(self, input_shape: Shape) -> int:
        return math.prod(input_shape) * (1 if self.mode in ("max", "mean") else 4)

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        return input_shape[1:], (1,) * (len(input_shape) - 1)
