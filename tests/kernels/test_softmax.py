"""Softmax kernels against the reference."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings

from scanwise import layers
from scanwise.kernels.softmax import SoftmaxBackward, SoftmaxForward
from scanwise.reference import layer as reference
from tests.kernels import harness

TOLERANCE = 3e-6


@settings(max_examples=8)
@given(harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.BORDERS, harness.SAMPLES, harness.SEEDS)
@example(100, 1, 1, (0, 0, 0, 0), 2, 0)  # a loop over vectors
def test_softmax(
    channels: int, height: int, width: int, border: harness.Border, samples: int, seed: int
) -> None:
    x = 5 * harness.normal(seed, samples, channels, height, width)
    x_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width, (1, 0, 0, 1))
    y = harness.output(y_map, samples)
    harness.call(SoftmaxForward(x_map, y_map), samples, harness.filled(x_map, x), y)
    exact = reference.forward(layers.Softmax(), x.astype(float), {})
    harness.check_close(y.values, exact, TOLERANCE, exact + 1e-30)

    dy = harness.normal(seed + 1, *x.shape)
    dx = harness.output(x_map, samples)
    harness.call(SoftmaxBackward(y_map, y_map, x_map), samples, y, harness.filled(y_map, dy), dx)
    expected, _ = reference.backward(layers.Softmax(), x.astype(float), dy.astype(float), {})
    harness.check_close(dx.values, expected, TOLERANCE, exact * 5)


def test_large_values_do_not_overflow() -> None:
    extent = harness.bordered(5, 1, 1)
    y = harness.output(extent, 1)
    x = np.array([[1e30, -1e30, 1e30, 0, -5]], np.float32)
    harness.call(SoftmaxForward(extent, extent), 1, harness.filled(extent, x), y)
    np.testing.assert_array_equal(y.values.reshape(-1), [0.5, 0, 0.5, 0, 0])


def test_all_negative_values_are_not_outdone_by_padding_lanes() -> None:
    extent = harness.bordered(3, 1, 1)
    y = harness.output(extent, 1)
    x = np.array([[-300, -300, -300]], np.float32)
    harness.call(SoftmaxForward(extent, extent), 1, harness.filled(extent, x), y)
    np.testing.assert_allclose(y.values.reshape(-1), 1 / 3, rtol=1e-6)
