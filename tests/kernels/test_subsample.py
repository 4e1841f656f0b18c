"""Kernels of trainable subsampling against the reference: the sum pooling, and the affine step after it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanwise import layers
from scanwise.kernels.activation import Activation
from scanwise.kernels.pool import AverageBackward, AverageForward
from scanwise.kernels.subsample import AffineBackward, AffineForward, AffineGradient, AffineOperation
from scanwise.kernels.window import Pooling
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Float32

TOLERANCE = 1e-6

POINT = layers.Subsample2d(1)  # a window of one value: the affine step alone


def affine(channels: int, seed: int) -> tuple[Float32, Float32, dict[str, np.ndarray]]:
    """Weights and biases as the kernels read them, and as the reference does."""
    values = {"weight": harness.normal(seed, channels), "bias": harness.normal(seed + 1, channels)}
    weight, bias = AffineOperation((channels, 1, 1)).parameters()
    for parameter in (weight, bias):
        packed = parameter.pack(values[parameter.name])
        assert packed.size == parameter.size
        np.testing.assert_array_equal(parameter.unpack(packed), values[parameter.name])
    exact = {name: value.astype(float) for name, value in values.items()}
    return weight.pack(values["weight"]), bias.pack(values["bias"]), exact


@settings(max_examples=8)
@given(
    harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.SAMPLES, harness.BORDERS, harness.SEEDS,
    st.sampled_from([None, Activation("sigmoid"), Activation("relu")]),
)  # fmt: skip
def test_affine(
    channels: int,
    height: int,
    width: int,
    samples: int,
    border: harness.Border,
    seed: int,
    activation: Activation | None,
) -> None:
    weight, bias, exact = affine(channels, seed)
    s_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width, (0, 1, 2, 0))
    s, dy = (harness.normal(seed + i, samples, channels, height, width) for i in (2, 3))
    s_field, dy_field = harness.filled(s_map, s), harness.filled(y_map, dy)

    y = harness.output(y_map, samples)
    harness.call(AffineForward(s_map, y_map, activation), samples, s_field, weight, bias, y)
    expected = reference.forward(POINT, s.astype(float), exact)
    if activation is not None:
        after = layers.ReLU() if activation.name == "relu" else layers.Sigmoid()
        expected = reference.forward(after, expected, {})
    harness.check_close(y.values, expected, TOLERANCE, np.abs(expected) + 1)

    ds = harness.output(s_map, samples)
    harness.call(AffineBackward(y_map, s_map), samples, dy_field, weight, ds)
    dx, gradients = reference.backward(POINT, s.astype(float), dy.astype(float), exact)
    harness.check_close(ds.values, dx, TOLERANCE)

    dw, db = weight.copy(), bias.copy()  # gradients of parameters add
    harness.call(AffineGradient(s_map, y_map), samples, s_field, dy_field, dw, db)
    for found, before, name in ((dw, weight, "weight"), (db, bias, "bias")):
        assert not found[channels:].any()  # an optimizer walks over all of the buffer
        size = np.abs(before[:channels]) + (np.abs(s * dy) + np.abs(dy)).sum((0, 2, 3))
        harness.check_close(found[:channels], before[:channels] + gradients[name], TOLERANCE, size)


@pytest.mark.parametrize("samples", [1, 4])
def test_gradients_add_sample_after_sample(samples: int) -> None:
    """One call of many samples leaves the bits of as many calls of one sample."""
    extent = harness.bordered(17, 3, 5)
    s, dy = (harness.normal(seed, samples, 17, 3, 5) for seed in (0, 1))
    kernel = AffineGradient(extent, extent)
    at_once, one_by_one = np.zeros((2, 2, 32), np.float32)
    harness.call(kernel, samples, harness.filled(extent, s), harness.filled(extent, dy), *at_once)
    for n in range(samples):
        one = [harness.filled(extent, values[n : n + 1]) for values in (s, dy)]
        harness.call(kernel, 1, *one, *one_by_one)
    assert at_once.tobytes() == one_by_one.tobytes()


@settings(max_examples=8)
@given(
    harness.CHANNELS,
    st.tuples(harness.EXTENTS, harness.EXTENTS),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    harness.BORDERS,
    harness.SEEDS,
)
def test_sums(
    channels: int,
    more: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    border: harness.Border,
    seed: int,
) -> None:
    layer = layers.Subsample2d(kernel, stride)
    extent = kernel[0] + more[0] - 1, kernel[1] + more[1] - 1
    one = {"weight": np.ones(channels), "bias": np.zeros(channels)}
    x = harness.normal(seed, 2, channels, *extent)
    expected = reference.forward(layer, x.astype(float), one)
    pooling = Pooling(kernel, stride, (0, 0), extent, (expected.shape[2], expected.shape[3]))
    x_map, y_map = (
        harness.bordered(channels, *extent, border),
        harness.bordered(channels, *expected.shape[2:]),
    )
    x_field, y = harness.filled(x_map, x), harness.output(y_map, 2)
    harness.call(AverageForward(pooling, x_map, y_map, divides=False), 2, x_field, y)
    harness.check_close(y.values, expected, TOLERANCE, reference.forward(layer, np.abs(x).astype(float), one))

    dy = harness.normal(seed + 1, *expected.shape)
    dx = harness.output(x_map, 2)
    backward = AverageBackward(pooling, x_map, y_map, x_map, divides=False)
    harness.call(backward, 2, x_field, harness.filled(y_map, dy), dx)
    wanted, _ = reference.backward(layer, x.astype(float), dy.astype(float), one)
    size, _ = reference.backward(layer, x.astype(float), np.abs(dy).astype(float), one)
    harness.check_close(dx.values, wanted, TOLERANCE, size)
