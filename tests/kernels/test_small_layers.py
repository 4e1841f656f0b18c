"""Kernels that copy or add values, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanwise import layers
from scanwise.kernels.container import Add
from scanwise.kernels.downsample import DownsampleBackward, DownsampleForward
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
