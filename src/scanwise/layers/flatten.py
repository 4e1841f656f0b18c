"""Flatten: maps to one vector (lecture 5.12, step 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """`(C, H, W)` to `(C H W,)`, last axis fastest, as in PyTorch.

    >>> Flatten().output_shape((16, 5, 5))
    (400,)
    """

    operations_per_output: ClassVar[int] = 0

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def reach(self, input_shape: Shape) -> tuple[Shape, Shape]:
        return input_shape[1:], (1,) * (len(input_shape) - 1)
