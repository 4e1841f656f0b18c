"""The readout of a network whose planes carry labels: each label's largest answer (lecture 5.1)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from scanwise.errors import ArgumentError, ShapeError

from . import arguments
from .base import Layer, Shape


@dataclass(frozen=True, repr=False)
class MaxByLabel(Layer):
    """y_l = the largest x_k with labels[k] = l: `(K, ...)` to `(L, ...)`, at every position by itself.

    Ties go to the first. The last stage of the Neocognitron of 2003 has several planes for each label; the label of the
    plane that answers most is the network's decision.

    Args:
        labels: the label number of each of the K channels; every number from 0 to the largest must occur.

    Raises:
        ArgumentError, ArgumentTypeError: `labels` is empty, holds something else, or leaves a number out.

    Source: Fukushima 2003, section on the highest stage.

    >>> MaxByLabel((0, 0, 1)).output_shape((3,))
    (2,)
    """

    labels: tuple[int, ...]

    def __post_init__(self) -> None:
        labels = arguments.integers("MaxByLabel", "labels", self.labels, minimum=0)
        present = set(labels)
        missing = next(number for number in itertools.count() if number not in present)
        if missing <= max(labels, default=0):
            raise ArgumentError(
                f"MaxByLabel: labels must hold every number from 0 to the largest. Got none of {missing}."
            )
        self._settle("labels", labels)

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape[0] != len(self.labels):
            raise ShapeError(
                f"MaxByLabel: input must have one channel for each of {len(self.labels)} labels. "
                f"Got {input_shape[0]} (input shape {input_shape})."
            )
        return (max(self.labels) + 1, *input_shape[1:])

    def operations(self, input_shape: Shape) -> int:
        return math.prod(input_shape)
