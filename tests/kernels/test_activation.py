"""Activation kernels against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings

from scanwise import layers
from scanwise.kernels.activation import Activation, ActivationBackward, ActivationForward
from scanwise.layers import Layer
from scanwise.reference import layer as reference
from tests.kernels import harness

TOLERANCE = 1e-6

KINDS: dict[str, tuple[Activation, Layer]] = {
    "relu": (Activation("relu"), layers.ReLU()),
    "leaky_relu": (Activation("leaky_relu", 0.1), layers.LeakyReLU(0.1)),
    "falling leaky_relu": (Activation("leaky_relu", -0.5), layers.LeakyReLU(-0.5)),
    "sigmoid": (Activation("sigmoid"), layers.Sigmoid()),
    "tanh": (Activation("tanh"), layers.Tanh()),
    "gelu": (Activation("gelu"), layers.GELU()),
    "gelu_tanh": (Activation("gelu_tanh"), layers.GELU("tanh")),
    "silu": (Activation("silu"), layers.SiLU()),
    "scaled_tanh": (Activation("scaled_tanh"), layers.ScaledTanh()),
}


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=3)
@given(harness.CHANNELS, harness.EXTENTS, harness.EXTENTS, harness.BORDERS, harness.SAMPLES, harness.SEEDS)
@example(20, 2, 3, (1, 0, 0, 1), 2, 0)
def test_activation(
    name: str, channels: int, height: int, width: int, border: harness.Border, samples: int, seed: int
) -> None:
    activation, layer = KINDS[name]
    x = 3 * harness.normal(seed, samples, channels, height, width)
    x.flat[:2] = 0.0, -0.0
    x_map = harness.bordered(channels, height, width, border)
    y_map = harness.bordered(channels, height, width, (0, 1, 2, 0))
    y = harness.output(y_map, samples)
    harness.call(ActivationForward(activation, x_map, y_map), samples, harness.filled(x_map, x), y)
    harness.check_close(y.values, reference.forward(layer, x.astype(float), {}), TOLERANCE)

    dy = harness.normal(seed + 1, *x.shape)
    dx = harness.output(x_map, samples)
    saved_map, saved = (y_map, y) if activation.fusable else (x_map, harness.filled(x_map, x))
    kernel = ActivationBackward(activation, saved_map, y_map, x_map)
    harness.call(kernel, samples, saved, harness.filled(y_map, dy), dx)
    expected, _ = reference.backward(layer, x.astype(float), dy.astype(float), {})
    # f' is told from y, so where f is flat what is lost of f' is its distance to 1, not to 0.
    harness.check_close(dx.values, expected, TOLERANCE, np.abs(dy) + 1e-3)
