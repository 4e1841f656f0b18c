"""Thresholds for a rate of false alarms or a precision, and whether they keep what they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.evaluation import threshold_for_false_alarms, threshold_for_precision


def false_alarms(random: np.random.Generator, hours: int, burst: float) -> list[Any]:
    """Scores of the false alarms of so many files of an hour each; in bursts, files differ more than by chance."""
    rates = random.gamma(1 / burst, 20 * burst, hours) if burst else np.full(hours, 20.0)
    return [random.uniform(0, 1, random.poisson(rate)) for rate in rates]


@pytest.mark.parametrize("burst", [0.0, 0.5])
def test_measured_rates_lie_in_the_interval(burst: float) -> None:
    held, rates = 0, []
    for seed in range(100):
        random = np.random.default_rng(seed)
        threshold = threshold_for_false_alarms(false_alarms(random, 30, burst), np.ones(30), 1.0)
        fresh = false_alarms(random, 20, burst)
        measured = sum(int((scores >= threshold.value).sum()) for scores in fresh) / 20
        low, high = threshold.predicted(20.0)
        held += low <= measured <= high
        rates.append(20 * (1 - threshold.value))  # the true rate
    assert held >= 90
    assert np.mean(rates) == pytest.approx(1.0, abs=0.1)


def test_a_threshold_lies_above_the_score_that_would_be_too_many() -> None:
    threshold = threshold_for_false_alarms([[0.9, 0.8, 0.7, 0.6]], [3.0], 1.0)
    assert 0.7 < threshold.value < 0.7 + 1e-9
    assert (threshold.expected, threshold.amount, threshold.kind) == (1.0, 3.0, "false alarms")
    assert threshold.low < 1.0 < threshold.high


def test_few_false_alarms_lower_it_to_the_floor() -> None:
    threshold = threshold_for_false_alarms([[0.9], []], [5.0, 5.0], 1.0, floor=0.25)
    assert threshold.value == 0.25
    assert threshold.expected == 0.2
    assert threshold_for_false_alarms([[0.2] * 50], [10.0], 1.0, floor=0.25).value == 0.25


def test_too_little_data_supports_no_promise() -> None:
    with pytest.raises(sw.DataError, match=r"at least 3 units of data.*Got 2\.5"):
        threshold_for_false_alarms([[0.9]], [2.5], 1.0)
    with pytest.raises(sw.DataError, match="at least 30 units"):
        threshold_for_false_alarms([[0.9]], [10.0], 0.1)


def test_files_that_differ_widen_the_interval() -> None:
    scores = np.linspace(0.5, 0.9, 12)
    even = threshold_for_false_alarms(list(scores.reshape(2, 6).T), np.ones(6), 1.0)
    burst = threshold_for_false_alarms([scores, *([[]] * 5)], np.ones(6), 1.0)
    assert even.dispersion == 1.0
    assert burst.dispersion > 1.0
    assert burst.high - burst.low > even.high - even.low


def test_precision() -> None:
    random = np.random.default_rng(0)
    scores = random.uniform(0, 1, 400)
    right = random.uniform(0, 1, 400) < scores
    threshold = threshold_for_precision(scores, right, 0.8)
    found = scores >= threshold.value
    assert right[found].mean() >= 0.8
    lower = scores >= np.sort(scores[scores < threshold.value])[-1]
    assert right[lower].mean() < 0.8
    assert threshold.low < threshold.expected < threshold.high
    assert threshold.amount == found.sum()


def test_a_precision_that_cannot_be_promised() -> None:
    with pytest.raises(sw.DataError, match=r"Got at most 0\.5"):
        threshold_for_precision([0.9, 0.8], [False, True], 0.9)
    with pytest.raises(sw.DataError, match="at least 60 answers"):
        threshold_for_precision(np.linspace(0, 1, 20), np.ones(20, bool), 0.95)


@pytest.mark.parametrize(
    ("scores", "amounts", "rate", "options"),
    [
        ([[0.5]], [1.0, 2.0], 1.0, {}),
        ([], [], 1.0, {}),
        ([[0.5]], [0.0], 1.0, {}),
        ([[0.5]], [math.inf], 1.0, {}),
        ([[math.nan]], [5.0], 1.0, {}),
        ([[0.5]], [5.0], 0.0, {}),
        ([[0.5]], [5.0], 1.0, {"level": 1.0}),
    ],
)
def test_wrong_use(scores: Any, amounts: Any, rate: float, options: dict[str, Any]) -> None:
    with pytest.raises(sw.ArgumentError, match="must"):
        threshold_for_false_alarms(scores, amounts, rate, **options)


def test_only_rates_are_predicted() -> None:
    threshold = threshold_for_precision(np.linspace(0, 1, 100), np.ones(100, bool), 0.9)
    with pytest.raises(sw.ArgumentError, match="kind must be"):
        threshold.predicted(1.0)
    with pytest.raises(sw.ArgumentError, match="amount must be"):
        threshold_for_false_alarms([[0.5] * 9], [5.0], 1.0).predicted(0.0)
    with pytest.raises(sw.ArgumentError, match="precision"):
        threshold_for_precision([0.5], [1], 1.0)
