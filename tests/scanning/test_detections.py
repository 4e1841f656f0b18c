"""Presence and detections: from scores to what was found where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.scanning import search
from scanwise.scanning.detection import Candidates, plateaus
from scanwise.scanning.grid import Axis
from scanwise.scanning.probability import activation_of, exclusive, margins, probabilities
from scanwise.scanning.reading import Reading
from scanwise.scanning.search import Search
from scanwise.scanning.selection import Selection


def result(
    scores: Any, window: int | tuple[int, ...] = 4, step: int = 1, activation: str = "softmax", **changes: Any
) -> sw.ScanResult:
    """A scan with given scores."""
    scores = np.asarray(scores, np.float32)
    windows = (window,) if isinstance(window, int) else window
    axes = tuple(Axis((n - 1) * step + w, w, step, 1) for n, w in zip(scores.shape[1:], windows, strict=True))
    facts: dict[str, Any] = {"labels": None, "background": None, "sample_rate": None}
    facts |= {"exclusive": activation == "softmax", **changes}
    coverage = sw.Coverage.of(axes)
    return sw.ScanResult(scores, axes, coverage, "shared", "", activation=activation, **facts)


def bumps(places: dict[int, float], n: int = 40) -> NDArray[np.float64]:
    """A logit that is -6 but for a peak of the given height, three windows wide, at each place."""
    z = np.full(n, -6.0)
    for place, height in places.items():
        z[place - 1 : place + 2] = height - 1
        z[place] = height
    return z


class TestPresence:
    def test_is_the_largest_probability_of_any_window(self) -> None:
        found = result([[0, 2, 0], [0, 0, 1]]).presence
        np.testing.assert_allclose(found, [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))], rtol=1e-6)

    def test_of_independent_labels(self) -> None:
        found = result([[0, 2, 0], [0, 0, 1]], activation="sigmoid").presence
        np.testing.assert_allclose(found, 1 / (1 + np.exp([-2, -1])), rtol=1e-6)

    def test_of_probabilities(self) -> None:
        np.testing.assert_array_equal(result([[0.25, 0.5]], activation="probability").presence, [0.5])

    def test_of_an_image(self) -> None:
        scores = np.zeros((2, 3, 4))
        scores[1, 2, 3] = 5
        np.testing.assert_allclose(result(scores, (4, 4)).presence, [0.5, 1 / (1 + np.exp(-5))], rtol=1e-6)


class TestDetections:
    def test_one_for_each_bump_at_its_peak(self) -> None:
        z = bumps({5: 3, 20: 6})
        found = result([np.zeros_like(z), z], labels=("no", "yes"), background="no").detections()
        assert [(d.label, d.index, d.start, d.stop) for d in found] == [("yes", 1, 5, 9), ("yes", 1, 20, 24)]
        assert found[0].score == pytest.approx(1 / (1 + np.exp(-3)))

    def test_threshold(self) -> None:
        z = bumps({5: 3, 20: 6})
        scan = result([np.zeros_like(z), z], labels=("no", "yes"), background="no")
        assert [d.start for d in scan.detections(0.99)] == [20]
        assert scan.detections(0.999) == []

    def test_starts_are_in_samples(self) -> None:
        z = bumps({5: 3})
        found = result([np.zeros_like(z), z], 40, 10, labels=("no", "yes"), background="no", sample_rate=20.0)
        assert [(d.start, d.stop, d.seconds, d.box) for d in found.detections()] == [
            (50, 90, (2.5, 4.5), (50, 90))
        ]

    def test_without_names_labels_are_numbers(self) -> None:
        found = result([bumps({5: 9}), np.zeros(40)]).detections(0.9)
        assert [(d.label, d.start) for d in found if d.index == 0] == [("0", 5)]

    def test_saturated_probabilities_still_compare(self) -> None:
        # All three round to 1; the peak is in the middle.
        z = np.full(9, -50.0)
        z[3:6] = [60, 90, 60]
        found = result([np.zeros(9), z], labels=("none", "x"), background="none").detections()
        assert [d.start for d in found] == [4]

    def test_exclusive_labels_compete_and_independent_ones_do_not(self) -> None:
        one, two = np.full(40, -6.0), np.full(40, -6.0)
        one[10], two[11] = 3, 4
        rest = np.zeros(40)
        softmax = result([one, two, rest], labels=("a", "b", "none"), background="none")
        assert [(d.label, d.start) for d in softmax.detections()] == [("b", 11)]
        sigmoid = result(
            [one, two, rest - 9], activation="sigmoid", labels=("a", "b", "none"), background="none"
        )
        assert [(d.label, d.start) for d in sigmoid.detections()] == [("a", 10), ("b", 11)]

    def test_overlap(self) -> None:
        # Windows of 4 at distance 2 share 2 of 6; at distance 3, 1 of 7.
        z = np.full(20, -6.0)
        z[[5, 7, 10]] = [5, 4, 3]
        scan = result([np.zeros(20), z], labels=("none", "x"), background="none")
        assert [d.start for d in scan.detections()] == [5, 10]
        assert [d.start for d in scan.detections(overlap=0.4)] == [5, 7, 10]
        assert [d.start for d in scan.detections(overlap=0.0)] == [5, 10]
        z[8] = 4.5
        scan = result([np.zeros(20), z], labels=("none", "x"), background="none")
        assert [d.start for d in scan.detections(overlap=0.0)] == [5, 10]
        assert [d.start for d in scan.detections(overlap=0.13)] == [5, 10]
        assert [d.start for d in scan.detections(overlap=0.15)] == [5, 8]

    def test_images(self) -> None:
        scores = np.full((2, 12, 14), -8.0)
        scores[0] = 0
        scores[1, 2, 3] = 5
        scores[1, 3, 4] = 4
        scores[1, 9, 3] = 3
        found = result(scores, (4, 5), labels=("none", "x"), background="none").detections()
        assert [(d.start, d.stop, d.box) for d in found] == [
            ((2, 3), (6, 8), (2, 3, 6, 8)),
            ((9, 3), (13, 8), (9, 3, 13, 8)),
        ]
        assert found[0].seconds is None

    def test_brute_force(self) -> None:
        random = np.random.default_rng(0)
        scores = random.normal(0, 3, (3, 13, 17)).astype(np.float32)
        scan = result(scores, (5, 3), labels=("a", "none", "b"), background="none")
        p, rank = probabilities(scores, "softmax"), margins(scores, "softmax")
        boxes = [(k, y, x) for k in (0, 2) for y in range(13) for x in range(17) if p[k, y, x] >= 0.5]
        kept: list[tuple[int, int, int]] = []
        for k, y, x in sorted(boxes, key=lambda box: -rank[box]):
            if all(_overlap(abs(y - b), abs(x - c), 5, 3) <= 0.2 for _, b, c in kept):
                kept.append((k, y, x))
        assert [(d.start, d.index) for d in scan.detections()] == sorted(((y, x), k) for k, y, x in kept)

    @pytest.mark.parametrize("overlap", [0.0, 0.2, 0.9])
    @pytest.mark.parametrize("length", [1, 2, 8, 9])
    def test_a_plateau_is_one_detection_in_its_middle(self, length: int, overlap: float) -> None:
        """As from a network that ends in a maximum: every window of 10 that holds an event of 2 scores the same."""
        z = np.full(40, -6.0)
        z[11 : 11 + length] = 4.0
        z[30:33] = 4.0  # another event with the same score
        scan = result([np.zeros(40), z], 10, labels=("none", "x"), background="none")
        assert [d.start for d in scan.detections(overlap=overlap)] == [11 + (length - 1) // 2, 31]

    def test_a_plateau_at_an_end(self) -> None:
        z = np.full(40, -6.0)
        z[:5] = z[36:] = 4.0
        scan = result([np.zeros(40), z], 10, labels=("none", "x"), background="none")
        assert [d.start for d in scan.detections()] == [2, 37]

    def test_a_plateau_of_an_image(self) -> None:
        scores = np.full((2, 30, 40), -8.0)
        scores[0] = 0
        scores[1, 3:12, 5:16] = 5
        scores[1, 20:27, 5:14] = 5
        found = result(scores, (10, 12), labels=("none", "x"), background="none").detections()
        assert [d.start for d in found] == [(7, 10), (23, 9)]

    def test_equal_neighbours_of_other_labels_are_no_plateau(self) -> None:
        one, two = np.full(20, -6.0), np.full(20, -6.0)
        one[4:7], two[7:10] = 4.0, 4.0
        rest = np.zeros(20) - 9
        scan = result([one, two, rest], activation="sigmoid", labels=("a", "b", "none"), background="none")
        assert [(d.label, d.start) for d in scan.detections()] == [("a", 5), ("b", 8)]

    def test_one_event_of_a_network_that_ends_in_a_maximum(self) -> None:
        net = sw.Sequential(sw.Conv1d(1, 3), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2))
        model = sw.Model(net, (1, 20), labels=("none", "x"))
        model.parameters = {
            "0.weight": np.ones((1, 1, 3)), "0.bias": [-2.5], "3.weight": [[0.0], [20.0]], "3.bias": [0.0, -5.0],
        }  # fmt: skip
        signal = np.zeros((1, 100), np.float32)
        signal[0, 50:53] = 1.0
        (found,) = sw.scan(model, signal).detections()
        assert (found.label, found.start) == ("x", 41)  # 33 to 50 hold the event

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"threshold": -0.1}, sw.ArgumentError, "threshold must be between 0 and 1. Got -0.1"),
            ({"threshold": 1.1}, sw.ArgumentError, "threshold must be between 0 and 1. Got 1.1"),
            ({"threshold": float("nan")}, sw.ArgumentError, "threshold must be between 0 and 1. Got nan"),
            ({"threshold": "high"}, sw.ArgumentTypeError, "threshold must be a number. Got 'high'"),
            ({"overlap": 2}, sw.ArgumentError, "overlap must be between 0 and 1. Got 2"),
            ({"low": 0.6}, sw.ArgumentError, "low must be at most threshold, 0.5. Got 0.6"),
            ({"low": -1}, sw.ArgumentError, "low must be between 0 and 1. Got -1"),
            ({"low": float("nan")}, sw.ArgumentError, "low must be between 0 and 1. Got nan"),
            ({"low": "0"}, sw.ArgumentTypeError, "low must be a number. Got '0'"),
            ({"merge": -1}, sw.ArgumentError, "merge must be at least 0. Got -1"),
            ({"merge": 1.5}, sw.ArgumentTypeError, "merge must be a whole number. Got 1.5"),
            ({"merge": (1, 2)}, sw.ArgumentTypeError, r"merge must be a whole number. Got \(1, 2\)"),
            ({"min_extent": 0}, sw.ArgumentError, "min_extent must be at least 1. Got 0"),
            ({"max_extent": True}, sw.ArgumentTypeError, "max_extent must be a whole number. Got True"),
        ],
    )
    def test_bad_arguments(self, options: dict[str, Any], error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            result([[0.0, 1.0]]).detections(**options)

    def test_outputs_that_are_values_take_any_threshold(self) -> None:
        scan = result([[1.0, 7.0, 1.0]], activation="value")
        assert [d.start for d in scan.detections(5)] == [1]


class TestProbabilities:
    @pytest.mark.parametrize(
        ("last", "loss", "activation", "competes"),
        [
            ((), None, "softmax", True),
            ((), "cross_entropy", "softmax", True),
            ((), "binary_cross_entropy", "sigmoid", False),
            ((), "mse", "value", False),
            ((sw.Softmax(),), None, "probability", True),
            ((sw.Dropout(0.5), sw.Softmax(), sw.Dropout(0.5)), "cross_entropy", "probability", True),
            ((sw.Sigmoid(),), "binary_cross_entropy", "probability", False),
        ],
    )
    def test_how_a_model_is_read(self, last: Any, loss: str | None, activation: str, competes: bool) -> None:
        model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(3), *last), (1, 4), backend="reference")
        model.loss = loss
        assert (activation_of(model), exclusive(model)) == (activation, competes)

    def test_aggregates_and_single_outputs(self) -> None:
        def read(*layers: Any) -> tuple[str, bool]:
            model = sw.Model(sw.Sequential(*layers), (1, 4), backend="reference")
            return activation_of(model), exclusive(model)

        assert read(sw.Conv1d(3, 2), sw.Aggregate("softmax")) == ("probability", True)
        assert read(sw.Conv1d(3, 2), sw.Sigmoid(), sw.Aggregate("max")) == ("probability", False)
        assert read(sw.Conv1d(3, 2), sw.Softmax(), sw.Aggregate("logsumexp")) == ("softmax", True)
        assert read(sw.Conv1d(1, 4), sw.Flatten()) == ("sigmoid", False)

    def test_extreme_scores_stay_finite(self) -> None:
        z = np.array([[1e30, -1e30], [0, 0], [-1e30, 1e30]], np.float32)
        for activation in ("softmax", "sigmoid"):
            p = probabilities(z, activation)
            assert np.isfinite(p).all()
            assert ((p >= 0) & (p <= 1)).all()
        assert np.isfinite(margins(z, "softmax")).all()


@given(
    shape=st.sampled_from([(40,), (200,), (9, 14)]),
    window=st.integers(1, 12),
    step=st.integers(1, 5),
    overlap=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    exclusive=st.booleans(),
    seed=st.integers(0, 999),
)
def test_only_candidates_are_held_and_the_result_is_that_of_a_whole_grid(
    shape: tuple[int, ...], window: int, step: int, overlap: float, exclusive: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(-3, 4, (3, *shape)).astype(np.float32)  # whole numbers make plateaus
    windows = (window,) * len(shape)
    scan = result(scores, windows, step, "softmax" if exclusive else "sigmoid")
    p, rank = probabilities(scores, scan.activation), margins(scores, scan.activation)
    label, *place = np.nonzero(p >= 0.5)
    places = np.stack(place, axis=1)
    candidates = Candidates(label, places, p[(label, *place)], rank[(label, *place)])
    kept = _on_a_grid(candidates, shape, windows, step, overlap, exclusive)
    expected = sorted((tuple(places[i] * step), label[i], p[(label[i], *places[i])]) for i in kept)
    found = scan.detections(overlap=overlap)
    assert [(tuple(np.atleast_1d(d.start)), d.index, d.score) for d in found] == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_UNDECIDED", 4)
        pieces = Search(scan_reading(scan), Selection(0.5, overlap), scan.axes)
        for row in range(0, shape[0], 3):
            pieces.add([row, *(0 for _ in shape[1:])], scores[:, row : row + 3])
        assert pieces.found(scan.axes) == found


def scan_reading(scan: sw.ScanResult) -> Reading:
    return scan.reading


def test_a_plateau_without_end_is_decided_as_it_passes() -> None:
    """As of silence for which a model speaks: memory follows what is found."""
    axis = Axis(10**6, 100, 1, 1)
    pieces = Search(Reading(None, None, None, "sigmoid", False, (0.5,)), Selection(0.5, 0.2), (axis,))
    scores, most = np.full((1, 1000), 2.0, np.float32), 0
    for first in range(0, axis.count - 999, 1000):
        pieces.add([first], scores)
        most = max(most, len(pieces._held))
    starts = [found.start for found in pieces.found((axis,))]
    assert most < 2000
    assert len(starts) > 10**6 // 200
    whole = result(np.full((1, 5000), 2.0), 100, activation="sigmoid").detections()
    assert [found.start for found in whole][:20] == starts[:20]


def _on_a_grid(
    candidates: Candidates, counts: tuple[int, ...], window: Any, step: int, overlap: float, exclusive: bool
) -> list[int]:
    """Non-maximum suppression that strikes places out of a grid of all windows."""
    axes = [Axis((n - 1) * step + w, w, step, 1) for n, w in zip(counts, window, strict=True)]
    first, last = plateaus(candidates, axes)
    aside = np.abs(2 * candidates.place - first - last).sum(axis=1)
    order = np.lexsort((*candidates.place.T[::-1], candidates.label, aside, -candidates.rank))
    struck = np.zeros((3, *counts), bool)
    grid = np.moveaxis(np.indices(counts), 0, -1)
    kept = []
    for i in order:
        place, layer = candidates.place[i], 0 if exclusive else candidates.label[i]
        if struck[(layer, *place)]:
            continue
        kept.append(int(i))
        shared = np.maximum(0, window - np.abs(grid - place) * step).prod(axis=-1)
        half = np.array(window) // 2 // step
        low, high = np.maximum(first[i], place - half), np.minimum(last[i], place + half)
        struck[layer] |= shared / (2.0 * np.prod(window) - shared) > overlap
        struck[layer] |= ((grid >= low) & (grid <= high)).all(axis=-1)
    return kept


def _overlap(dy: int, dx: int, height: int, width: int) -> float:
    shared = max(0, height - dy) * max(0, width - dx)
    return shared / (2 * height * width - shared)


class TestEndToEnd:
    def test_a_trained_detector_finds_hidden_patterns(self) -> None:
        random = np.random.default_rng(0)
        shape = np.array([0, 1, -1, 2, -2, 1, -1, 0.0])
        x = 0.2 * random.standard_normal((120, 1, 8))
        y = np.arange(120) % 2
        x[y == 1] += shape
        x[::4] = 0.2 * random.standard_normal((30, 1, 8)) + np.roll(
            shape, 3
        )  # near misses are background, too
        model = sw.Model(
            sw.Sequential(sw.Conv1d(4, 3), sw.ReLU(), sw.Flatten(), sw.Linear(2)),
            (1, 8),
            backend="reference",
            labels=("background", "blip"),
        )
        sw.fit(model, x, y, epochs=30, batch_size=12, optimizer=sw.AdamW(0.02))
        signal = 0.2 * random.standard_normal((1, 400))
        places = [3, 77, 150, 390]
        for place in places:
            signal[0, place : place + 8] += shape
        scan = sw.scan(model, signal)
        assert [(d.label, d.start) for d in scan.detections(0.9)] == [("blip", place) for place in places]
        assert scan.presence[1] > 0.9
        assert sw.scan(model, signal[:, 10:70]).presence[1] < 0.9
