"""A bias for each unit: one for every channel at every position, shared by none (LeCun et al. 1989)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class UnitBias(Layer):
    """y = x + b with b of the input's own shape: any shape goes in, the same shape comes out.

    In the network of LeCun et al. 1989 the units of a map share their weights but not their biases: a convolution with
    `bias=False` and then this layer. Such a network depends on the place in its window, so a scan evaluates every
    window by itself.

    Source: LeCun et al., "Backpropagation applied to handwritten zip code recognition" (1989), on the architecture.

    Parameters: `bias`, of the input's shape.

    >>> UnitBias().parameter_shapes((12, 8, 8))
    {'bias': (12, 8, 8)}
    """

    @property
    def unshared(self) -> str | None:
        return "has a bias for each place in the window"

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"bias": input_shape}

    def connection_count(self, input_shape: Shape) -> int:
        return math.prod(input_shape)
