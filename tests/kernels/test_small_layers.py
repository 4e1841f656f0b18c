"""Kernels that copy or add values, and the pointwise steps of LogMel, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanwise import layers
from scanwise.kernels.container import Add
from scanwise.kernels.downsample import DownsampleBackward, DownsampleForward
from scanwise.kernels.logmel import LogBackward, LogForward, PowerBackward, PowerForward
from scanwise.kernels.maps import FeatureMap, round_up
from scanwise.kernels.pad import PadBackward, PadForward
from scanwise.reference import layer as reference
from tests.kernels import harness

TOLERANCE = 1e-6


@settings(max_examples=6)
@given(harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.SAMPLES, harness.SEEDS)
@example(100, 2, 3, 2, 0)
def test_add(channels: int, height: int, width: int, samples: int, seed: int) -> None:
    a_map = harness.bordered(channels, height, width, (1, 1, 1, 1))
    b_map = harness.bordered(channels, height, width)
    y_map = harness.bordered(channels, height, width, (0, 2, 0, 1))
    a = harness.normal(seed, samples, channels, height, width)
    b = harness.normal(seed + 1, samples, channels, height, width)
    y = harness.output(y_map, samples)
    harness.call(Add(a_map, b_map, y_map), samples, harness.filled(a_map, a), harness.filled(b_map, b), y)
    np.testing.assert_array_equal(y.values, a + b)


@settings(max_examples=6)
@given(
    harness.CHANNELS,
    harness.EXTENTS,
    harness.EXTENTS,
    st.tuples(*[st.integers(0, 3)] * 4),
    harness.BORDERS,
    harness.SEEDS,
    st.sampled_from([0.0, -1.0]),
)
def test_pad(
    channels: int,
    height: int,
    width: int,
    pads: harness.Border,
    border: harness.Border,
    seed: int,
    value: float,
) -> None:
    left, right, top, bottom = pads
    layer = layers.Pad2d(pads, value)
    x = harness.normal(seed, 2, channels, height, width)
    x_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, top + height + bottom, left + width + right, (0, 1, 1, 0))
    y = harness.zeros(y_map, 2)
    harness.call(PadForward((top, left), x_map, y_map, value), 2, harness.filled(x_map, x), y)
    np.testing.assert_array_equal(y.values, reference.forward(layer, x.astype(float), {}))

    dy = harness.normal(seed, *y.values.shape)
    dx = harness.output(x_map, 2)
    harness.call(PadBackward((top, left), y_map, x_map), 2, harness.filled(y_map, dy), dx)
    np.testing.assert_array_equal(
        dx.values, reference.backward(layer, x.astype(float), dy.astype(float), {})[0]
    )


@settings(max_examples=6)
@given(
    harness.CHANNELS,
    harness.EXTENTS,
    harness.EXTENTS,
    st.tuples(*[st.integers(1, 4)] * 2),
    harness.BORDERS,
    harness.SEEDS,
)
def test_downsample(
    channels: int, height: int, width: int, stride: tuple[int, int], border: harness.Border, seed: int
) -> None:
    layer = layers.Downsample2d(stride)
    x = harness.normal(seed, 2, channels, height, width)
    x_map = harness.bordered(channels, height, width, border)
    expected = reference.forward(layer, x.astype(float), {})
    y_map = harness.bordered(channels, expected.shape[2], expected.shape[3], (1, 0, 0, 1))
    y = harness.output(y_map, 2)
    harness.call(DownsampleForward(stride, x_map, y_map), 2, harness.filled(x_map, x), y)
    np.testing.assert_array_equal(y.values, expected)

    dy = harness.normal(seed, *y.values.shape)
    dx = harness.output(x_map, 2)
    harness.call(DownsampleBackward(stride, y_map, x_map), 2, harness.filled(y_map, dy), dx)
    np.testing.assert_array_equal(
        dx.values, reference.backward(layer, x.astype(float), dy.astype(float), {})[0]
    )


@settings(max_examples=6)
@given(st.sampled_from([1, 5, 16, 17, 33, 129]), st.integers(1, 9), harness.SEEDS)
def test_power(frequencies: int, frames: int, seed: int) -> None:
    half = round_up(frequencies, 16)
    x_map = FeatureMap(2 * half, 1, frames, 2 * half)
    y_map = harness.bordered(frequencies, 1, frames, (0, 0, 1, 1))
    re, im = harness.normal(seed, 2, 2, frequencies, 1, frames)
    x = harness.zeros(x_map, 2)
    x.values[:, :frequencies], x.values[:, half : half + frequencies] = re, im
    y = harness.output(y_map, 2)
    harness.call(PowerForward(x_map, y_map), 2, x, y)
    harness.check_close(y.values, re.astype(float) ** 2 + im.astype(float) ** 2, TOLERANCE)

    dy = harness.normal(seed, *y.values.shape)
    dx = harness.zeros(x_map, 2)
    dx.values[:, :frequencies] = dx.values[:, half : half + frequencies] = 3
    harness.call(PowerBackward(x_map, y_map, x_map), 2, x, harness.filled(y_map, dy), dx)
    np.testing.assert_array_equal(dx.values[:, :frequencies], 2 * re * dy)
    np.testing.assert_array_equal(dx.values[:, half : half + frequencies], 2 * im * dy)
    assert not dx.values[:, frequencies:half].any()
    assert not dx.values[:, half + frequencies :].any()


@settings(max_examples=6)
@given(harness.CHANNELS, st.integers(1, 9), harness.SEEDS)
def test_log(channels: int, frames: int, seed: int) -> None:
    x = harness.normal(seed, 2, channels, 1, frames) ** 8  # mel energies span many orders of magnitude
    x_map, y_map = harness.bordered(channels, 1, frames), harness.bordered(channels, 1, frames, (0, 0, 2, 2))
    y = harness.output(y_map, 2)
    harness.call(LogForward(x_map, y_map), 2, harness.filled(x_map, x), y)
    harness.check_close(y.values, np.log(x.astype(float) + 1e-6), TOLERANCE, np.abs(np.log(x + 1e-6)) + 1)

    dy = harness.normal(seed, *y.values.shape)
    dx = harness.output(x_map, 2)
    harness.call(LogBackward(x_map, y_map, x_map), 2, harness.filled(x_map, x), harness.filled(y_map, dy), dx)
    expected = dy / (x.astype(float) + 1e-6)
    harness.check_close(dx.values, expected, TOLERANCE, np.abs(expected))
