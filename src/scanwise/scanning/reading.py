"""How the scores of a model are read: as probabilities of its labels, each with a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.model import Model
from scanwise.scanning import probability

__all__ = ["THRESHOLD", "Reading"]

THRESHOLD = 0.5
"""Of a label that the model is not calibrated for."""


@dataclass(frozen=True)
class Reading:
    """How the scores of a model are read.

    Attributes:
        labels: names of the K outputs, or None.
        background: the label that is never reported as a detection, or None.
        sample_rate: samples per second, or None.
        activation: how scores become probabilities: `"softmax"`, `"sigmoid"`, `"probability"` (they are) or `"value"`
            (they do not; see `scanning.probability`).
        exclusive: whether a window shows one label at most.
        thresholds: K numbers, from which probability on each label counts as found unless something else is asked for.
        temperature: that scores are divided by before they become probabilities.
    """

    labels: tuple[str, ...] | None
    background: str | None
    sample_rate: float | None
    activation: str
    exclusive: bool
    thresholds: tuple[float, ...]
    temperature: float = 1.0

    @staticmethod
    def of(model: Model) -> Reading:
        """As the model's network, loss, labels and calibration say."""
        calibrated, found = model.calibration, model.thresholds or {}
        names = model.labels or tuple(map(str, range(model.output_shape[0])))
        return Reading(
            model.labels,
            model.background,
            model.sample_rate,
            probability.activation_of(model),
            probability.exclusive(model),
            tuple(found[name].value if name in found else THRESHOLD for name in names),
            1.0 if calibrated is None else calibrated.temperature,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, or the numbers of the outputs."""
        return self.labels or tuple(map(str, range(len(self.thresholds))))

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of scores `(K, ...)`."""
        return probability.probabilities(scores, self.activation, self.temperature)

    def margins(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of scores `(K, ...)`: how strongly each speaks for its label."""
        return probability.margins(scores, self.activation, self.temperature)
