"""Windows joined to events: hysteresis, gaps and extents, against plain searches."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.scanning.events import merged
from tests.scanning.test_detections import result

Box = tuple[tuple[int, int], ...]


def signal(probabilities: Sequence[float], window: int = 4, step: int = 1) -> sw.ScanResult:
    """A scan of one label with given probabilities."""
    return result([probabilities], window, step, "probability", labels=("x",))


def spans(found: Sequence[sw.Detection]) -> list[tuple[Any, Any]]:
    return [(one.start, one.stop) for one in found]


class TestHysteresis:
    P = (0, 0.4, 0.9, 0.6, 0.4, 0.1, 0.4, 0.4, 0, 0, 0.8, 0)

    def test_an_event_goes_on_while_windows_stay_above_low(self) -> None:
        found = signal(self.P).detections(0.8, low=0.4)
        assert spans(found) == [(1, 8), (10, 14)]
        assert [one.score for one in found] == [pytest.approx(0.9), pytest.approx(0.8)]

    def test_low_at_the_threshold(self) -> None:
        assert spans(signal(self.P).detections(0.55, low=0.55)) == [(2, 7), (10, 14)]

    def test_what_never_reaches_the_threshold_is_no_event(self) -> None:
        assert signal(self.P).detections(0.95, low=0.1) == []

    def test_places_are_in_samples(self) -> None:
        assert spans(signal(self.P, 40, 10).detections(0.8, low=0.4)) == [(10, 80), (100, 140)]

    def test_a_window_that_shows_one_label_belongs_to_the_strongest(self) -> None:
        a, b = np.log([0.7, 0.6, 0.45, 0.3, 0.1]), np.log([0.1, 0.3, 0.4, 0.6, 0.8])
        labels: dict[str, Any] = {"labels": ("a", "b", "none"), "background": "none"}
        scores = [a, b, np.log(1 - np.exp(a) - np.exp(b))]
        found = result(scores, 2, **labels).detections(0.5, low=0.25)
        assert [(one.label, one.start, one.stop) for one in found] == [("a", 0, 4), ("b", 3, 6)]
        several = result(np.exp([a, b, a]), 2, 1, "probability", **labels).detections(0.5, low=0.25)
        assert [(one.label, one.start, one.stop) for one in several] == [("a", 0, 5), ("b", 1, 6)]

    def test_of_an_image_is_the_box_of_what_hangs_together(self) -> None:
        p = np.array([
            [0, 0, 0, 0, 0, 0],
            [0, 9, 5, 0, 0, 0],
            [0, 0, 5, 0, 5, 0],
            [0, 0, 5, 5, 5, 0],
            [8, 0, 0, 0, 0, 5],  # 8 and the last 5 touch others at a corner only
        ]) / 10  # fmt: skip
        found = result([p], (3, 2), activation="probability").detections(0.8, low=0.5)
        assert spans(found) == [((1, 1), (6, 6)), ((4, 0), (7, 2))]

    @given(st.data())
    @settings(max_examples=100)
    def test_against_a_flood(self, data: st.DataObject) -> None:
        axes = data.draw(st.integers(1, 2))
        counts = [data.draw(st.integers(1, 8)) for _ in range(axes)]
        levels = data.draw(st.lists(st.integers(0, 3), min_size=(n := 2 * int(np.prod(counts))), max_size=n))
        p = np.reshape(levels, (2, *counts)) / 4
        scan = result(p, (1,) * axes, activation="probability")
        found = [(one.index, one.ranges, one.score) for one in scan.detections(0.75, low=0.5)]
        assert sorted(found) == sorted(flooded(p, 0.5, 0.75))


def flooded(p: NDArray[np.float64], low: float, high: float) -> list[tuple[int, Box, float]]:
    """Label, box and largest probability of each region, place by place."""
    left = {place for place in np.ndindex(p.shape) if p[place] >= low}
    found = []
    while left:
        region, border = [], [left.pop()]
        while border:
            place = border.pop()
            region.append(place)
            for axis, move in itertools.product(range(1, p.ndim), (-1, 1)):
                beside = tuple(n + move * (a == axis) for a, n in enumerate(place))
                if beside in left:
                    left.remove(beside)
                    border.append(beside)
        best = max(float(p[place]) for place in region)
        if best >= high:
            numbers: NDArray[np.int64] = np.array(region)
            box = tuple((int(of.min()), int(of.max()) + 1) for of in numbers.T[1:])
            found.append((region[0][0], box, best))
    return found


class TestMerging:
    P = (0.9, 0, 0, 0, 0, 0.8, 0, 0, 0, 0, 0, 0, 0.7)

    def test_events_at_most_so_far_apart_are_one(self) -> None:
        scan = signal(self.P)  # windows at 0, 5 and 12: gaps of 1 and 3
        assert spans(scan.detections(merge=0)) == [(0, 4), (5, 9), (12, 16)]
        assert spans(scan.detections(merge=1)) == [(0, 9), (12, 16)]
        assert spans(scan.detections(merge=3)) == [(0, 16)]
        assert spans(scan.detections(merge=10**30, max_extent=10**30)) == [(0, 16)]
        assert scan.detections(merge=3)[0].score == pytest.approx(0.9)

    def test_windows_that_overlap_or_touch_are_one(self) -> None:
        assert spans(signal([0.9, 0, 0, 0.9, 0, 0, 0, 0.9]).detections(merge=0)) == [(0, 11)]

    def test_labels_are_kept_apart(self) -> None:
        scan = result([[0.9, 0, 0.8], [0.7, 0.9, 0.7]], 2, activation="probability")
        assert [(one.label, one.start, one.stop) for one in scan.detections(merge=0)] == [
            ("0", 0, 4), ("1", 0, 4)
        ]  # fmt: skip

    def test_along_both_axes_of_an_image(self) -> None:
        p = np.zeros((12, 12))
        p[0, 0] = p[5, 0] = p[0, 7] = p[9, 9] = 0.9
        scan = result([p], (4, 4), activation="probability")
        assert len(scan.detections(merge=0)) == 4
        assert spans(scan.detections(merge=(1, 0))) == [
            ((0, 0), (9, 4)),
            ((0, 7), (4, 11)),
            ((9, 9), (13, 13)),
        ]
        assert spans(scan.detections(merge=3)) == [((0, 0), (13, 13))]

    def test_what_grows_into_a_neighbourhood_is_joined(self) -> None:
        """The box of the second and third covers the first, which neither touches."""
        boxes = [((0, 50), (2, 60)), ((0, 0), (10, 10)), ((9, 8), (12, 55))]
        found = merged([sw.Detection("x", 0, 0.5, start, stop) for start, stop in boxes], (0, 0))
        assert spans(found) == [((0, 0), (12, 60))]

    @given(st.integers(1, 2), st.integers(0, 2), st.data())
    @settings(max_examples=100)
    def test_against_joining_pairs(self, axes: int, gap: int, data: st.DataObject) -> None:
        ranges = st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda one: (one[0], one[0] + one[1]))
        boxes = data.draw(st.lists(st.tuples(st.integers(0, 1), st.tuples(*[ranges] * axes)), max_size=20))
        detections = [detection(label, box, 0.1 * number) for number, (label, box) in enumerate(boxes)]
        found = [(one.index, one.ranges) for one in merged(detections, (gap,) * axes)]
        assert sorted(found) == sorted(joined_pairs(list(boxes), gap))


def detection(label: int, box: Box, score: float) -> sw.Detection:
    starts, stops = (tuple(ends) for ends in zip(*box, strict=True))
    if len(box) == 1:
        return sw.Detection(str(label), label, score, starts[0], stops[0])
    return sw.Detection(str(label), label, score, starts, stops)


def joined_pairs(boxes: list[tuple[int, Box]], gap: int) -> list[tuple[int, Box]]:
    """Any two that are near as one, again and again."""
    for (i, (k, a)), (j, (other, b)) in itertools.combinations(enumerate(boxes), 2):
        near = all(max(p[0], q[0]) - min(p[1], q[1]) <= gap for p, q in zip(a, b, strict=True))
        if k == other and near:
            box = tuple((min(p[0], q[0]), max(p[1], q[1])) for p, q in zip(a, b, strict=True))
            return joined_pairs([one for n, one in enumerate(boxes) if n not in (i, j)] + [(k, box)], gap)
    return boxes


class TestExtents:
    P = (0.9, 0, 0, 0, 0, 0, 0.8, 0.8, 0.8, 0, 0, 0, 0, 0, 0.7, 0.7)

    @pytest.mark.parametrize(
        ("extents", "expected"),
        [
            ({"min_extent": 5}, [(6, 12), (14, 19)]),
            ({"min_extent": 6}, [(6, 12)]),
            ({"max_extent": 5}, [(0, 4), (14, 19)]),
            ({"max_extent": 3}, []),
            ({"min_extent": 5, "max_extent": 5}, [(14, 19)]),
        ],
    )
    def test_durations(self, extents: dict[str, int], expected: list[tuple[int, int]]) -> None:
        assert spans(signal(self.P).detections(merge=0, **extents)) == expected

    def test_sizes_of_an_image(self) -> None:
        p = np.zeros((9, 9))
        p[0, 0:4] = p[5:9, 8] = 0.9
        scan = result([p], (2, 2), activation="probability")
        wide, tall = ((0, 0), (2, 5)), ((5, 8), (10, 10))
        assert spans(scan.detections(merge=0, min_extent=2)) == [wide, tall]
        assert spans(scan.detections(merge=0, min_extent=(3, 1))) == [tall]
        assert spans(scan.detections(merge=0, max_extent=(2, 9))) == [wide]
        assert scan.detections(merge=0, min_extent=3) == []

    def test_single_windows_too(self) -> None:
        assert signal(self.P).detections(min_extent=5) == []
        assert len(signal(self.P).detections(max_extent=4)) == 3


def test_a_signal_of_nothing() -> None:
    assert signal([0.0] * 9).detections(0.5, low=0.1, merge=3) == []
