"""`Flatten` as a copy, one position and (in a scan) several, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanwise.kernels.flatten import FlattenCopy, FlattenOperation
from scanwise.kernels.operation import Maps
from tests.kernels import harness

Pair = tuple[int, int]


@settings(max_examples=8)
@given(
    harness.CHANNELS,
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    harness.BORDERS,
    harness.SAMPLES,
    harness.SEEDS,
)
@example(5, (2, 3), (1, 1), (1, 1, 1, 1), 2, 0)
def test_forward(
    channels: int, window: Pair, positions: Pair, border: harness.Border, samples: int, seed: int
) -> None:
    rows, columns = window[0] + positions[0] - 1, window[1] + positions[1] - 1
    x = harness.normal(seed, samples, channels, rows, columns)
    x_map = harness.bordered(channels, rows, columns, border)
    y_map = harness.bordered(channels * window[0] * window[1], *positions, border=(0, 1, 1, 0))
    y = harness.output(y_map, samples)
    operation = FlattenOperation((channels, *window)).resized(rows, columns)
    assert operation.output == (y_map.channels, *positions)
    (call,) = operation.forward(Maps(x_map, y_map))
    harness.call(call.kernel, samples, harness.filled(x_map, x), y)
    for p in range(positions[0]):
        for q in range(positions[1]):
            piece = x[:, :, p : p + window[0], q : q + window[1]].reshape(samples, -1)
            np.testing.assert_array_equal(y.values[:, :, p, q], piece)


@settings(max_examples=8)
@given(
    harness.CHANNELS, st.integers(1, 4), st.integers(1, 4), harness.BORDERS, harness.SAMPLES, harness.SEEDS
)
def test_backward(
    channels: int, rows: int, columns: int, border: harness.Border, samples: int, seed: int
) -> None:
    dy_map = harness.bordered(channels * rows * columns, 1, 1, border=(1, 0, 0, 1))
    dx_map = harness.bordered(channels, rows, columns, border)
    dy = harness.normal(seed, samples, channels * rows * columns)
    dx = harness.output(dx_map, samples)
    operation = FlattenOperation((channels, rows, columns))
    (call,) = operation.backward(Maps(dx_map, dy_map, dy=dy_map, dx=dx_map), None)
    harness.call(call.kernel, samples, harness.filled(dy_map, dy), dx)
    np.testing.assert_array_equal(dx.values, dy.reshape(dx.values.shape))


@pytest.mark.parametrize("channels", [1, 9])
def test_there_and_back(channels: int) -> None:
    x_map, y_map = harness.bordered(channels, 3, 2), harness.bordered(6 * channels, 1, 1)
    x = harness.filled(x_map, harness.normal(0, 2, channels, 3, 2))
    flat, again = harness.output(y_map, 2), harness.output(x_map, 2)
    harness.call(FlattenCopy(x_map, y_map, (3, 2), backward=False), 2, x, flat)
    harness.call(FlattenCopy(x_map, y_map, (3, 2), backward=True), 2, flat, again)
    assert again.memory.tobytes() == x.memory.tobytes()
