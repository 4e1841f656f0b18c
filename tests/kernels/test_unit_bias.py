"""Kernels of the biases of units against NumPy: additions alone, so the bits are NumPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scanwise.kernels.activation import Activation
from scanwise.kernels.unit_bias import UnitBiasForward, UnitBiasGradient, UnitBiasOperation
from tests.kernels import harness


@settings(max_examples=8)
@given(
    harness.CHANNELS,
    harness.EXTENTS,
    harness.EXTENTS,
    harness.SAMPLES,
    harness.BORDERS,
    harness.SEEDS,
    st.sampled_from([None, Activation("relu"), Activation("sigmoid")]),
)
def test_unit_bias(
    channels: int,
    height: int,
    width: int,
    samples: int,
    border: harness.Border,
    seed: int,
    activation: Activation | None,
) -> None:
    extent = (channels, height, width)
    x_map, y_map = harness.bordered(*extent, border), harness.bordered(*extent, (0, 1, 2, 0))
    x, bias = harness.normal(seed, samples, *extent), harness.normal(seed + 1, *extent)
    (parameter,) = UnitBiasOperation(extent).parameters()
    packed = parameter.pack(bias)
    assert packed.size == parameter.size
    np.testing.assert_array_equal(parameter.unpack(packed), bias)

    y = harness.output(y_map, samples)
    harness.call(UnitBiasForward(x_map, y_map, activation), samples, harness.filled(x_map, x), packed, y)
    expected = x + bias
    if activation is not None and activation.name == "sigmoid":
        exact = 1 / (1 + np.exp(-expected.astype(float)))
        harness.check_close(y.values, exact, 1e-6, 1.0)
    else:
        np.testing.assert_array_equal(y.values, expected if activation is None else np.maximum(expected, 0))

    dy = harness.normal(seed + 2, samples, *extent)
    db = packed.copy()  # gradients of parameters add, sample after sample
    harness.call(UnitBiasGradient(y_map), samples, harness.filled(y_map, dy), db)
    total = bias.copy()
    for error in dy:
        total += error
    assert parameter.pack(total).tobytes() == db.tobytes()
