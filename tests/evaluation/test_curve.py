"""Curves of hits and false alarms against scikit-learn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

import scanwise as sw
from scanwise.evaluation import Curve

answers = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=2, max_size=30
)


@given(answers)
def test_measures_are_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, right = (np.array(each) for each in zip(*pairs, strict=True))
    curve = Curve.of(scores, right)
    if right.any():
        assert curve.average_precision == pytest.approx(average_precision_score(right, scores))
    else:
        assert math.isnan(curve.average_precision)
    if 0 < right.sum() < len(right):
        assert curve.area == pytest.approx(roc_auc_score(right, scores))
    else:
        assert math.isnan(curve.area)


@given(answers, st.floats(-1, 2))
def test_counts_at_any_threshold(pairs: list[tuple[float, bool]], threshold: float) -> None:
    scores, right = (np.array(each) for each in zip(*pairs, strict=True))
    found = scores >= threshold
    expected = int((found & right).sum()), int((found & ~right).sum())
    assert Curve.of(scores, right).at(threshold) == expected


def test_what_nothing_answers_to_is_missed() -> None:
    curve = Curve.of([0.9], [True], missed=3, negatives=-1)
    assert curve.recall.tolist() == [0.0, 0.25]
    assert curve.average_precision == 0.25
    assert math.isnan(curve.area)


@pytest.mark.parametrize("positives", range(1, 60))
def test_a_perfect_separation_has_exactly_1(positives: int) -> None:
    curve = Curve.of(np.linspace(1, 0, positives + 3), np.arange(positives + 3) < positives)
    assert (curve.average_precision, curve.area) == (1.0, 1.0)


def test_trade_off() -> None:
    curve = Curve.of([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, True, False], missed=1, negatives=-1)
    assert curve.trade_off(2.0) == [(0.9, 0.75, 0.0), (0.6, 0.25, 0.5), (0.5, 0.25, 1.0)]
    many = Curve.of(np.linspace(1, 0, 5000), np.arange(5000) % 3 == 0, negatives=-1).trade_off(1.0, most=20)
    assert len(many) <= 20
    assert [row[2] for row in many] == sorted(row[2] for row in many)
    assert many[-1][2] == 3333


def test_nothing_at_all() -> None:
    curve = Curve.of([], np.zeros(0, bool), missed=2)
    assert curve.at(0.0) == (0, 0)
    assert curve.average_precision == 0.0


@pytest.mark.parametrize(
    ("scores", "right", "options", "error"),
    [
        ([[0.5]], [[True]], {}, sw.ShapeError),
        ([0.5], [True, False], {}, sw.ShapeError),
        ([math.nan], [True], {}, sw.ArgumentError),
        ([0.5], [2], {}, sw.ArgumentTypeError),
        ([0.5], [0.5], {}, sw.ArgumentTypeError),
        ([0.5], [1], {"missed": -1}, sw.ArgumentError),
    ],
)
def test_wrong_answers(scores: Any, right: Any, options: dict[str, int], error: type[Exception]) -> None:
    with pytest.raises(error, match="must"):
        Curve.of(scores, right, **options)


def test_an_amount_must_be_positive() -> None:
    with pytest.raises(sw.ArgumentError, match="amount must be positive"):
        Curve.of([0.5], [True]).trade_off(0.0)
