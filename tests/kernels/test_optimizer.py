"""Optimizer kernels against the update rules in float64, over several steps and shards."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from scanwise.kernels.optimizer import CHUNK, AdamWUpdate, SGDUpdate, StepRow
from tests.kernels import harness
from tests.kernels.harness import Float32

Float64 = NDArray[np.float64]

SHARDS = 3
STRIDE = CHUNK + 32
RATE = 0.1
TOLERANCE = 2e-6


def shards(seed: int) -> tuple[Float32, Float64]:
    """Gradients of each shard, far enough apart for a chunk, and their sum."""
    gradients = harness.normal(seed, SHARDS, STRIDE)
    return gradients, gradients[:, :CHUNK].astype(float).sum(axis=0)


def row(**values: float) -> Float32:
    found = np.zeros(StepRow.SIZE, np.float32)
    for name, value in values.items():
        found[getattr(StepRow, name.upper())] = value
    return found


@pytest.mark.parametrize(
    ("momentum", "nesterov", "decay"),
    [(0.0, False, 0.0), (0.9, False, 0.0), (0.9, True, 0.01), (0.0, False, 0.1)],
)
def test_sgd(momentum: float, nesterov: bool, decay: float) -> None:
    kernel = SGDUpdate(STRIDE, momentum, nesterov, decay)
    w, velocity = harness.normal(1, CHUNK), np.zeros(CHUNK, np.float32)
    exact_w, exact_v = w.astype(float), np.zeros(CHUNK)
    for step in range(3):
        gradients, g = shards(10 + step)
        harness.call(kernel, SHARDS, w, gradients, velocity, None, row(learning_rate=RATE))
        g = g + decay * exact_w
        exact_v = momentum * exact_v + g
        exact_w -= RATE * (g + momentum * exact_v if nesterov else exact_v)
    harness.check_close(w, exact_w, TOLERANCE, 4.0)
    if momentum:
        harness.check_close(velocity, exact_v, TOLERANCE, 10.0)


def test_adamw() -> None:
    b1, b2, eps, decay = 0.9, 0.999, 1e-8, 0.01
    kernel = AdamWUpdate(STRIDE, (b1, b2), eps)
    w, first, second = harness.normal(1, CHUNK), np.zeros(CHUNK, np.float32), np.zeros(CHUNK, np.float32)
    exact_w, m, v = w.astype(float), np.zeros(CHUNK), np.zeros(CHUNK)
    for t in range(1, 4):
        gradients, g = shards(20 + t)
        scalars = row(
            step_size=RATE / (1 - b1**t), root_correction=(1 - b2**t) ** -0.5, decay=1 - RATE * decay
        )
        harness.call(kernel, SHARDS, w, gradients, first, second, scalars)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        exact_w -= RATE * decay * exact_w
        exact_w -= RATE * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    harness.check_close(w, exact_w, TOLERANCE, 4.0)
    harness.check_close(first, m, TOLERANCE, 2.0)
    harness.check_close(second, v, 1e-5, v + 1e-6)
