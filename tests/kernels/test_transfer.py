"""Kernels between the caller's arrays and maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanwise.kernels.transfer import SAMPLE_TYPES, Gather, GatherTargets, Scatter
from tests.kernels import harness

ORDER = np.array([3, 0, 3, 1], np.int64)


@pytest.mark.parametrize("dtype", SAMPLE_TYPES)
@settings(max_examples=4)
@given(
    harness.CHANNELS,
    harness.EXTENTS,
    st.sampled_from([1, 7, 16, 40]),
    harness.BORDERS,
    st.booleans(),
    harness.SEEDS,
)
@example(1, 3, 40, (0, 0, 0, 0), True, 0)  # a row of one channel: vectors
def test_gather(
    dtype: str, channels: int, height: int, width: int, border: harness.Border, tight: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (5, channels, height, width)
    array = (
        rng.standard_normal(shape).astype(dtype)
        if dtype.startswith("float")
        else rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    )
    extent = harness.bordered(channels, height, width, border)
    goal = harness.output(replace(extent, pitch=channels) if tight else extent, len(ORDER))
    harness.call(Gather(dtype, goal.extent), len(ORDER), array, ORDER, goal)
    expected = array[ORDER].astype(np.float32)
    if dtype == "uint8":
        expected = expected * np.float32(1 / 255)
    np.testing.assert_array_equal(goal.values, expected)


@settings(max_examples=6)
@given(harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.BORDERS, harness.SAMPLES, harness.SEEDS)
def test_scatter(
    channels: int, height: int, width: int, border: harness.Border, samples: int, seed: int
) -> None:
    x = harness.normal(seed, samples, channels, height, width)
    extent = harness.bordered(channels, height, width, border)
    array = np.full(x.shape, np.nan, np.float32)
    harness.call(Scatter(extent), samples, harness.filled(extent, x), array)
    np.testing.assert_array_equal(array, x)


def test_targets() -> None:
    labels, found = np.array([4, 5, 6, 7], np.int64), np.zeros(4, np.int32)
    harness.call(GatherTargets(0), 4, labels, ORDER, found)
    assert found.tolist() == [7, 4, 7, 5]
    rows, copied = harness.normal(0, 5, 3), np.zeros((4, 3), np.float32)
    harness.call(GatherTargets(3), 4, rows, ORDER, copied)
    np.testing.assert_array_equal(copied, rows[ORDER])
