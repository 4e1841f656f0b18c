"""Detections matched with events, and what is measured of that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scanwise as sw
from scanwise.evaluation import Located, Overlap, Tolerance, match_events, measure_events

THERE = [Located("a", "bird", 1.0, 2.0), Located("a", "bird", 5.0, 6.0), Located("b", "frog", 0.5, 1.0)]


def test_each_event_is_found_once_by_the_highest_score() -> None:
    found = [
        Located("a", "bird", 1.1, 1.9, 0.6),
        Located("a", "bird", 0.9, 2.1, 0.9),
        Located("a", "frog", 5.0, 6.0, 0.8),  # another label
        Located("b", "bird", 5.0, 6.0, 0.7),  # another file
        Located("b", "frog", 1.0, 1.3, 0.5),  # its middle is 0.15 behind the end
    ]
    matches = match_events(found, THERE, Tolerance(0.2))
    assert [(m.detection.score, m.event) for m in matches] == [
        (0.9, THERE[0]),
        (0.8, None),
        (0.7, None),
        (0.6, None),
        (0.5, THERE[2]),
    ]


def test_the_nearest_event_is_taken() -> None:
    near = [Located("a", "bird", 0.0, 2.0), Located("a", "bird", 1.0, 2.0)]
    (match,) = match_events([Located("a", "bird", 1.2, 1.8, 0.9)], near, Tolerance(0.0))
    assert match.event == near[1]


@pytest.mark.parametrize(("stop", "hit"), [(3.0, True), (3.1, False)])
def test_overlap(stop: float, hit: bool) -> None:
    (match,) = match_events([Located("a", "bird", 1.0, stop, 0.9)], THERE[:1], Overlap(0.5))
    assert (match.event is not None) == hit


def test_boxes() -> None:
    there = [Located("i", "dot", (0.0, 0.0), (10.0, 10.0))]
    inside, beside = (
        Located("i", "dot", (0.0, 0.0), (10.0, 6.0), 0.9),
        Located("i", "dot", (11.0, 0.0), (13.0, 9.0)),
    )
    assert match_events([inside], there, Overlap(0.6))[0].event is not None
    assert match_events([inside], there, Overlap(0.61))[0].event is None
    assert match_events([beside], there, Tolerance(1.9))[0].event is None
    assert match_events([beside], there, Tolerance(2.0))[0].event is not None


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0.1, 2), st.floats(0.01, 1)), max_size=12), st.floats(0, 1)
)
def test_a_higher_threshold_has_the_same_matches(
    found: list[tuple[float, float, float]], threshold: float
) -> None:
    detections = [Located("a", "bird", start, start + long, score) for start, long, score in found]
    every = [m for m in match_events(detections, THERE, Tolerance(0.2)) if m.detection.score >= threshold]
    chosen = [d for d in detections if d.score >= threshold]
    assert every == match_events(chosen, THERE, Tolerance(0.2))


def test_measures() -> None:
    found = [
        Located("a", "bird", 1.0, 2.0, 0.9),
        Located("a", "bird", 3.0, 4.0, 0.8),
        Located("b", "frog", 0.5, 1.0, 0.7),
        Located("c", "frog", 0.5, 1.0, 0.3),
    ]
    amounts = {"a": 0.5, "b": 0.25, "c": 0.25}
    bird, frog, together = measure_events(
        found, THERE, amounts, ("bird", "frog"), rule=Tolerance(0.2), repeats=50
    )
    assert (bird.events, bird.hits, bird.false_alarms) == (2, 1, 1)
    assert (bird.precision.value, bird.recall.value, bird.f1.value) == (0.5, 0.5, 0.5)
    assert bird.false_alarm_rate.value == 1.0
    assert (frog.hits, frog.false_alarms, frog.recall.value) == (1, 0, 1.0)
    assert (together.label, together.events, together.hits, together.false_alarms) == (None, 3, 2, 1)
    assert frog.curve.at(0.0) == (1, 1)  # what lies below the threshold is in the curve
    assert bird.curve.positives == 2
    own = measure_events(
        found,
        THERE,
        amounts,
        ("bird", "frog"),
        rule=Tolerance(0.2),
        thresholds={"bird": 0.85, "frog": 0.2},
        repeats=50,
    )
    assert (own[0].false_alarms, own[1].false_alarms) == (0, 1)


def test_nothing_found_and_nothing_there() -> None:
    (bird, _) = measure_events([], [], {"a": 1.0}, ("bird",), rule=Tolerance(0.2), repeats=5)
    assert math.isnan(bird.precision.value)
    assert math.isnan(bird.recall.value)
    assert bird.false_alarm_rate.value == 0.0


@pytest.mark.parametrize(
    ("found", "amounts", "thresholds", "error"),
    [
        ([], {}, 0.5, sw.ArgumentError),
        ([], {"a": 0.0, "b": 0.0}, 0.5, sw.ArgumentError),
        ([], [1.0], 0.5, sw.ArgumentTypeError),
        ([], {"a": -1.0, "b": 1.0}, 0.5, sw.ArgumentError),
        ([Located("x", "bird", 0.0, 1.0)], {"a": 1.0, "b": 1.0}, 0.5, sw.ArgumentError),
        ([Located("a", "bird", 1.0, 0.5)], {"a": 1.0, "b": 1.0}, 0.5, sw.ArgumentError),
        ([Located("a", "bird", math.nan, 0.5)], {"a": 1.0, "b": 1.0}, 0.5, sw.ArgumentError),
        ([], {"a": 1.0, "b": 1.0}, {"frog": 0.5}, sw.ArgumentError),
    ],
)
def test_wrong_use(found: Any, amounts: Any, thresholds: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="must"):
        measure_events(found, THERE, amounts, ("bird",), rule=Tolerance(0.2), thresholds=thresholds)


@pytest.mark.parametrize(
    "rule", [lambda: Tolerance(-1), lambda: Tolerance(math.inf), lambda: Overlap(0), lambda: Overlap(1.5)]
)
def test_wrong_rules(rule: Any) -> None:
    with pytest.raises(sw.ArgumentError, match="must"):
        rule()


def test_boxes_of_numbers() -> None:
    np.testing.assert_array_equal(Located("a", "b", 1, 2).box, [[1, 2]])
    np.testing.assert_array_equal(Located("a", "b", (1, 2), (3, 4)).box, [[1, 3], [2, 4]])
