"""What a scan says, from its scores: probabilities of labels anywhere, and what was found where.

Scores come piece by piece: from a whole result, or while a signal is scanned whose scores are not kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.model import Model
from scanwise.scanning.detection import Candidates, Detection, best_of_overlapping
from scanwise.scanning.grid import Axis
from scanwise.scanning.probability import activation_of, exclusive, margins, probabilities


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
    """

    labels: tuple[str, ...] | None
    background: str | None
    sample_rate: float | None
    activation: str
    exclusive: bool

    @staticmethod
    def of(model: Model) -> Reading:
        """As the model's network, loss and labels say."""
        return Reading(
            model.labels, model.background, model.sample_rate, activation_of(model), exclusive(model)
        )


class Presence:
    """For each label the largest probability of any window so far."""

    def __init__(self, labels: int, activation: str) -> None:
        self._best = np.full(labels, -np.inf)
        self._activation = activation

    def add(self, scores: NDArray[np.float32]) -> None:
        """Take note of the scores `(K, ...)` of some windows; those that are NaN count for nothing."""
        p = probabilities(scores.reshape(len(scores), -1), self._activation)
        self._best = np.fmax(self._best, np.fmax.reduce(p, axis=1, initial=-np.inf))

    @property
    def best(self) -> NDArray[np.float64]:
        """`(K,)`; NaN where no window has a score."""
        return np.where(np.isneginf(self._best), np.nan, self._best)


class Search:
    """Collects windows whose probability reaches a threshold; what overlaps competes at the end."""

    def __init__(self, reading: Reading, threshold: float, overlap: float) -> None:
        self._reading, self._threshold, self._overlap = reading, threshold, overlap
        self._parts: list[
            tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]
        ] = []

    def add(self, first: Sequence[int], scores: NDArray[np.float32]) -> None:
        """Take note of the scores `(K, *counts)` of some windows, the first of which has the number `first`."""
        flat, activation = scores.reshape(len(scores), -1), self._reading.activation
        p = probabilities(flat, activation)
        labels, background = self._reading.labels, self._reading.background
        if labels and background is not None:
            p[labels.index(background)] = -np.inf
        label, place = np.nonzero(p >= self._threshold)
        if len(label):
            rank = margins(flat, activation)[label, place]
            places = np.stack(np.unravel_index(place, scores.shape[1:]), axis=1) + np.asarray(first)
            self._parts.append((label, places, p[label, place], rank))

    def found(self, axes: tuple[Axis, ...]) -> list[Detection]:
        """The detections, in the order of their places."""
        if not self._parts:
            return []
        label, place, score, rank = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        # Past the regular windows there is the shifted one alone.
        start = np.stack(
            [
                np.where(
                    along < axis.regular,
                    np.minimum(along, axis.regular) * axis.step,
                    axis.extent - axis.window,
                )
                for along, axis in zip(place.T, axes, strict=True)
            ],
            axis=1,
        )
        candidates = Candidates(label, place, start, score, rank)
        kept = best_of_overlapping(candidates, axes, self._overlap, exclusive=self._reading.exclusive)
        found = [self._detection(candidates, axes, i) for i in kept]
        return sorted(found, key=lambda detection: (detection.start, detection.index))

    def _detection(self, candidates: Candidates, axes: tuple[Axis, ...], i: int) -> Detection:
        start = tuple(map(int, candidates.start[i]))
        stop = tuple(begin + axis.window for begin, axis in zip(start, axes, strict=True))
        index = int(candidates.label[i])
        return Detection(
            label=self._reading.labels[index] if self._reading.labels else str(index),
            index=index,
            score=float(candidates.score[i]),
            start=start[0] if len(start) == 1 else (start[0], start[1]),
            stop=stop[0] if len(stop) == 1 else (stop[0], stop[1]),
            sample_rate=self._reading.sample_rate,
        )


def check_threshold(threshold: object, overlap: object, activation: str) -> None:
    """Raise ArgumentError or ArgumentTypeError unless both are numbers within their ranges."""
    for name, value in (("threshold", threshold), ("overlap", overlap)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
            raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
        bounded = name == "overlap" or activation != "value"
        if not math.isfinite(value) or (bounded and not 0.0 <= value <= 1.0):
            raise ArgumentError(
                f"{name} must be {'between 0 and 1' if bounded else 'finite'}. Got {value!r}."
            )
