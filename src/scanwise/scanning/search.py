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
from scanwise.scanning.detection import Candidates, Detection, best_of_overlapping, neighbours, plateaus
from scanwise.scanning.grid import Axis
from scanwise.scanning.probability import activation_of, exclusive, margins, probabilities

# Candidates that are collected before it is decided which of them stay.
_UNDECIDED = 1 << 17


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
    """Finds windows whose probability reaches a threshold, the best of overlapping ones.

    Which ones stay is decided as the signal is passed, so that memory follows what is found and not all windows that
    reach the threshold, which may be nearly all.
    """

    def __init__(self, reading: Reading, threshold: float, overlap: float, axes: tuple[Axis, ...]) -> None:
        """`axes` may have an end that is not known yet."""
        self._reading, self._threshold, self._overlap = reading, threshold, overlap
        self._axes = axes
        self._parts: list[Candidates] = []
        self._number = self._row = 0
        nothing, nowhere = np.empty(0), np.empty((0, len(axes)), np.intp)
        none = np.empty(0, np.intp)
        # Those passed that still matter, their plateaus, whether these are certain, and whether it is decided if they
        # stay: these are there only to tell how far the plateaus of others go.
        self._held = Candidates(none, nowhere, nothing, nothing)
        self._plateau = nowhere, nowhere
        self._certain = self._decided = np.empty(0, bool)
        self._found: list[Detection] = []

    def add(self, first: Sequence[int], scores: NDArray[np.float32]) -> None:
        """Take note of the scores `(K, *counts)` of some windows, the first of which has the number `first`.

        Windows come in the order of their rows (of their places, if there is one axis).
        """
        if first[0] > self._row:
            self._row = first[0]
            if self._number > max(_UNDECIDED, 2 * len(self._held)):
                self._decide(self._row)
        flat, activation = scores.reshape(len(scores), -1), self._reading.activation
        p = probabilities(flat, activation)
        labels, background = self._reading.labels, self._reading.background
        if labels and background is not None:
            p[labels.index(background)] = -np.inf
        label, place = np.nonzero(p >= self._threshold)
        if len(label):
            rank = margins(flat, activation)[label, place]
            places = np.stack(np.unravel_index(place, scores.shape[1:]), axis=1) + np.asarray(first)
            self._parts.append(Candidates(label, places, p[label, place], rank))
            self._number += len(label)

    def found(self, axes: tuple[Axis, ...]) -> list[Detection]:
        """The detections, in the order of their places, now that the end of the signal is known."""
        self._axes = axes
        self._decide(None)
        return sorted(self._found, key=lambda detection: (detection.start, detection.index))

    def _decide(self, end: int | None) -> None:
        """Decide what can be decided while the windows from the row `end` on are not known."""
        held = Candidates.joined([self._held, *self._parts])
        new = len(held) - len(self._held)
        self._parts, self._number = [], 0
        first, last = plateaus(held, self._axes)
        was = np.append(self._certain, np.zeros(new, bool))
        first[was], last[was] = (old[self._certain] for old in self._plateau)
        reach = neighbours(self._axes[0])
        row = held.place[:, 0]
        certain = np.ones(len(held), bool) if end is None else row + reach < end
        starts = [_starts(along, axis) for along, axis in zip(held.place.T, self._axes, strict=True)]
        start = np.stack(starts, axis=1)
        waiting = np.flatnonzero(~np.append(self._decided, np.zeros(new, bool)))
        kept, undecided = best_of_overlapping(
            held.take(waiting),
            start[waiting],
            (first[waiting], last[waiting]),
            certain[waiting],
            self._axes,
            self._overlap,
            exclusive=self._reading.exclusive,
        )
        self._found += [self._detection(held, start[i], i) for i in waiting[kept]]
        decided = np.ones(len(held), bool)
        decided[waiting[undecided]] = False
        # Runs of those that are not certain begin at most `reach` before them.
        stays = ~decided if end is None else ~decided | (row >= end - 2 * reach)
        self._held, self._plateau = held.take(stays), (first[stays], last[stays])
        self._certain, self._decided = certain[stays], decided[stays]

    def _detection(self, candidates: Candidates, place: NDArray[np.int64], i: int) -> Detection:
        start = tuple(map(int, place))
        stop = tuple(begin + axis.window for begin, axis in zip(start, self._axes, strict=True))
        index = int(candidates.label[i])
        return Detection(
            label=self._reading.labels[index] if self._reading.labels else str(index),
            index=index,
            score=float(candidates.score[i]),
            start=start[0] if len(start) == 1 else (start[0], start[1]),
            stop=stop[0] if len(stop) == 1 else (stop[0], stop[1]),
            sample_rate=self._reading.sample_rate,
        )


def _starts(numbers: NDArray[np.intp], axis: Axis) -> NDArray[np.int64]:
    """Starts of windows with these numbers: past the regular ones there is the shifted one alone."""
    return np.where(numbers < axis.regular, numbers * axis.step, axis.extent - axis.window)


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
