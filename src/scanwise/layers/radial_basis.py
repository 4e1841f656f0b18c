"""Radial basis functions: how far the input is from each of some fixed codes (LeCun et al. 1998, equation 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from scanwise.errors import ShapeError

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class RadialBasis(Layer):
    """z_i = -sum_j (x_j - c_ij)^2: `(D,)` to `(K,)`, minus the squared distance from each code. No parameters.

    The sign makes the largest output the nearest code, and the softmax over the outputs the posterior of codes that are
    the centres of equal Gaussians. Cross-entropy of these outputs is then the criterion of LeCun et al. 1998, equation
    9, without its constant for what is no class.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998), equations
    7 and 9.

    Args:
        codes: table `(K, D)` of numbers, one code a row: a nested sequence or an array.

    Raises:
        ArgumentError, ArgumentTypeError: `codes` is not a table of finite numbers.

    >>> RadialBasis([[1, -1, 1], [-1, 1, 1]]).output_shape((3,))
    (2,)
    """

    codes: Sequence[Sequence[float]] | NDArray[Any]

    def __post_init__(self) -> None:
        self._settle("codes", arguments.numbers("RadialBasis", "codes", self.codes))

    def output_shape(self, input_shape: Shape) -> Shape:
        self._expect_axes(input_shape, 1, " Put Flatten() or Aggregate(...) before it.")
        if input_shape[0] != len(self.codes[0]):
            raise ShapeError(
                f"{self.label()}: input must have the {len(self.codes[0])} values of a code. Got {input_shape[0]}."
            )
        return (len(self.codes),)

    def operations(self, input_shape: Shape) -> int:
        (outputs,) = self.output_shape(input_shape)
        return outputs * 3 * input_shape[0]  # a difference, its square, and the sum

    def connection_count(self, input_shape: Shape) -> int:
        return self.output_shape(input_shape)[0] * input_shape[0]
