"""Loss kernels against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise.codegen.jit import Kernel
from scanwise.kernels.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from scanwise.reference.loss import (
    binary_cross_entropy_of_probabilities,
    cross_entropy_of_probabilities,
    loss,
)
from tests.kernels import harness
from tests.kernels.harness import Float32

TOLERANCE = 3e-6
CHANNELS = st.sampled_from([1, 2, 3, 4, 5, 10, 16, 17, 33])


def evaluate(kernel: Kernel, y: Float32, target: NDArray[Any]) -> tuple[float, float, Float32]:
    """(sum of the losses, number right, gradient of the mean loss), added to statistics that are not zero."""
    samples, channels = y.shape
    extent = harness.bordered(channels, 1, 1)
    gradient = harness.output(extent, samples)
    statistics = np.array([1, 2], np.float32)
    scale = np.array([1 / samples], np.float32)
    harness.call(kernel, samples, harness.filled(extent, y), target, gradient, statistics, scale)
    return float(statistics[0]) - 1, float(statistics[1]) - 2, gradient.values[:, :, 0, 0]


@settings(max_examples=8)
@given(CHANNELS, st.integers(1, 6), harness.SEEDS)
@example(100, 3, 0)
def test_cross_entropy(channels: int, samples: int, seed: int) -> None:
    y = 4 * harness.normal(seed, samples, channels)
    target = np.random.default_rng(seed).integers(0, channels, samples).astype(np.int32)
    extent = harness.bordered(channels, 1, 1)
    value, right, gradient = evaluate(CrossEntropy(extent, extent), y, target)
    expected, slope = loss("cross_entropy", y.astype(float), target)
    assert value == pytest.approx(samples * expected, rel=1e-5, abs=1e-5)
    assert right == (y.argmax(axis=1) == target).sum()
    harness.check_close(gradient, slope, TOLERANCE, 1 / samples)


@settings(max_examples=8)
@given(CHANNELS, st.integers(1, 6), harness.SEEDS)
def test_cross_entropy_of_probabilities(channels: int, samples: int, seed: int) -> None:
    y = np.random.default_rng(seed).dirichlet([1.0] * channels, samples).astype(np.float32)
    target = np.random.default_rng(seed).integers(0, channels, samples).astype(np.int32)
    extent = harness.bordered(channels, 1, 1)
    value, right, gradient = evaluate(CrossEntropy(extent, extent, probabilities=True), y, target)
    expected, slope = cross_entropy_of_probabilities(y.astype(float), target.astype(np.int64))
    assert value == pytest.approx(samples * expected, rel=1e-5, abs=1e-5)
    assert right == (y.argmax(axis=1) == target).sum()
    harness.check_close(gradient, slope, TOLERANCE)


@settings(max_examples=8)
@given(CHANNELS, st.integers(1, 6), harness.SEEDS, st.booleans())
@example(100, 3, 0, True)
def test_binary_cross_entropy(channels: int, samples: int, seed: int, hard: bool) -> None:
    y = 4 * harness.normal(seed, samples, channels)
    target = np.random.default_rng(seed).random((samples, channels)).astype(np.float32)
    target = target.round() if hard else target
    extent = harness.bordered(channels, 1, 1)
    value, right, gradient = evaluate(BinaryCrossEntropy(extent, extent), y, target)
    expected, slope = loss("binary_cross_entropy", y.astype(float), target)
    assert value == pytest.approx(samples * expected, rel=1e-5, abs=1e-5)
    assert right == pytest.approx(((y > 0) == (target > 0.5)).mean(axis=1).sum(), abs=1e-5)
    harness.check_close(gradient, slope, TOLERANCE, 1 / y.size)


@settings(max_examples=8)
@given(CHANNELS, st.integers(1, 6), harness.SEEDS)
def test_binary_cross_entropy_of_probabilities(channels: int, samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.uniform(0.01, 0.99, (samples, channels)).astype(np.float32)
    target = rng.random((samples, channels)).astype(np.float32)
    extent = harness.bordered(channels, 1, 1)
    value, right, gradient = evaluate(BinaryCrossEntropy(extent, extent, probabilities=True), y, target)
    expected, slope = binary_cross_entropy_of_probabilities(y.astype(float), target.astype(float))
    assert value == pytest.approx(samples * expected, rel=1e-5, abs=1e-5)
    assert right == pytest.approx(((y > 0.5) == (target > 0.5)).mean(axis=1).sum(), abs=1e-5)
    harness.check_close(gradient, slope, TOLERANCE, 100 / y.size)


@settings(max_examples=8)
@given(CHANNELS, st.integers(1, 6), harness.SEEDS)
def test_mean_squared_error(channels: int, samples: int, seed: int) -> None:
    y, target = harness.normal(seed, samples, channels), harness.normal(seed + 1, samples, channels)
    extent = harness.bordered(channels, 1, 1)
    value, right, gradient = evaluate(MeanSquaredError(extent, extent), y, target)
    expected, slope = loss("mse", y.astype(float), target)
    assert value == pytest.approx(samples * expected, rel=1e-5, abs=1e-5)
    assert right == 0
    harness.check_close(gradient, slope, TOLERANCE, 2 * np.abs(y) / y.size + 2 * np.abs(target) / y.size)


def test_of_equal_outputs_the_first_counts() -> None:
    extent = harness.bordered(20, 1, 1)
    y = np.zeros((3, 20), np.float32)
    y[:, [4, 18]] = 1
    _, right, _ = evaluate(CrossEntropy(extent, extent), y, np.array([4, 18, 0], np.int32))
    assert right == 1


def test_sure_and_wrong_stays_finite() -> None:
    extent = harness.bordered(2, 1, 1)
    target = np.array([1], np.int32)
    for kernel, y in (
        (CrossEntropy(extent, extent), [[1e4, -1e4]]),
        (CrossEntropy(extent, extent, probabilities=True), [[1.0, 0.0]]),
    ):
        value, right, gradient = evaluate(kernel, np.array(y, np.float32), target)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert right == 0
        assert value > 80
    for probabilities, y in ((False, [[1e4, -1e4]]), (True, [[1.0, 0.0]])):
        binary = BinaryCrossEntropy(extent, extent, probabilities)
        value, right, gradient = evaluate(binary, np.array(y, np.float32), np.array([[0, 1]], np.float32))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert right == 0
        assert value > 80


def test_sure_and_right_keeps_its_digits() -> None:
    """log(1 + exp(-z)) for large z, where 1 + exp(-z) rounds to 1."""
    extent = harness.bordered(1, 1, 1)
    statistics = np.zeros(2, np.float32)
    y, gradient = harness.filled(extent, np.array([[30.0]])), harness.output(extent, 1)
    one = np.ones((1, 1), np.float32)
    harness.call(BinaryCrossEntropy(extent, extent), 1, y, one, gradient, statistics, one)
    assert statistics[0] == pytest.approx(np.exp(-30.0), rel=1e-6)
