"""Detections while scores come: those of `ScanResult.detections`, each told as soon as no later window can change it.

`ScanResult.detections` goes through the windows above the threshold from the strongest to the weakest. One that stays
strikes out those that overlap it too much, and of neighbours with equal scores the one in the middle comes first. So a
window waits

- until all windows have come that overlap it too much,
- if its neighbours score as it does, until that has ended: only then there is a middle,
- for every stronger one that overlaps it too much and waits itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.model import Model
from scanwise.scanning.detection import Detection
from scanwise.scanning.probability import activation_of, exclusive, margins, probabilities

__all__ = ["LiveDetections"]


@dataclass(frozen=True)
class _Waiting:
    """Windows above the threshold that are not decided, and those told that can still strike others out; `(n,)` each.

    Attributes:
        label, place, score, rank: label number, window number, probability and rank.
        first, last: windows with which the run of equal neighbours begins and ends, as far as it has come.
        told: whether it has been told.
    """

    label: NDArray[np.intp]
    place: NDArray[np.intp]
    score: NDArray[np.float64]
    rank: NDArray[np.float64]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    told: NDArray[np.bool_]

    @classmethod
    def empty(cls) -> _Waiting:
        whole, real = np.empty(0, np.intp), np.empty(0)
        return cls(whole, whole, real, real, whole, whole, np.empty(0, bool))

    def with_more(self, more: _Waiting) -> _Waiting:
        """These and some of later windows."""
        names = [field.name for field in fields(self)]
        return _Waiting(*(np.concatenate([getattr(self, name), getattr(more, name)]) for name in names))

    def only(self, chosen: NDArray[np.bool_]) -> _Waiting:
        """Some of them."""
        return _Waiting(*(getattr(self, field.name)[chosen] for field in fields(self)))


class LiveDetections:
    """Takes the scores of a stream and tells what was found where.

    Args:
        model: the model.
        step: between windows, in samples.
        threshold: smallest probability, as for `ScanResult.detections`.
        overlap: intersection over union above which two windows count as overlapping, 0 to 1.
    """

    def __init__(self, model: Model, step: int, threshold: float = 0.5, overlap: float = 0.2) -> None:
        self._model, self._step, self._threshold = model, step, threshold
        self._activation, self._exclusive = activation_of(model), exclusive(model)
        window = model.input_shape[1]
        # Windows to either side that overlap too much, and as far as one event's run of scores goes from its middle.
        shared = window - np.arange(step, window, step)
        self._reach = int(np.count_nonzero(shared / (2.0 * window - shared) > overlap))
        self._half = window // 2 // step
        self._windows = 0  # that have come
        self._waiting = _Waiting.empty()
        self._runs: dict[
            int, tuple[int, float]
        ] = {}  # by label: first window and rank of a run that may go on

    def feed(self, scores: NDArray[np.float32]) -> list[Detection]:
        """Take the scores `(K, n)` of the next windows; what has become certain, in the order of the places."""
        if scores.shape[1] == 0:
            return []
        new = self._candidates(scores)
        self._continue_runs(new)
        self._waiting = self._waiting.with_more(new)
        self._windows += scores.shape[1]
        ends = new.last == self._windows - 1
        runs = zip(new.label[ends], new.first[ends], new.rank[ends], strict=True)
        self._runs = {int(label): (int(first), float(rank)) for label, first, rank in runs}
        return self._tell(ended=False)

    def flush(self) -> list[Detection]:
        """The signal has ended: all that is left."""
        return self._tell(ended=True)

    def _candidates(self, scores: NDArray[np.float32]) -> _Waiting:
        p, model = probabilities(scores, self._activation), self._model
        if model.labels and model.background is not None:
            p[model.labels.index(model.background)] = -np.inf
        label, place = np.nonzero(p >= self._threshold)
        score, rank = p[label, place], margins(scores, self._activation)[label, place]
        place = place + self._windows
        first, last = _runs(label, place, rank)
        return _Waiting(label, place, score, rank, first, last, np.zeros(len(label), bool))

    def _continue_runs(self, new: _Waiting) -> None:
        """Where a run of equal neighbours goes on, tell its older members where it ends now, and the new ones where it
        has begun.
        """
        for i in np.flatnonzero(new.place == self._windows):
            label, waiting = int(new.label[i]), self._waiting
            first, rank = self._runs.get(label, (-1, np.nan))
            if rank == new.rank[i]:
                waiting.last[(waiting.label == label) & (waiting.first == first)] = new.last[i]
                new.first[(new.label == label) & (new.first == self._windows)] = first

    def _tell(self, *, ended: bool) -> list[Detection]:
        waiting = self._waiting
        certain, undecided = self._decide(ended)
        found = [self._detection(waiting, int(i)) for i in np.flatnonzero(certain & ~waiting.told)]
        # What was told strikes out what comes near it.
        near = certain & (waiting.place >= self._windows - self._reach)
        self._waiting = replace(waiting, told=certain).only(undecided | near)
        return sorted(found, key=lambda detection: (detection.start, detection.index))

    def _decide(self, ended: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which stay for certain, and which are undecided; the others are struck out."""
        w = self._waiting
        certain, undecided = np.zeros(len(w.label), bool), np.zeros(len(w.label), bool)
        if not len(w.label):
            return certain, undecided
        goes_on = (w.last == self._windows - 1) & (not ended)
        early = goes_on | ((w.place + self._reach >= self._windows) & (not ended))
        aside = np.where(goes_on, 0, np.abs(2 * w.place - w.first - w.last))
        # As `best_of_overlapping`, but of equals those first whose middle is not known, so that the others wait.
        order = np.lexsort((w.place, w.label, aside, ~goes_on, -w.rank, ~w.told))
        origin = int(w.place.min())
        rows = np.zeros_like(w.label) if self._exclusive else w.label
        struck = np.zeros((int(rows.max()) + 1, int(w.place.max()) - origin + 1), bool)
        doubtful = struck.copy()
        for i in order:
            row, place = rows[i], w.place[i]
            if struck[row, place - origin] and not w.told[i]:
                continue
            waits = not w.told[i] and bool(early[i] or doubtful[row, place - origin])
            (undecided if waits else certain)[i] = True
            low = min(place - self._reach, max(w.first[i], place - self._half))
            high = max(place + self._reach, min(w.last[i], place + self._half))
            (doubtful if waits else struck)[row, max(0, low - origin) : high + 1 - origin] = True
        return certain, undecided

    def _detection(self, waiting: _Waiting, i: int) -> Detection:
        model, index, start = self._model, int(waiting.label[i]), int(waiting.place[i]) * self._step
        return Detection(
            label=model.labels[index] if model.labels else str(index),
            index=index,
            score=float(waiting.score[i]),
            start=start,
            stop=start + model.input_shape[1],
            sample_rate=model.sample_rate,
        )


def _runs(
    label: NDArray[np.intp], place: NDArray[np.intp], rank: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last place of the run of neighbours with the same label and rank; places rise, label after label."""
    begins = np.ones(len(label), bool)
    begins[1:] = (np.diff(label) != 0) | (np.diff(place) != 1) | (rank[1:] != rank[:-1])
    starts, run = np.flatnonzero(begins), np.cumsum(begins) - 1
    ends = np.append(starts[1:], len(label)) - 1
    return place[starts[run]], place[ends[run]]
