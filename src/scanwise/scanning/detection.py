"""From probabilities at all windows to a list of things found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def best_of_overlapping(
    candidates: Candidates,
    counts: Sequence[int],
    reach: NDArray[np.bool_],
    half: Sequence[int],
    *,
    exclusive: bool,
) -> list[int]:
    """Greedy non-maximum suppression: numbers of the candidates that stay, best first.

    All windows have one size and lie on a grid, so that whether two overlap too much depends on their distance alone:
    a candidate that stays strikes out a fixed pattern of places around it, and the cost does not grow with the number
    of those that stay.

    A network that ends in a maximum gives all windows that hold an event the same score. Of such a plateau the window
    in the middle comes first, which has the event in its own middle, and takes all of the plateau with it.

    Args:
        candidates: to choose from.
        counts: windows along each axis.
        reach: `(2a+1,)` or `(2a+1, 2b+1)`, the pattern, its middle being the candidate itself.
        half: windows along each axis up to the distance of half a window: as far as the plateau of one event goes from
            its middle.
        exclusive: whether candidates of different labels strike each other out.
    """
    first, last = _plateaus(candidates)
    aside = np.abs(2 * candidates.place - first - last).sum(axis=1)
    order = np.lexsort((*candidates.place.T[::-1], candidates.label, aside, -candidates.rank))
    struck: dict[int, NDArray[np.bool_]] = {}
    kept = []
    for i in order:
        layer = 0 if exclusive else int(candidates.label[i])
        if layer not in struck:
            struck[layer] = np.zeros(counts, bool)
        place = candidates.place[i]
        if struck[layer][tuple(place)]:
            continue
        kept.append(int(i))
        _strike(struck[layer], tuple(place), reach)
        low, high = np.maximum(first[i], place - half), np.minimum(last[i], place + half)
        struck[layer][tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] = True
    return kept


def _plateaus(candidates: Candidates) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last place, `(n, axes)` each, of the run of neighbours with the same label and rank along each axis."""
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
        first[order, axis], last[order, axis] = place[starts[run]], place[ends[run]]
    return first, last


def overlap_pattern(
    window: Sequence[int], step: Sequence[int], counts: Sequence[int], overlap: float
) -> NDArray[np.bool_]:
    """Distances, in windows along each axis, at which two windows overlap by more than `overlap`.

    Overlap is intersection over union: with shared extents s_a along the axes and windows w_a,
    prod s / (2 prod w - prod s).
    """
    shared = np.ones((1,) * len(window))
    area = 1.0
    for axis, (w, s, n) in enumerate(zip(window, step, counts, strict=True)):
        reach = min((w - 1) // s, n - 1)
        distance = np.abs(np.arange(-reach, reach + 1)) * s
        form = [1] * len(window)
        form[axis] = -1
        shared = shared * (w - distance).reshape(form)
        area *= w
    return np.asarray(shared / (2.0 * area - shared) > overlap)


def _strike(struck: NDArray[np.bool_], place: tuple[int, ...], reach: NDArray[np.bool_]) -> None:
    at, of = [], []
    for p, n, size in zip(place, struck.shape, reach.shape, strict=True):
        half = size // 2
        low, high = max(0, p - half), min(n, p + half + 1)
        at.append(slice(low, high))
        of.append(slice(low - p + half, high - p + half))
    struck[tuple(at)] |= reach[tuple(of)]
