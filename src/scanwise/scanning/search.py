"""What a scan says, from its scores: probabilities of labels anywhere, and what was found where.

Scores come piece by piece: from a whole result, or while a signal is scanned whose scores are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scanwise.scanning.detection import (
    Candidates,
    Detection,
    Support,
    best_of_overlapping,
    neighbours,
    plateaus,
)
from scanwise.scanning.events import Event, regions
from scanwise.scanning.grid import Axis, one_or_pair
from scanwise.scanning.reading import Reading
from scanwise.scanning.selection import Selection

# Gives the support of an event whose best window begins there, what finds it, or None.
Trace = Callable[[Event, tuple[int, ...]], Support | Callable[[], Support] | None]

# Candidates that are collected before it is decided which of them stay.
_UNDECIDED = 1 << 17


class Presence:
    """For each label the largest probability of any window so far."""

    def __init__(self, reading: Reading) -> None:
        self._best = np.full(len(reading.thresholds), -np.inf)
        self._reading = reading

    def add(self, scores: NDArray[np.float32]) -> None:
        """Take note of the scores `(K, ...)` of some windows; those that are NaN count for nothing."""
        p = self._reading.probabilities(scores.reshape(len(scores), -1))
        self._best = np.fmax(self._best, np.fmax.reduce(p, axis=1, initial=-np.inf))

    @property
    def best(self) -> NDArray[np.float64]:
        """`(K,)`; NaN where no window has a score."""
        return np.where(np.isneginf(self._best), np.nan, self._best)


class Search:
    """Finds windows whose probability reaches a threshold, the best of overlapping ones or joined to events.

    Which of overlapping ones stay is decided as the signal is passed, so that memory follows what is found and not all
    windows that reach the threshold, which may be nearly all. To be joined they are all kept.
    """

    def __init__(self, reading: Reading, selection: Selection, axes: tuple[Axis, ...]) -> None:
        """`axes` may have an end that is not known yet."""
        self._reading, self._selection = reading, selection
        self._axes = axes
        self._thresholds = selection.thresholds(reading)
        self._lowest = selection.lowest(reading)[:, np.newaxis]
        self._parts: list[Candidates] = []
        self._number = self._row = 0
        nothing, nowhere = np.empty(0), np.empty((0, len(axes)), np.intp)
        none = np.empty(0, np.intp)
        # Those passed that still matter, their plateaus, whether these are certain, and whether it is decided if they
        # stay: these are there only to tell how far the plateaus of others go.
        self._held = Candidates(none, nowhere, nothing, nothing)
        self._plateau = nowhere, nowhere
        self._certain = self._decided = np.empty(0, bool)
        self._found: list[Event] = []

    def add(self, first: Sequence[int], scores: NDArray[np.float32]) -> None:
        """Take note of the scores `(K, *counts)` of some windows, the first of which has the number `first`.

        Windows come in the order of their rows (of their places, if there is one axis).
        """
        if first[0] > self._row:
            self._row = first[0]
            if not self._selection.joins and self._number > max(_UNDECIDED, 2 * len(self._held)):
                self._decide(self._row)
        flat = scores.reshape(len(scores), -1)
        p = self._reading.probabilities(flat)
        labels, background = self._reading.labels, self._reading.background
        if labels and background is not None:
            p[labels.index(background)] = -np.inf
        label, place = np.nonzero(p >= self._lowest)
        if len(label):
            rank = self._reading.margins(flat)[label, place]
            places = np.stack(np.unravel_index(place, scores.shape[1:]), axis=1) + np.asarray(first)
            self._parts.append(Candidates(label, places, p[label, place], rank))
            self._number += len(label)

    def found(self, axes: tuple[Axis, ...], trace: Trace | None = None) -> list[Detection]:
        """The detections, in the order of their places, now that the end of the signal is known.

        Args:
            axes: where the windows lie.
            trace: gives supports, if they are wanted. It is asked in the order of the places of the best windows.
        """
        self._axes = axes
        if self._selection.joins:
            candidates = Candidates.joined([self._held, *self._parts])
            self._found = regions(candidates, self._thresholds, exclusive=self._reading.exclusive)
        else:
            self._decide(None)
        return self._detections(trace)

    def certain(self, end: int | None) -> list[Detection]:
        """Detections that no later window can change, and that have not been told before; in the order of their places.

        Args:
            end: rows of windows that have come; None if the signal has ended.
        """
        self._decide(end)
        return self._detections(None)

    def _detections(self, trace: Trace | None) -> list[Detection]:
        events, self._found = self._found, []
        found = [self._detection(event, trace) for event in sorted(events, key=lambda event: event.best)]
        return self._selection.finished(found, len(self._axes))

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
        settled = certain = np.ones(len(held), bool)
        if end is not None:
            # A run of equal ones has ended, or is as long as one may count.
            settled = (last[:, 0] < end - 1) | (last[:, 0] >= row + reach)
            certain = settled & (row + _rivals(self._axes[0], self._selection.overlap) < end)
        starts = [_starts(along, axis) for along, axis in zip(held.place.T, self._axes, strict=True)]
        start = np.stack(starts, axis=1)
        waiting = np.flatnonzero(~np.append(self._decided, np.zeros(new, bool)))
        kept, undecided = best_of_overlapping(
            held.take(waiting),
            start[waiting],
            (first[waiting], last[waiting]),
            settled[waiting],
            certain[waiting],
            self._axes,
            self._selection.overlap,
            exclusive=self._reading.exclusive,
        )
        chosen = waiting[kept]
        chosen = chosen[held.score[chosen] >= self._thresholds[held.label[chosen]]]
        self._found += [Event.of_one(held, i) for i in chosen]
        decided = np.ones(len(held), bool)
        decided[waiting[undecided]] = False
        # Runs of those that are not certain begin at most `reach` before them.
        stays = ~decided if end is None else ~decided | (row >= end - 2 * reach)
        self._held, self._plateau = held.take(stays), (first[stays], last[stays])
        self._certain, self._decided = certain[stays], decided[stays]

    def _detection(self, event: Event, trace: Trace | None) -> Detection:
        best, begin, last = (
            tuple(axis.start(number) for number, axis in zip(numbers, self._axes, strict=True))
            for numbers in (event.best, event.first, event.last)
        )
        return Detection(
            label=self._reading.labels[event.label] if self._reading.labels else str(event.label),
            index=event.label,
            score=event.score,
            start=one_or_pair(begin),
            stop=one_or_pair([start + axis.window for start, axis in zip(last, self._axes, strict=True)]),
            sample_rate=self._reading.sample_rate,
            trace=None if trace is None else trace(event, best),
        )


def _rivals(axis: Axis, overlap: float) -> int:
    """How many windows to one side of a window may strike it out, or belong to the same plateau."""
    shared = axis.window - np.arange(axis.step, axis.window, axis.step)
    overlapping = int(np.count_nonzero(shared / (2.0 * axis.window - shared) > overlap))
    # A shifted one is nearer than a step.
    return max(overlapping, axis.window // 2 // axis.step) + (axis.edge == "extend")


def _starts(numbers: NDArray[np.intp], axis: Axis) -> NDArray[np.int64]:
    """Starts of windows with these numbers: past the regular ones there is the shifted one alone."""
    return np.where(numbers < axis.regular, numbers * axis.step, axis.extent - axis.window)
