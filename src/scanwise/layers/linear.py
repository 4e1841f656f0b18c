"""Linear: every output is connected to every input (lecture 1.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class Linear(Layer):
    """z = W x + b: `(D,)` to `(out_features,)`.

    Args:
        out_features: number of outputs.
        bias: whether a bias is added.

    Parameters: `weight (out_features, D)`, `bias (out_features,)`.

    >>> Linear(10).parameter_shapes((84,))
    {'weight': (10, 84), 'bias': (10,)}
    """

    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        self._settle("out_features", arguments.integer("Linear", "out_features", self.out_features))
        self._settle("bias", arguments.boolean("Linear", "bias", self.bias))

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 1, " Put Flatten() or Aggregate(...) before it.")
        return (self.out_features,)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        self.output_shape(input_shape)
        shapes: dict[str, Shape] = {"weight": (self.out_features, input_shape[0])}
        if self.bias:
            shapes["bias"] = (self.out_features,)
        return shapes

    def operations(self, input_shape: Shape) -> int:
        return self.out_features * (2 * input_shape[0] + (1 if self.bias else 0))

    def connection_count(self, input_shape: Shape) -> int:
        return sum(math.prod(shape) for shape in self.parameter_shapes(input_shape).values())
