"""Dropout kernels against the reference's masks: the same values dropped, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanwise import layers
from scanwise.kernels.dropout import DropoutBackward, DropoutForward, SampleKeys
from scanwise.reference import dropout as reference
from tests.kernels import harness


@settings(max_examples=10)
@given(
    harness.CHANNELS,
    harness.EXTENTS,
    harness.EXTENTS,
    harness.BORDERS,
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999]),
    st.integers(0, 3),
    harness.SEEDS,
)
@example(100, 1, 1, (0, 0, 0, 0), 0.5, 1, 0)
def test_dropout(
    channels: int, height: int, width: int, border: harness.Border, rate: float, ordinal: int, seed: int
) -> None:
    samples = 2
    keys = reference.sample_keys(seed, 3, np.array([0, 12345678]))
    mask = reference.mask(layers.Dropout(rate), (channels, height, width), keys, ordinal).astype(np.float32)
    x_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width, (0, 1, 1, 0))
    x = harness.normal(seed, samples, channels, height, width)

    y = harness.output(y_map, samples)
    forward = DropoutForward(x_map, y_map, rate, ordinal)
    harness.call(forward, samples, harness.filled(x_map, x), y, keys.view(np.int32))
    np.testing.assert_array_equal(y.values, x * mask)

    dx = harness.output(x_map, samples)
    backward = DropoutBackward(y_map, x_map, rate, ordinal)
    harness.call(backward, samples, harness.filled(y_map, x), dx, keys.view(np.int32))
    np.testing.assert_array_equal(dx.values, x * mask)


def test_sample_keys_are_those_of_the_reference() -> None:
    seed, epoch = 12345, 6
    base = reference.mix(np.array([(seed + 0x9E3779B9 * (epoch + 1)) % 2**32], np.uint32))
    order = np.array([3, 0, 3, 1], np.int64)
    keys = np.zeros(4, np.int32)
    harness.call(SampleKeys(), 4, order, base.view(np.int32), keys)
    np.testing.assert_array_equal(keys.view(np.uint32), reference.sample_keys(seed, epoch, order))
