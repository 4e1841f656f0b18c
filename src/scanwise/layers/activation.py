"""Activations: a function of each value by itself (lecture 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import arguments
from .base import _Pointwise


@dataclass(frozen=True, repr=False)
class ReLU(_Pointwise):
    """y = max(z, 0).

    >>> ReLU().output_shape((6, 28, 28))
    (6, 28, 28)
    """


@dataclass(frozen=True, repr=False)
class LeakyReLU(_Pointwise):
    """y = z where z > 0, else `negative_slope` z.

    Args:
        negative_slope: slope for negative z, without unit.

    >>> LeakyReLU(0.1)
    LeakyReLU(negative_slope=0.1)
    """

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        self._settle("negative_slope", arguments.float32("LeakyReLU", "negative_slope", self.negative_slope))


@dataclass(frozen=True, repr=False)
class GELU(_Pointwise):
    """y = z Phi(z), with the standard normal distribution Phi: each value times the probability of a smaller one.

    Source: Hendrycks, Gimpel, "Gaussian error linear units" (2016), section 2.

    Args:
        approximate: `"none"`, or `"tanh"` for z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2 in its place.

    Raises:
        ArgumentError, ArgumentTypeError: `approximate` is neither.

    >>> GELU(approximate="tanh")
    GELU(approximate='tanh')
    """

    approximate: str = "none"
    modes: ClassVar[tuple[str, ...]] = ("none", "tanh")

    def __post_init__(self) -> None:
        self._settle("approximate", arguments.choice("GELU", "approximate", self.approximate, self.modes))


@dataclass(frozen=True, repr=False)
class SiLU(_Pointwise):
    """y = z / (1 + exp(-z)): each value times its sigmoid, also called swish.

    Source: Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning" (2017), section 2.

    >>> SiLU().output_shape((6, 28, 28))
    (6, 28, 28)
    """


@dataclass(frozen=True, repr=False)
class Sigmoid(_Pointwise):
    """y = 1 / (1 + exp(-z)).

    >>> Sigmoid().output_shape((10,))
    (10,)
    """


@dataclass(frozen=True, repr=False)
class Tanh(_Pointwise):
    """y = tanh(z).

    >>> Tanh().output_shape((10,))
    (10,)
    """


@dataclass(frozen=True, repr=False)
class ScaledTanh(_Pointwise):
    """y = 1.7159 tanh(2 z / 3), LeCun's activation: about 1 at z = 1, where its curvature is largest.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998),
    appendix A.

    >>> ScaledTanh().output_shape((10,))
    (10,)
    """
