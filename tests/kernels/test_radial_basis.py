"""Kernels of radial basis functions against the reference, at every position of a map."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from scanwise.kernels.radial_basis import RadialBasisBackward, RadialBasisForward, in_lanes
from scanwise.layers import RadialBasis
from scanwise.reference import layer as reference
from tests.kernels import harness
from tests.kernels.harness import Float32

TOLERANCE = 1e-6


def as_samples(maps: Float32) -> np.ndarray:
    """`(N, C, H, W)` as `(N H W, C)` in float64: the reference knows one position."""
    return maps.transpose(0, 2, 3, 1).reshape(-1, maps.shape[1]).astype(float)


@settings(max_examples=10)
@given(harness.CHANNELS, harness.CHANNELS, harness.SAMPLES, harness.BORDERS, harness.SEEDS)
def test_radial_basis(inputs: int, outputs: int, samples: int, border: harness.Border, seed: int) -> None:
    codes = harness.normal(seed, outputs, inputs)
    layer = RadialBasis(codes)
    x_map = harness.bordered(inputs, 2, 3, border)
    z_map = harness.bordered(outputs, 2, 3, (0, 1, 2, 0))
    x, dz = harness.normal(seed + 1, samples, inputs, 2, 3), harness.normal(seed + 2, samples, outputs, 2, 3)
    x_field, z = harness.filled(x_map, x), harness.output(z_map, samples)
    harness.call(RadialBasisForward(x_map, z_map), samples, x_field, in_lanes(codes), z)
    expected = reference.forward(layer, as_samples(x), {})
    harness.check_close(as_samples(z.values).astype(np.float32), expected, TOLERANCE, np.abs(expected) + 1e-3)

    dx = harness.output(x_map, samples)
    kernel = RadialBasisBackward(x_map, z_map, x_map)
    harness.call(kernel, samples, x_field, in_lanes(codes.T), harness.filled(z_map, dz), dx)
    wanted, _ = reference.backward(layer, as_samples(x), as_samples(dz), {})
    size = np.zeros_like(wanted)
    for error, code in zip(as_samples(dz).T, codes, strict=True):
        size += 2 * np.abs(error[:, None] * (code - as_samples(x)))
    harness.check_close(as_samples(dx.values).astype(np.float32), wanted, TOLERANCE, size + 1e-6)
