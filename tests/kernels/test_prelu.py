"""The leaky ReLU with trained slopes against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanwise.kernels.prelu import PReLUBackward, PReLUForward, PReLUGradient, PReLUOperation
from scanwise.layers import PReLU
from scanwise.reference import layer as reference
from tests.kernels import harness

TOLERANCE = 1e-6


@settings(max_examples=8)
@given(
    harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.SAMPLES, harness.BORDERS, harness.SEEDS, st.booleans(),
)  # fmt: skip
def test_prelu(
    channels: int, height: int, width: int, samples: int, border: harness.Border, seed: int, shared: bool
) -> None:
    layer = PReLU(1 if shared else channels)
    slopes = harness.normal(seed, layer.num_parameters)
    exact = {"weight": slopes.astype(float)}
    (parameter,) = PReLUOperation((channels, height, width), shared).parameters()
    packed = parameter.pack(slopes)
    assert packed.size == parameter.size
    np.testing.assert_array_equal(parameter.unpack(packed), slopes)

    z_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width, (0, 1, 2, 0))
    z, dy = (harness.normal(seed + i, samples, channels, height, width) for i in (1, 2))
    z.flat[:2] = 0.0, -0.0
    z_field, dy_field = harness.filled(z_map, z), harness.filled(y_map, dy)

    y = harness.output(y_map, samples)
    harness.call(PReLUForward(z_map, y_map, shared), samples, z_field, packed, y)
    harness.check_close(y.values, reference.forward(layer, z.astype(float), exact), TOLERANCE)

    dz = harness.output(z_map, samples)
    harness.call(PReLUBackward(z_map, y_map, z_map, shared), samples, z_field, packed, dy_field, dz)
    expected, gradients = reference.backward(layer, z.astype(float), dy.astype(float), exact)
    harness.check_close(dz.values, expected, TOLERANCE)

    found = packed.copy()  # gradients of parameters add
    harness.call(PReLUGradient(z_map, y_map, shared), samples, z_field, dy_field, found)
    assert not found[layer.num_parameters :].any()
    size = np.abs(slopes) + np.abs(np.minimum(z, 0) * dy).sum((0, 1, 2, 3) if shared else (0, 2, 3))
    wanted = slopes + gradients["weight"]
    harness.check_close(found[: layer.num_parameters], wanted, TOLERANCE, size)


@pytest.mark.parametrize("shared", [True, False])
def test_gradients_add_sample_after_sample(shared: bool) -> None:
    """One call of many samples leaves the bits of as many calls of one sample."""
    extent = harness.bordered(17, 3, 5)
    z, dy = (harness.normal(i, 4, 17, 3, 5) for i in (0, 1))
    together, apart = np.zeros(32, np.float32), np.zeros(32, np.float32)
    kernel = PReLUGradient(extent, extent, shared)
    harness.call(kernel, 4, harness.filled(extent, z), harness.filled(extent, dy), together)
    for i in range(4):
        one = slice(i, i + 1)
        harness.call(kernel, 1, harness.filled(extent, z[one]), harness.filled(extent, dy[one]), apart)
    np.testing.assert_array_equal(together, apart)
