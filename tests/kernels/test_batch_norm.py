"""Batch normalisation's kernels against the reference: with running statistics, and with those of shards of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise import layers
from scanwise.kernels import batch_gradient
from scanwise.kernels import batch_norm as kernels
from scanwise.kernels import batch_statistics as statistics
from scanwise.kernels.activation import Activation
from scanwise.layers import BatchNorm
from scanwise.reference import batch_norm, batch_statistics
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Float32

TOLERANCE = 2e-6


@dataclass
class Values:
    """A layer's parameters as the kernels read them, and as the reference does."""

    layer: BatchNorm
    channels: int
    seed: int

    def __post_init__(self) -> None:
        values = {name: harness.normal(self.seed + i, self.channels) for i, name in enumerate(self.names)}
        values["running_var"] = np.abs(values["running_var"]) + np.float32(0.1)
        self.exact = {name: value.astype(float) for name, value in values.items()}
        shape = (self.channels, 1, 1)
        operation = kernels.BatchNormOperation(shape, self.layer.eps, self.layer.momentum, self.layer.affine)
        self.packed: dict[str, Float32] = {}
        for parameter in operation.parameters():
            self.packed[parameter.name] = parameter.pack(values[parameter.name])
            assert parameter.trained == (parameter.name in ("weight", "bias"))
        self.block = np.zeros(operation.transformed().size, np.float32)

    @property
    def names(self) -> list[str]:
        return list(self.layer.parameter_shapes((self.channels,)))

    def complete(self) -> None:
        """Scale and shift from mean and slope."""
        weights = [self.packed.get(name, np.zeros(0, np.float32)) for name in ("weight", "bias")]
        harness.call(kernels.BatchNormScale(self.channels, self.layer.affine), 1, *weights, self.block)
        pitch = len(self.block) // statistics.ROWS
        assert not self.block.reshape(-1, pitch)[:, self.channels :].any()

    def of_running_statistics(self) -> None:
        kernel = kernels.BatchNormBlock(self.channels, self.layer.eps)
        harness.call(kernel, 1, self.packed["running_mean"], self.packed["running_var"], self.block)
        self.complete()


drawn = given(
    harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.BORDERS, harness.SEEDS, st.booleans(),
    st.sampled_from([None, Activation("sigmoid"), Activation("relu")]),
)  # fmt: skip


@settings(max_examples=8)
@drawn
def test_running_statistics(
    channels: int,
    height: int,
    width: int,
    border: harness.Border,
    seed: int,
    affine: bool,
    activation: Activation | None,
) -> None:
    layer, samples = BatchNorm(eps=0.01, affine=affine), 2
    values = Values(layer, channels, seed)
    values.of_running_statistics()
    x_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width, (0, 1, 2, 0))
    x, dy = (harness.normal(seed + i, samples, channels, height, width) for i in (8, 9))
    x_field, dy_field = harness.filled(x_map, x), harness.filled(y_map, dy)

    y = harness.output(y_map, samples)
    harness.call(kernels.BatchNormForward(x_map, y_map, activation), samples, x_field, values.block, y)
    expected = reference.forward(layer, x.astype(float), values.exact)
    size = np.abs(expected).max() + 1
    if activation is not None:
        after = layers.ReLU() if activation.name == "relu" else layers.Sigmoid()
        expected = reference.forward(after, expected, {})
    harness.check_close(y.values, expected, TOLERANCE, size)

    dx = harness.output(x_map, samples)
    harness.call(kernels.BatchNormBackward(y_map, x_map), samples, dy_field, values.block, dx)
    wanted, gradients = reference.backward(layer, x.astype(float), dy.astype(float), values.exact)
    harness.check_close(dx.values, wanted, TOLERANCE)
    if affine:
        dw, db = values.packed["weight"].copy(), values.packed["bias"].copy()
        kernel = kernels.BatchNormGradient(x_map, y_map)
        harness.call(kernel, samples, x_field, dy_field, values.block, dw, db)
        scale = 50 * (np.abs(dy).sum((0, 2, 3)) + 1)
        for found, name in ((dw, "weight"), (db, "bias")):
            assert not found[channels:].any()
            wanted = values.exact[name] + gradients[name]
            harness.check_close(found[:channels], wanted, TOLERANCE, scale)


@settings(max_examples=8)
@drawn
def test_statistics_of_shards(
    channels: int,
    height: int,
    width: int,
    border: harness.Border,
    seed: int,
    affine: bool,
    activation: Activation | None,
) -> None:
    """Three shards of 2, 0 and 3 samples have the statistics and gradients of the batch of 5."""
    del activation
    layer, shards = BatchNorm(affine=affine), [(0, 2), (2, 2), (2, 5)]
    values = Values(layer, channels, seed)
    x_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width)
    x, dy = (harness.normal(seed + i, 5, channels, height, width) for i in (8, 9))
    x += 3
    size = statistics.sums_size(channels)
    stride = size + 16
    sums = np.full(3 * stride, np.nan, np.float32)

    for s, (low, high) in enumerate(shards):
        own = sums[s * stride : s * stride + size]
        harness.call(statistics.BatchSums(x_map), high - low, harness.filled(x_map, x[low:high]), own)
    merge = statistics.BatchStatistics(channels, stride, layer.eps, layer.momentum)
    running = [values.packed[name] for name in BatchNorm.state]
    before = [each.copy() for each in running]
    harness.call(merge, 3, sums, *running, values.block)
    np.testing.assert_array_equal(running, before)  # until the loss is known
    harness.call(statistics.RunningStatistics(channels), 3, values.block, *running)
    values.complete()
    given = values.exact | {"training": np.ones(())}
    news = batch_norm.running_statistics(layer, x.astype(float), given)
    for name, found in zip(BatchNorm.state, running, strict=True):
        harness.check_close(found[:channels], news[name], 1e-6)
        assert not found[channels:].any()

    y = harness.output(y_map, 5)
    harness.call(kernels.BatchNormForward(x_map, y_map), 5, harness.filled(x_map, x), values.block, y)
    # The shift is as large as the mean over the deviation.
    expected = reference.forward(layer, x.astype(float), given)
    level = _levels(values.block, channels)
    harness.check_close(y.values, expected, TOLERANCE, np.abs(expected) + level)

    dw, db = np.zeros((2, len(running[0])), np.float32)
    for s, (low, high) in enumerate(shards):
        own, part = sums[s * stride : s * stride + size], slice(low, high)
        fields = harness.filled(x_map, x[part]), harness.filled(y_map, dy[part])
        kernel = batch_gradient.BatchGradientSums(x_map, y_map)
        harness.call(kernel, high - low, *fields, values.block, own)
        harness.call(batch_gradient.GradientOfSums(channels), 1, own, dw, db)
    harness.call(batch_gradient.BatchGradientMeans(channels, stride), 3, sums, values.block)
    wanted, gradients = reference.backward(layer, x.astype(float), dy.astype(float), given)
    dx = harness.output(x_map, 5)
    kernel_of_dx = batch_gradient.BatchBackward(x_map, y_map, x_map)
    fields = harness.filled(x_map, x), harness.filled(y_map, dy)
    harness.call(kernel_of_dx, 5, *fields, values.block, dx)
    scale = level * (np.abs(dy).max() + np.abs(x).max())
    harness.check_close(dx.values, wanted, 1e-5, np.abs(wanted) + scale)
    if affine:
        total = np.abs(dy).sum((0, 2, 3)) * (1 + level.max())
        harness.check_close(dw[:channels], gradients["weight"], 1e-5, total)
        harness.check_close(db[:channels], gradients["bias"], 1e-6, total)


def _levels(block: Float32, channels: int) -> NDArray[np.float64]:
    """How large scales and shifts are, (1, C, 1, 1)."""
    rows = np.abs(block.reshape(statistics.ROWS, -1)[:, :channels])
    found: NDArray[np.float64] = (rows[:4].max(axis=0) + 1).astype(float)
    return found.reshape(1, -1, 1, 1)


@pytest.mark.parametrize("level", [0.0, 1e3])
def test_variance_keeps_its_digits(level: float) -> None:
    """Squares are summed in float64: the variance of values far from zero is not lost."""
    extent = harness.bordered(5, 8, 8)
    x = harness.normal(0, 4, 5, 8, 8) + np.float32(level)
    size = statistics.sums_size(5)
    sums = np.zeros(size, np.float32)
    harness.call(statistics.BatchSums(extent), 4, harness.filled(extent, x), sums)
    block = np.zeros(statistics.ROWS * extent.pitch, np.float32)
    mean, var = np.zeros((2, extent.pitch), np.float32)
    harness.call(statistics.BatchStatistics(5, size, 1e-5, 1.0), 1, sums, mean, var, block)
    harness.call(statistics.RunningStatistics(5), 1, block, mean, var)
    wide = x.astype(float)
    np.testing.assert_allclose(mean[:5], wide.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(var[:5], wide.var((0, 2, 3), ddof=1), rtol=1e-6)
    assert list(batch_statistics(layers.Sequential(BatchNorm()))) == ["0.training"]
