"""From windows that speak for a label to events: runs of them, joined where they are near, of a wanted extent.

An event reaches from the start of its first window to the end of its last; in an image it is the box around its
windows. So whatever spoke for it lies in it, and an event of one window is that window, as without joining. It is
never shorter than a window: `Detection.support` says more exactly where a pattern is that is shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.scanning.detection import Candidates, Detection
from scanwise.scanning.grid import one_or_pair

_FARTHEST = 1 << 60  # beyond every signal, and small enough to be added to a place in it


@dataclass(frozen=True)
class Event:
    """Windows that are one detection.

    Attributes:
        label: its number.
        score: probability of the window that speaks most strongly for it.
        best: that window's number along each axis.
        first: the smallest number of any of its windows along each axis.
        last: the largest.
    """

    label: int
    score: float
    best: tuple[int, ...]
    first: tuple[int, ...]
    last: tuple[int, ...]

    @staticmethod
    def of_one(candidates: Candidates, i: int) -> Event:
        """The event that a candidate is by itself."""
        place = _numbers(candidates.place[i])
        return Event(int(candidates.label[i]), float(candidates.score[i]), place, place, place)


def regions(candidates: Candidates, thresholds: NDArray[np.float64], *, exclusive: bool) -> list[Event]:
    """Neighbouring candidates of one label as one event, if one of them reaches its threshold (hysteresis).

    In an image windows are neighbours in a row or in a column.

    Args:
        candidates: the windows that an event may go on through.
        thresholds: `(K,)`, the probability that one of its windows must have at least.
        exclusive: whether a window belongs to the label alone that it speaks for most strongly.

    Source: the two thresholds of Canny, "A Computational Approach to Edge Detection" (1986), section VIII.
    """
    if exclusive:
        candidates = _strongest(candidates)
    if len(candidates.label) == 0:
        return []
    group = _connected(candidates.label, candidates.place)
    order = np.lexsort((*candidates.place.T[::-1], -candidates.rank, -candidates.score, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    first = np.minimum.reduceat(candidates.place[order], starts, axis=0)
    last = np.maximum.reduceat(candidates.place[order], starts, axis=0)
    return [
        replace(Event.of_one(candidates, best), first=_numbers(low), last=_numbers(high))
        for best, low, high in zip(order[starts], first, last, strict=True)
        if candidates.score[best] >= thresholds[candidates.label[best]]
    ]


def merged(detections: Sequence[Detection], gap: Sequence[int]) -> list[Detection]:
    """Detections of one label whose distance is at most `gap` along every axis, as one.

    It has the score and the support of the one with the highest score. No two of the result are so near any more: what
    grows into the neighbourhood of another is joined with it too.

    Args:
        detections: in any order.
        gap: samples, or rows and columns, between the end of one and the start of the next: 0 joins those that touch
            or overlap.
    """
    # Best first, so that the smallest number of those that are joined is the best of them.
    found = sorted(detections, key=lambda one: (-one.score, one.box))
    ends = np.array([one.ranges for one in found], np.int64).reshape(len(found), len(gap), 2)
    # The label is an axis too, along which nothing is near but itself.
    label = np.array([one.index for one in found], np.int64)
    low, high = (np.column_stack([ends[..., side], label]) for side in (0, 1))
    most = np.array([*(min(each, _FARTHEST) for each in gap), 0])
    kept = np.arange(len(found))
    while True:
        group = _near(low, high, most)
        best = np.flatnonzero(group == np.arange(len(group)))
        if len(best) == len(kept):
            break
        order = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[order], best)
        low = np.minimum.reduceat(low[order], starts, axis=0)
        high = np.maximum.reduceat(high[order], starts, axis=0)
        kept = kept[best]
    return [
        replace(found[k], start=one_or_pair(_numbers(start[:-1])), stop=one_or_pair(_numbers(stop[:-1])))
        for k, start, stop in zip(kept, low, high, strict=True)
    ]


def within(
    detections: Sequence[Detection], smallest: Sequence[int] | None, largest: Sequence[int] | None
) -> list[Detection]:
    """The detections whose extent, in samples or (rows, columns), is neither too small nor too large along any axis."""

    def fits(found: Detection) -> bool:
        extent = [stop - start for start, stop in found.ranges]
        return (smallest is None or all(n >= least for n, least in zip(extent, smallest, strict=True))) and (
            largest is None or all(n <= most for n, most in zip(extent, largest, strict=True))
        )

    return [found for found in detections if fits(found)]


def _strongest(candidates: Candidates) -> Candidates:
    """Of the candidates at one place the one of highest rank."""
    order = np.lexsort((candidates.label, -candidates.rank, *candidates.place.T[::-1]))
    place = candidates.place[order]
    new = np.ones(len(order), bool)
    new[1:] = (place[1:] != place[:-1]).any(axis=1)
    kept = order[new]
    return Candidates(
        candidates.label[kept], candidates.place[kept], candidates.score[kept], candidates.rank[kept]
    )


def _connected(label: NDArray[np.intp], place: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each candidate the number of the region of neighbours that it belongs to.

    Runs within a row are found first, then those of neighbouring rows that share a column are linked.
    """
    rows = place[:, 0] if place.shape[1] == 2 else np.zeros(len(place), np.intp)
    # One column and one row more than there are, so that the end of a row, or of a label, touches nothing.
    width, height = place[:, -1].max() + 2, rows.max() + 2
    number = (label * height + rows) * width + place[:, -1]
    order = np.argsort(number)
    number = number[order]
    begins = np.diff(number, prepend=-2) != 1
    firsts = number[begins]
    lasts = number[np.append(np.flatnonzero(begins)[1:], len(number)) - 1]
    low = np.searchsorted(lasts, firsts - width, "left")
    high = np.searchsorted(firsts, lasts - width, "right")
    root = np.arange(len(firsts))
    for run in np.flatnonzero(low < high):
        for above in range(low[run], high[run]):
            _link(root, int(run), above)
    region = np.array([_root(root, run) for run in range(len(root))])
    result = np.empty(len(label), np.intp)
    result[order] = region[np.cumsum(begins) - 1]
    return result


def _link(root: NDArray[np.intp], a: int, b: int) -> None:
    """In a forest, in which every number points to itself or to a smaller one that it is connected to."""
    a, b = _root(root, a), _root(root, b)
    root[max(a, b)] = min(a, b)


def _root(root: NDArray[np.intp], one: int) -> int:
    while root[one] != one:
        root[one] = root[root[one]]
        one = int(root[one])
    return one


def _near(low: NDArray[np.int64], high: NDArray[np.int64], gap: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each box the smallest number of any that a chain of near ones leads to."""
    order = np.argsort(low[:, 0], kind="stable")
    low, high = low[order], high[order]
    # Along the first axis, the boxes that start before each is left behind.
    reach = np.searchsorted(low[:, 0], high[:, 0] + gap[0], "right")
    root = np.arange(len(order))
    for i in np.flatnonzero(reach > np.arange(1, len(order) + 1)):
        after = slice(i + 1, reach[i])
        near = order[after][((low[after] - high[i] <= gap) & (low[i] - high[after] <= gap)).all(axis=1)]
        for other in np.unique(root[near]):
            _link(root, int(order[i]), int(other))
        root[near] = _root(root, int(order[i]))  # so that those near the next have few different ones
    return np.array([_root(root, box) for box in range(len(root))], np.intp)


def _numbers(place: NDArray[np.intp]) -> tuple[int, ...]:
    return tuple(int(number) for number in place)
