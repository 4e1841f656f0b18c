"""From probabilities at all windows to a list of things found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.scanning.grid import Axis

# (start, stop) in samples, or ((top, bottom), (left, right)) in pixels.
Support = tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Detection:
    """Something found.

    Attributes:
        label: its name, or its number as text if the model has no names.
        index: its number, 0 to K-1.
        score: its probability, 0 to 1.
        start: where its window, or the first of them, begins: a sample, or (row, column).
        stop: where its window, or the last of them, ends, exclusive: a sample, or (row, column).
        sample_rate: samples per second, if the model knows.
        trace: the support, or what finds it; left out of comparisons. A scan's detection holds the signal by it; a
            pickled one has the support itself.

    >>> Detection("yes", 3, 0.98, start=4000, stop=12000, sample_rate=8000.0).seconds
    (0.5, 1.5)
    """

    label: str
    index: int
    score: float
    start: int | tuple[int, int]
    stop: int | tuple[int, int]
    sample_rate: float | None = None
    trace: Support | Callable[[], Support] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def support(self) -> Support | None:
        """The part of the signal that decided the score: `(start, stop)` in samples, or `((top, bottom), (left,
        right))` in pixels; None if the signal was not kept.

        A maximum depends on the one input that it chose. So the maxima that the network took lead from its output for
        the label, at the detection's best window, back to the inputs that it comes from (lecture part 7). All other
        layers lead to all that they are connected to: without a maximum this is the receptive field. As long as the
        maxima stay where they are, no sample or pixel outside can change that output. Where the network's own padding
        alone decided, the range is empty.

        It is found when it is first asked for, which takes one or two more runs of one window.

        Raises:
            ArgumentError: the model or the signal has changed since the scan.

        >>> import numpy as np, scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Conv1d(1, 3), sw.Aggregate("max")), (1, 20), labels=["bump"])
        >>> model.parameters["0.weight"] = [[[1.0, 2.0, 1.0]]]
        >>> signal = np.zeros((1, 100)); signal[0, 48:51] = [1, 2, 1]
        >>> (found,) = sw.scan(model, signal).detections(0.9)
        >>> (found.start, found.stop), found.support
        ((39, 59), (48, 51))
        """
        return self.trace() if callable(self.trace) else self.trace

    @property
    def support_seconds(self) -> tuple[float, float] | None:
        """The support as (start, stop) in seconds, for a signal whose sample rate is known."""
        if self.sample_rate is None or self.support is None:
            return None
        start, stop = self.support
        if isinstance(start, tuple) or isinstance(stop, tuple):
            return None
        return start / self.sample_rate, stop / self.sample_rate

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """(start, stop) along each axis."""
        half = len(self.box) // 2
        return tuple(zip(self.box[:half], self.box[half:], strict=True))

    @property
    def box(self) -> tuple[int, ...]:
        """(top, left, bottom, right) in pixels, or (start, stop) in samples."""
        if isinstance(self.start, tuple) and isinstance(self.stop, tuple):
            return (*self.start, *self.stop)
        assert isinstance(self.start, int)
        assert isinstance(self.stop, int)
        return self.start, self.stop

    @property
    def seconds(self) -> tuple[float, float] | None:
        """(start, stop) in seconds, for a signal whose sample rate is known."""
        if self.sample_rate is None or isinstance(self.start, tuple) or isinstance(self.stop, tuple):
            return None
        return self.start / self.sample_rate, self.stop / self.sample_rate

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "trace": self.support}


@dataclass(frozen=True)
class Candidates:
    """Windows above the threshold: label number, window number along each axis, probability and rank of each."""

    label: NDArray[np.intp]
    place: NDArray[np.intp]  # (n, axes)
    score: NDArray[np.float64]
    rank: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, which: NDArray[Any]) -> Candidates:
        """Those with these numbers, or where a mask says so."""
        return Candidates(*(getattr(self, field.name)[which] for field in fields(self)))

    @staticmethod
    def joined(parts: Sequence[Candidates]) -> Candidates:
        """All of them."""
        return Candidates(
            *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Candidates))
        )


def best_of_overlapping(
    candidates: Candidates,
    start: NDArray[np.int64],
    plateau: tuple[NDArray[np.intp], NDArray[np.intp]],
    settled: NDArray[np.bool_],
    certain: NDArray[np.bool_],
    axes: Sequence[Axis],
    overlap: float,
    *,
    exclusive: bool,
) -> tuple[list[int], list[int]]:
    """Greedy non-maximum suppression: numbers of the candidates that stay, and of those that are not decided yet.

    The candidate that speaks most strongly for its label stays, and strikes out those around it that overlap too much;
    then the next that is left. Those around it are found by binary search among the candidates in the order of their
    places, so that memory follows the candidates, whatever the size of the signal.

    A network that ends in a maximum gives all windows that hold an event the same score. Of such a plateau the window
    in the middle comes first, which has the event in its own middle, and takes all of the plateau with it, as far as
    half a window from it.

    Where the signal has not been scanned to its end, a candidate whose neighbours are not all known may yet be struck
    out by one to come. It is not decided, nor is whatever it would strike out.

    Args:
        candidates: to choose from.
        start: of each, `(n, axes)`, in samples or pixels.
        plateau: of each, as `plateaus` gives it.
        settled: whether a candidate's plateau is known.
        certain: whether its plateau and all of its neighbours are known.
        axes: where the windows lie.
        overlap: intersection over union above which two windows count as overlapping.
        exclusive: whether candidates of different labels strike each other out.
    """
    if not len(candidates):
        return [], []
    first, last = plateau
    aside = np.where(settled, np.abs(2 * candidates.place - first - last).sum(axis=1), 0)
    # Of equal ones those whose plateau is not known come first: they may turn out to.
    best = np.lexsort((*candidates.place.T[::-1], candidates.label, aside, settled, -candidates.rank))
    group = np.zeros_like(candidates.label) if exclusive else candidates.label
    row = candidates.place[:, 0] if len(axes) == 2 else np.zeros_like(group)
    rows, columns = int(row.max()) + 1, int(candidates.place[:, -1].max()) + 1
    keys = (group * rows + row) * columns + candidates.place[:, -1]
    order = np.argsort(keys)
    keys = keys[order]
    sorted_place, sorted_start = candidates.place[order], start[order]
    where = np.empty_like(order)
    where[order] = np.arange(len(order))
    window = np.array([axis.window for axis in axes])
    area = window.prod(dtype=np.float64)
    half = np.array([axis.window // 2 // axis.step for axis in axes])
    down, across = ([0] * (2 - len(axes))) + [neighbours(axis) for axis in axes]
    struck, doubtful = np.zeros(len(order), bool), np.zeros(len(order), bool)
    kept, undecided = [], []
    for i in best:
        if struck[where[i]]:
            continue
        place = candidates.place[i]
        lines = group[i] * rows + np.arange(max(0, row[i] - down), min(rows, row[i] + down + 1))
        left, right = max(0, place[-1] - across), min(columns, place[-1] + across + 1)
        near = _ranges(
            np.searchsorted(keys, lines * columns + left), np.searchsorted(keys, lines * columns + right)
        )
        distance = np.abs(sorted_start[near] - start[i])
        shared = np.maximum(0, window - distance).prod(axis=1, dtype=np.float64)
        low, high = np.maximum(first[i], place - half), np.minimum(last[i], place + half)
        beside = ((sorted_place[near] >= low) & (sorted_place[near] <= high)).all(axis=1)
        strikes = (shared / (2.0 * area - shared) > overlap) | beside
        if certain[i] and not doubtful[where[i]]:
            kept.append(int(i))
            struck[near] |= strikes
        else:
            undecided.append(int(i))
            doubtful[near] |= strikes
    return kept, undecided


def neighbours(axis: Axis) -> int:
    """How many windows to one side may overlap a window. A shifted one is nearer than a step."""
    return (axis.window - 1) // axis.step + 1


def _ranges(first: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[np.intp]:
    """All numbers of some ranges, one range after the other."""
    lengths = stop - first
    before = np.cumsum(lengths) - lengths
    return np.repeat(first - before, lengths) + np.arange(lengths.sum())


def plateaus(candidates: Candidates, axes: Sequence[Axis]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last place, `(n, axes)` each, of the run of neighbours with the same label and rank along each axis.

    No further than neighbours may overlap: how a candidate compares shall not depend on what lies far away from it.
    """
    first, last = candidates.place.copy(), candidates.place.copy()
    for axis in range(candidates.place.shape[1]):
        across = np.delete(candidates.place, axis, axis=1)
        order = np.lexsort((candidates.place[:, axis], *across.T, candidates.label))
        place, rank = candidates.place[order, axis], candidates.rank[order]
        line = np.column_stack([across, candidates.label])[order]
        begins = np.ones(len(order), bool)
        begins[1:] = (
            (np.diff(place) != 1) | (np.diff(line, axis=0) != 0).any(axis=1) | (rank[1:] != rank[:-1])
        )
        starts = np.flatnonzero(begins)
        run = np.cumsum(begins) - 1
        ends = np.append(starts[1:], len(order)) - 1
        reach = neighbours(axes[axis])
        first[order, axis] = np.maximum(place[starts[run]], place - reach)
        last[order, axis] = np.minimum(place[ends[run]], place + reach)
    return first, last
