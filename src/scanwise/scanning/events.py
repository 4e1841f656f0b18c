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


def regions(candidates: Candidates, threshold: float, *, exclusive: bool) -> list[Event]:
    """Neighbouring candidates of one label as one event, if one of them reaches the threshold (hysteresis).

    In an image windows are neighbours in a row or in a column.

    Args:
        candidates: the windows that an event may go on through.
        threshold: probability that one of its windows must have at least.
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
        if candidates.score[best] >= threshold
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
    found = list(detections)
    while len(joined := _swept(found, gap)) < len(found):
        found = joined
    return found


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

    Runs within a row are found first; then those of neighbouring rows that share a column are linked, by a forest in
    which every run points to an earlier one of its region.
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
    root = list(range(len(firsts)))
    for run in np.flatnonzero(low < high):
        for above in range(low[run], high[run]):
            a, b = _root(root, int(run)), _root(root, above)
            root[max(a, b)] = min(a, b)
    region = np.array([_root(root, run) for run in range(len(root))])
    result = np.empty(len(label), np.intp)
    result[order] = region[np.cumsum(begins) - 1]
    return result


def _root(root: list[int], run: int) -> int:
    while root[run] != run:
        root[run] = root[root[run]]
        run = root[run]
    return run


def _swept(detections: Sequence[Detection], gap: Sequence[int]) -> list[Detection]:
    """Near ones joined, from the first start to the last. What one grows towards is left for the next time."""
    open_: dict[int, list[Detection]] = {}
    done = []
    for one in sorted(detections, key=lambda found: found.box):
        grown, apart = one, []
        for earlier in open_.get(one.index, ()):
            if _near(earlier, grown, gap):
                grown = _joined(earlier, grown)
            elif earlier.ranges[0][1] + gap[0] < one.ranges[0][0]:
                done.append(earlier)  # all that follow start later still
            else:
                apart.append(earlier)
        open_[one.index] = [*apart, grown]
    return [*done, *(found for label in open_.values() for found in label)]


def _near(a: Detection, b: Detection, gap: Sequence[int]) -> bool:
    return all(
        max(a_start, b_start) - min(a_stop, b_stop) <= most
        for (a_start, a_stop), (b_start, b_stop), most in zip(a.ranges, b.ranges, gap, strict=True)
    )


def _joined(a: Detection, b: Detection) -> Detection:
    better = b if b.score > a.score else a
    start = [min(of_a[0], of_b[0]) for of_a, of_b in zip(a.ranges, b.ranges, strict=True)]
    stop = [max(of_a[1], of_b[1]) for of_a, of_b in zip(a.ranges, b.ranges, strict=True)]
    return replace(better, start=one_or_pair(start), stop=one_or_pair(stop))


def _numbers(place: NDArray[np.intp]) -> tuple[int, ...]:
    return tuple(int(number) for number in place)
