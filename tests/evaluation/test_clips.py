"""Measures of clips against scikit-learn, and their intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score

import scanwise as sw
from scanwise.evaluation import bootstrap, measure_clips

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.integers(0, 2, (60, 3))
SCORES = np.clip(0.3 * TARGETS + RANDOM.uniform(0, 0.7, (60, 3)), 0, 1)
LABELS = ("a", "b", "c")


def test_measures_are_those_of_scikit_learn() -> None:
    measures = measure_clips(SCORES, TARGETS, LABELS, thresholds=(0.5, 0.4, 0.6), repeats=10)
    for k, (label, threshold) in enumerate(zip(measures.labels, (0.5, 0.4, 0.6), strict=True)):
        truth, found = TARGETS[:, k], SCORES[:, k] >= threshold
        assert label.positives == truth.sum()
        assert label.precision.value == pytest.approx(precision_score(truth, found))
        assert label.recall.value == pytest.approx(recall_score(truth, found))
        assert label.average_precision.value == pytest.approx(average_precision_score(truth, SCORES[:, k]))
        assert label.area.value == pytest.approx(roc_auc_score(truth, SCORES[:, k]))
    assert measures.average_precision.value == pytest.approx(average_precision_score(TARGETS, SCORES))
    assert measures.accuracy.value == pytest.approx(np.mean((SCORES >= [0.5, 0.4, 0.6]) == TARGETS))
    assert measures.clips == 60


def test_the_highest_score_is_the_answer_where_labels_exclude_each_other() -> None:
    truth = np.eye(3)[RANDOM.integers(0, 3, 40)]
    scores = RANDOM.uniform(0, 0.1, (40, 3))
    measures = measure_clips(scores, truth, LABELS, exclusive=True, repeats=10)
    assert measures.accuracy.value == pytest.approx(np.mean(scores.argmax(1) == truth.argmax(1)))


def test_intervals_hold_the_value_and_draw_whole_files() -> None:
    alone = measure_clips(SCORES, TARGETS, LABELS).accuracy
    assert alone.low < alone.value < alone.high
    # Every clip ten times, in a file with its copies: the same files are drawn, so nothing is more certain.
    again = measure_clips(
        np.repeat(SCORES, 10, axis=0),
        np.repeat(TARGETS, 10, axis=0),
        LABELS,
        files=np.repeat(np.arange(60), 10),
    ).accuracy
    assert (again.low, again.high) == pytest.approx((alone.low, alone.high))


def test_a_label_without_positives() -> None:
    measures = measure_clips([[0.9, 0.2]], [[1, 0]], ("a", "b"), repeats=5)
    assert math.isnan(measures.labels[1].recall.value)
    assert measures.average_precision.value == 1.0
    assert math.isnan(measures.average_precision.low)  # one file says nothing about others


@pytest.mark.parametrize(
    ("scores", "targets", "options", "error"),
    [
        ([0.5], [1], {}, sw.ShapeError),
        ([[0.5, 0.5]], [[1]], {}, sw.ShapeError),
        (np.zeros((0, 3)), np.zeros((0, 3)), {}, sw.ArgumentError),
        ([[0.5, 0.5, math.nan]], [[1, 0, 0]], {}, sw.ArgumentError),
        ([[0.5, 0.5, 0.5]], [[1, 0, 2]], {}, sw.ArgumentError),
        ([[0.5, 0.5, 0.5]], [[1, 0, 1]], {"files": ["a", "b"]}, sw.ShapeError),
    ],
)
def test_wrong_clips(scores: Any, targets: Any, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="must"):
        measure_clips(scores, targets, LABELS, **options)


def test_the_bootstrap_covers_what_it_says() -> None:
    random = np.random.default_rng(1)
    held = 0
    for trial in range(100):
        values = random.exponential(1.0, 40)

        def mean(drawn: NDArray[np.int64], values: NDArray[np.float64] = values) -> float:
            return float(values[drawn].mean())

        interval = bootstrap(mean, 40, level=0.9, repeats=200, seed=trial)
        held += interval.low <= 1.0 <= interval.high
    assert 80 <= held <= 97


@pytest.mark.parametrize("options", [{"level": 0.0}, {"level": 1.5}, {"repeats": 0}])
def test_wrong_draws(options: dict[str, Any]) -> None:
    with pytest.raises(sw.ArgumentError, match="must"):
        bootstrap(lambda drawn: 0.0, 3, **options)
    with pytest.raises(sw.ArgumentError, match="files"):
        bootstrap(lambda drawn: 0.0, 0)


def test_where_all_is_right_the_interval_follows_from_the_number_of_files() -> None:
    measured = measure_clips([[0.9]] * 30, [[1]] * 30, ["a"], repeats=10)
    assert measured.labels[0].recall.low == pytest.approx(0.05 ** (1 / 30))
    assert measured.accuracy.low == measured.all_right.low == measured.labels[0].recall.low
    assert np.isnan(measured.labels[0].area.value)
    # Both labels are told apart without an error: by 20 files of one kind and 10 of the other, in windows of two each.
    scores = np.repeat([[0.9, 0.1]] * 20 + [[0.2, 0.8]] * 10, 2, axis=0)
    perfect = measure_clips(scores, scores > 0.5, ["a", "b"], files=np.arange(60) // 2, repeats=50)
    for interval in (
        perfect.average_precision,
        *(m for a in perfect.labels for m in (a.average_precision, a.area)),
    ):
        assert interval.value == interval.high == 1.0
        assert interval.low == pytest.approx(0.05 ** (1 / 10))
