"""Softmax over channels (lecture 5.12, step 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class Softmax(Layer):
    """y_k = exp(z_k) / sum_j exp(z_j), over channels, at every position by itself.

    >>> Softmax().output_shape((10,))
    (10,)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def operations(self, input_shape: Shape) -> int:
        return 4 * math.prod(input_shape)  # maximum, exponential, sum, division
