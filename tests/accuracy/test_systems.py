"""Gradient descent trains every system of the lecture on real data (9.9): 10,000 digits of MNIST (CC BY-SA 3.0).

LeNet-5 and the networks of 1989 and 1998 have files of their own, and so has the Neocognitron's learning without
gradients.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from scanwise.layers import Layer

TRAINING = 10_000


def scanning(*end: Layer, window: int = 11, stride: int = 2) -> sw.Sequential:
    """An MLP that scans an image, and what makes one decision of its answers."""
    mlp = sw.Sequential(sw.Linear(48), sw.ReLU(), sw.Linear(48), sw.ReLU())
    return sw.Sequential(sw.Scan2d(mlp, window, stride), *end)


def voting(mode: str) -> sw.Sequential:
    """A scanning MLP with one output a label, whose answers at all positions are aggregated (lecture 2.2)."""
    mlp = sw.Sequential(sw.Linear(48), sw.ReLU(), sw.Linear(48), sw.ReLU(), sw.Linear(10))
    return sw.Sequential(sw.Scan2d(mlp, 15, 2), sw.Aggregate(mode))


CELLS = sw.Sequential(
    sw.SPlane(12, 5, r=1.0, padding=2), sw.CPlane(5, 2, 2, alpha=0.3, sigma=1.5, surround=0.2),
    sw.SPlane(24, 5, r=0.5), sw.CPlane(3, 2, 1, alpha=0.3), sw.Flatten(), sw.Linear(10),
)  # fmt: skip

SYSTEMS: dict[str, tuple[sw.Sequential, float]] = {
    "MLP": (sw.Sequential(sw.Flatten(), sw.Linear(128), sw.ReLU(), sw.Linear(10)), 0.92),
    "scanning MLP, maximum": (scanning(sw.Aggregate("max"), sw.Linear(10)), 0.91),
    "scanning MLP, mean": (scanning(sw.Aggregate("mean"), sw.Linear(10)), 0.87),
    "scanning MLP, logsumexp": (voting("logsumexp"), 0.89),
    "scanning MLP, softmax": (voting("softmax"), 0.89),
    "scanning MLP, perceptron": (scanning(sw.Flatten(), sw.Linear(10), window=9, stride=3), 0.94),
    "planes of S- and C-cells": (CELLS, 0.95),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_gradient_descent_trains(name: str, data_folder: Path) -> None:
    network, least = SYSTEMS[name]
    with np.load(data_folder / "mnist.npz") as mnist:
        x, y, x_test, y_test = (mnist[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    model = sw.Model(network, (1, 28, 28), seed=0)
    optimizer = sw.AdamW(sw.OneCycle(4e-3))
    sw.fit(
        model, x[:TRAINING, None], y[:TRAINING], epochs=3, batch_size=64, optimizer=optimizer, progress=False
    )
    accuracy = float(np.mean(model(x_test[:, None]).argmax(axis=1) == y_test))
    print(f"{name}: accuracy on unseen digits {accuracy:.4f}")
    assert accuracy >= least
