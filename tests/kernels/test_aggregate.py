"""logsumexp and joint softmax kernels against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings

from scanwise import layers
from scanwise.kernels.aggregate import (
    JointSoftmaxBackward,
    JointSoftmaxForward,
    LogSumExpBackward,
    LogSumExpForward,
)
from scanwise.kernels.cells import Cells
from scanwise.kernels.pool import AverageBackward, AverageForward, MaxBackward, MaxForward, Pooling
from scanwise.reference import layer as reference
from tests.kernels import harness

TOLERANCE = 4e-6

Forward = type[LogSumExpForward] | type[JointSoftmaxForward]
Backward = type[LogSumExpBackward] | type[JointSoftmaxBackward]

KERNELS: dict[str, tuple[Forward, Backward]] = {
    "logsumexp": (LogSumExpForward, LogSumExpBackward),
    "softmax": (JointSoftmaxForward, JointSoftmaxBackward),
}


@pytest.mark.parametrize("mode", KERNELS)
@settings(max_examples=8)
@given(harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.BORDERS, harness.SAMPLES, harness.SEEDS)
@example(100, 3, 7, (0, 0, 0, 0), 2, 0)  # loops over vectors and over the window
@example(3, 1, 1, (0, 0, 0, 0), 1, 0)
def test_whole_map(
    mode: str, channels: int, height: int, width: int, border: harness.Border, samples: int, seed: int
) -> None:
    forward, backward = KERNELS[mode]
    layer = layers.Aggregate(mode)
    x = 3 * harness.normal(seed, samples, channels, height, width) - 20
    x_map, y_map = harness.bordered(channels, height, width, border), harness.bordered(channels, 1, 1)
    pooling = Pooling((height, width), (1, 1), (0, 0), (height, width), (1, 1))
    y = harness.output(y_map, samples)
    harness.call(forward(pooling, x_map, y_map), samples, harness.filled(x_map, x), y)
    harness.check_close(y.values[:, :, 0, 0], reference.forward(layer, x.astype(float), {}), TOLERANCE)

    dy = harness.normal(seed + 1, samples, channels)
    dx = harness.output(x_map, samples)
    arguments = harness.filled(x_map, x), y, harness.filled(y_map, dy), dx
    harness.call(backward(pooling, x_map, y_map, y_map, x_map), samples, *arguments)
    expected, _ = reference.backward(layer, x.astype(float), dy.astype(float), {})
    probability, _ = reference.backward(layers.Aggregate("logsumexp"), x.astype(float), np.ones(dy.shape), {})
    harness.check_close(dx.values, expected, TOLERANCE, 4 * probability)


CELLS = [
    (3, (1, 7), 3, (0, 0, 0, 0)),  # of 2, 2 and 3 positions
    (17, (5, 6), (2, 3), (1, 0, 2, 1)),  # rows of two sizes, columns of one
    (16, (4, 5), (4, 5), (0, 0, 0, 0)),  # one position each
]


@pytest.mark.parametrize(("channels", "extent", "grid", "border"), CELLS, ids=str)
@pytest.mark.parametrize("mode", layers.Aggregate.modes)
def test_cells(
    mode: str, channels: int, extent: tuple[int, int], grid: int | tuple[int, int], border: harness.Border
) -> None:
    layer = layers.Aggregate(mode, grid)
    x = 3 * harness.normal(1, 2, channels, *extent)
    signal = x if extent[0] > 1 else x[:, :, 0]  # 1-D is one row
    expected = reference.forward(layer, signal.astype(float), {})
    counts = expected.shape[2:]
    pooling = Cells.of(extent, counts)
    x_map, y_map = harness.bordered(channels, *extent, border), harness.bordered(channels, *pooling.positions)
    y = harness.output(y_map, 2)
    simple = {"max": (MaxForward, MaxBackward), "mean": (AverageForward, AverageBackward)}
    forward, backward = (simple | KERNELS)[mode]
    harness.call(forward(pooling, x_map, y_map), 2, harness.filled(x_map, x), y)
    harness.check_close(y.values, expected, TOLERANCE)

    dy = harness.normal(2, *expected.shape)
    dx = harness.output(x_map, 2)
    given_maps = [x_map, y_map, y_map, x_map] if mode in KERNELS else [x_map, y_map, x_map]
    values = [harness.filled(x_map, x), *[y] * (mode in KERNELS), harness.filled(y_map, dy), dx]
    harness.call(backward(pooling, *given_maps), 2, *values)
    slopes, _ = reference.backward(layer, signal.astype(float), dy.astype(float), {})
    harness.check_close(dx.values, slopes, TOLERANCE, 4 * np.abs(dy).max())


@pytest.mark.parametrize("mode", KERNELS)
def test_a_sliding_window_is_its_windows(mode: str) -> None:
    forward, _ = KERNELS[mode]
    channels, kernel, extent, stride = 20, (2, 9), (4, 15), (2, 3)
    x = 3 * harness.normal(5, 2, channels, *extent)
    x_map, y_map = harness.bordered(channels, *extent, border=(1, 0, 0, 1)), harness.bordered(channels, 2, 3)
    y = harness.output(y_map, 2)
    harness.call(
        forward(Pooling(kernel, stride, (0, 0), extent, (2, 3)), x_map, y_map), 2, harness.filled(x_map, x), y
    )
    cut_map, one_map = harness.bordered(channels, *kernel), harness.bordered(channels, 1, 1)
    single = forward(Pooling(kernel, (1, 1), (0, 0), kernel, (1, 1)), cut_map, one_map)
    for p in range(2):
        for q in range(3):
            window = x[:, :, p * 2 : p * 2 + 2, q * 3 : q * 3 + 9]
            one = harness.output(one_map, 2)
            harness.call(single, 2, harness.filled(cut_map, window), one)
            assert one.values[..., 0, 0].tobytes() == y.values[..., p, q].tobytes()


@pytest.mark.parametrize("offset", [-300.0, 300.0, -1e30])
def test_only_differences_matter(offset: float) -> None:
    """Neither overflow nor underflow, and padding lanes, which hold zero, do not count as a channel."""
    x_map, y_map = harness.bordered(3, 1, 2), harness.bordered(3, 1, 1)
    x = np.full((1, 3, 1, 2), offset, np.float32)
    pooling = Pooling((1, 2), (1, 1), (0, 0), (1, 2), (1, 1))
    y = harness.output(y_map, 1)
    harness.call(JointSoftmaxForward(pooling, x_map, y_map), 1, harness.filled(x_map, x), y)
    np.testing.assert_allclose(y.values.reshape(-1), 1 / 3, rtol=1e-6)
    harness.call(LogSumExpForward(pooling, x_map, y_map), 1, harness.filled(x_map, x), y)
    np.testing.assert_allclose(y.values.reshape(-1), offset + np.log(2), rtol=1e-6)
