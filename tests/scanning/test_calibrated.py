"""Scans take the thresholds and the temperature that a model was calibrated to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.calibration import Calibration, Threshold
from scanwise.scanning.live import LiveDetections
from scanwise.scanning.probability import margins, probabilities

LABELS = ("bird", "frog")


def calibration(bird: float, frog: float | None = None, temperature: float = 1.0) -> Calibration:
    values = {"bird": bird} if frog is None else {"bird": bird, "frog": frog}
    return Calibration(
        tuple((k, Threshold(v, "precision", 0.9, 0.9, 0.8, 1.0, 0.95, 40.0)) for k, v in values.items()),
        temperature=temperature,
    )


@pytest.fixture(scope="module")
def model() -> sw.Model:
    net = sw.Sequential(sw.Conv1d(2, 4), sw.Aggregate("max"))
    made = sw.Model(net, (1, 8), seed=3, labels=LABELS)
    made.loss = "binary_cross_entropy"
    return made


@pytest.fixture(scope="module")
def signal() -> NDArray[np.float64]:
    return 2 * np.random.default_rng(0).standard_normal((1, 300))


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
def test_every_way_of_detecting_uses_them(model: sw.Model, signal: NDArray[np.float64], loss: str) -> None:
    own = model.copy()
    own.loss = loss
    plain = sw.scan(own, signal).detections({"bird": 0.8, "frog": 0.6})
    own.calibration = calibration(0.8, 0.6)
    result = sw.scan(own, signal)
    assert plain
    assert {found.label for found in plain} == set(LABELS)
    assert result.detections() == plain == sw.detect(own, signal).detections
    live = LiveDetections(own, 1)
    assert [*live.feed(result.scores), *live.flush()] == plain
    assert result.detections(0.5) == sw.scan(model if loss == model.loss else own, signal).detections(0.5)


def test_a_label_without_one_keeps_one_half(model: sw.Model, signal: NDArray[np.float64]) -> None:
    own = model.copy()
    own.calibration = calibration(0.9)
    assert sw.detect(own, signal).detections == sw.detect(model, signal, threshold={"bird": 0.9}).detections
    own.parameters["0.bias"] = own.parameters["0.bias"]
    assert sw.detect(own, signal).detections == sw.detect(model, signal, threshold=0.5).detections


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
def test_higher_thresholds_find_a_part_of_what_lower_ones_do(
    model: sw.Model, signal: NDArray[np.float64], loss: str
) -> None:
    own = model.copy()
    own.loss = loss
    result = sw.scan(own, signal)
    lowest = result.detections(0.01)
    for bird, frog in ((0.9, 0.3), (0.4, 0.8), (0.6, 0.6)):
        least = {"bird": bird, "frog": frog}
        wanted = [found for found in lowest if found.score >= least[found.label]]
        assert result.detections(least) == wanted


def test_joined_events_reach_their_own_threshold(model: sw.Model, signal: NDArray[np.float64]) -> None:
    result = sw.scan(model, signal)
    least = {"bird": 0.95, "frog": 0.6}
    every = result.detections(0.5, low=0.5)
    assert result.detections(least, low=0.5) == [
        found for found in every if found.score >= least[found.label]
    ]


def test_low_is_at_most_every_threshold(model: sw.Model, signal: NDArray[np.float64]) -> None:
    own = model.copy()
    own.calibration = calibration(0.9, 0.3)
    with pytest.raises(sw.ArgumentError, match=r"low must be at most threshold of 'frog', 0\.3\. Got 0\.4"):
        sw.detect(own, signal, low=0.4)
    assert sw.detect(own, signal, low=0.3).detections


@pytest.mark.parametrize(
    ("threshold", "error", "text"),
    [
        (
            {"wren": 0.5},
            sw.ArgumentError,
            r"threshold must be of labels of the model \(bird, frog\). Got 'wren'",
        ),
        ({"bird": 1.5}, sw.ArgumentError, "threshold of 'bird' must be between 0 and 1. Got 1.5"),
        ({"bird": "0.5"}, sw.ArgumentTypeError, "threshold of 'bird' must be a number. Got '0.5'"),
        ({"bird": 10**400}, sw.ArgumentError, "threshold of 'bird' must be between 0 and 1. Got 10000"),
        ("0.5", sw.ArgumentTypeError, "threshold must be a number. Got '0.5'"),
    ],
)
def test_thresholds_that_are_none(
    model: sw.Model, signal: NDArray[np.float64], threshold: object, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        sw.detect(model, signal, threshold=threshold)  # type: ignore[arg-type]


def test_a_temperature_changes_probabilities_and_no_score(
    model: sw.Model, signal: NDArray[np.float64]
) -> None:
    own = model.copy()
    own.calibration = calibration(0.5, temperature=2.0)
    plain, cooled = sw.scan(model, signal), sw.scan(own, signal)
    assert plain.scores.tobytes() == cooled.scores.tobytes()
    z = plain.scores.max(axis=1).astype(np.float64)
    np.testing.assert_allclose(cooled.presence, 1 / (1 + np.exp(-z / 2)))
    np.testing.assert_array_equal(sw.detect(own, signal).presence, cooled.presence)
    assert [found.start for found in cooled.detections(0.5)] == [
        found.start for found in plain.detections(0.5)
    ]


def test_softmax_at_a_temperature() -> None:
    scores = np.array([[2.0], [0.0], [-2.0]], np.float32)
    p = probabilities(scores, "softmax", 2.0)
    np.testing.assert_allclose(p[:, 0], np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum())
    np.testing.assert_allclose(margins(scores, "softmax", 2.0), np.log(p / (1 - p)))
    np.testing.assert_array_equal(probabilities(scores, "probability", 2.0), scores)
