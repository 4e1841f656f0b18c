"""Dropout: in training, set some values to zero at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scanwise.errors import ArgumentError

from . import arguments
from .base import _Pointwise


@dataclass(frozen=True, repr=False)
class Dropout(_Pointwise):
    """In training each value is zero with probability `p`, else divided by 1 - p. Otherwise the identity.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Args:
        p: probability of a zero, at least 0 and below 1.

    >>> Dropout(0.25).output_shape((128,))
    (128,)
    """

    p: float = 0.5

    operations_per_output: ClassVar[int] = 0

    def __post_init__(self) -> None:
        self._settle("p", arguments.number("Dropout", "p", self.p))
        if not 0.0 <= self.p < 1.0:
            raise ArgumentError(f"Dropout: p must be at least 0 and below 1. Got {self.p}.")
