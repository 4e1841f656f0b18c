"""Detections of a stream are those of the scan, told as early as they are certain."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.scanning.grid import Axis, Coverage
from scanwise.scanning.live import LiveDetections
from scanwise.scanning.probability import activation_of, exclusive

WINDOW = 12


def model_for(labels: int, *, several: bool, background: bool = False) -> sw.Model:
    net = sw.Sequential(sw.Conv1d(labels, 3), sw.Aggregate("max"))
    names = [*(["none"] if background else []), *"abcdefghijkl"][:labels]
    model = sw.Model(net, (1, WINDOW), labels=names, sample_rate=100.0, backend="reference")
    model.loss = "binary_cross_entropy" if several else None
    return model


def detections_of(
    model: sw.Model, scores: NDArray[np.float32], step: int, threshold: float
) -> list[sw.Detection]:
    """As a scan tells them."""
    axis = Axis(WINDOW + step * (scores.shape[1] - 1), WINDOW, step, 1)
    result = sw.ScanResult(
        scores=scores,
        axes=(axis,),
        coverage=Coverage.of((axis,)),
        method="",
        reason="",
        labels=model.labels,
        background=model.background,
        sample_rate=model.sample_rate,
        activation=activation_of(model),
        exclusive=exclusive(model),
    )
    return result.detections(threshold)


@st.composite
def drawn_scores(draw: st.DrawFn, labels: int) -> NDArray[np.float32]:
    """Few different values, so that there are many equals, and runs of them; or all different."""
    runs = draw(st.lists(st.tuples(st.integers(1, 14), st.integers(0, 10_000)), min_size=1, max_size=20))
    columns = []
    for length, seed in runs:
        generator = np.random.default_rng(seed)
        if seed % 2:
            columns.append(np.repeat(1.0 * generator.integers(-3, 4, (labels, 1)), length, axis=1))
        else:
            columns.append(generator.standard_normal((labels, length)) * 3)
    return np.concatenate(columns, axis=1).astype(np.float32)


@settings(max_examples=300)
@given(
    st.data(),
    st.sampled_from([1, 2, 3, 12]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2, 3, 5, 11, 30]),
)
def test_they_are_the_scan_s(
    data: st.DataObject, labels: int, several: bool, background: bool, step: int
) -> None:
    model = model_for(labels, several=several, background=background)
    scores = data.draw(drawn_scores(labels))
    threshold = data.draw(st.sampled_from([0.0, 0.3, 0.5, 0.9]))
    live = LiveDetections(model, step, threshold)
    cuts = sorted(data.draw(st.lists(st.integers(0, scores.shape[1]), max_size=30)))
    found: list[sw.Detection] = []
    for a, b in zip([0, *cuts], [*cuts, scores.shape[1]], strict=True):
        found += live.feed(scores[:, a:b])
    found += live.flush()
    expected = detections_of(model, scores, step, threshold)
    assert sorted(found, key=lambda d: (d.start, d.index)) == expected


def fed(live: LiveDetections, values: list[float]) -> list[list[int]]:
    """The starts that are told with each window."""
    told = [live.feed(np.array([[0.0], [v]], np.float32)) for v in values]
    return [[int(found.start) for found in each if isinstance(found.start, int)] for each in told]


def test_told_when_the_last_overlapping_window_has_come() -> None:
    """Windows of 12 samples, 2 apart: those within 3 of each other overlap too much."""
    live = LiveDetections(model_for(2, several=False, background=True), 2)
    told = fed(live, [-9, 1, 5, 2, -9, -9, -9, -9])
    assert told == [[], [], [], [], [], [4], [], []]


def test_a_run_of_equals_waits_for_its_end() -> None:
    live = LiveDetections(model_for(2, several=False, background=True), 2)
    told = fed(live, [-9, 3, 3, 3, 3, 3, -9, -9, -9])
    assert told == [[], [], [], [], [], [], [6], [], []]


def test_weaker_ones_wait_for_stronger_ones() -> None:
    live = LiveDetections(model_for(2, several=False, background=True), 2)
    told = fed(live, [1, 0.1, 0.1, 2, 0.1, 0.1, 3, -9, -9, -9, -9])
    assert [starts for starts in told if starts] == [[0, 12]]


def test_what_is_kept_does_not_grow() -> None:
    live = LiveDetections(model_for(2, several=True), 1, 0.3)
    generator = np.random.default_rng(0)
    for _ in range(100):
        live.feed(generator.standard_normal((2, 50)).astype(np.float32))
        assert len(live._search._held) < 100


def test_nothing() -> None:
    live = LiveDetections(model_for(2, several=False), 2)
    assert live.feed(np.empty((2, 0), np.float32)) == []
    assert live.flush() == []
