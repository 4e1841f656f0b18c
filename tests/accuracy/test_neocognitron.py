"""The Neocognitron on MNIST (CC BY-SA 3.0): 3,000 digits to learn from, and how far digits may move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models

MOVED = 2000
SHIFTS = range(5)  # pixels to the right and down; no stroke of MNIST comes closer to the border than four


@pytest.fixture(scope="module")
def digits(data_folder: Path) -> tuple[NDArray[Any], ...]:
    """300 of each digit to learn from, and the 10,000 test digits."""
    with np.load(data_folder / "mnist.npz") as file:
        x, y, x_test, y_test = (file[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    chosen = np.concatenate([np.flatnonzero(y == label)[:300] for label in range(10)])
    return x[chosen, None], y[chosen], x_test[:, None], y_test


@pytest.fixture(scope="module")
def neocognitron(digits: tuple[NDArray[Any], ...]) -> sw.Neocognitron:
    return models.neocognitron().fit(*digits[:2])


def test_it_learns_mnist_from_3000_digits(
    digits: tuple[NDArray[Any], ...], neocognitron: sw.Neocognitron
) -> None:
    _, _, x_test, y_test = digits
    accuracy = float(np.mean(neocognitron.predict(x_test) == y_test))
    planes = [layer.planes for layer in neocognitron.model.network if isinstance(layer, sw.SPlane)]
    print(f"MNIST test accuracy from 3,000 digits: {accuracy:.4f}, planes {planes}")
    assert accuracy >= 0.95


def test_moved_digits(digits: tuple[NDArray[Any], ...], neocognitron: sw.Neocognitron) -> None:
    """An MLP that learnt the same digits loses moved ones; the Neocognitron keeps most."""
    x, y, x_test, y_test = digits
    mlp = sw.Model(models.get("mlp", (1, 28, 28), 10), (1, 28, 28), seed=0)
    sw.fit(mlp, x, y, epochs=20, progress=False)
    shown = slice(4000, 4000 + MOVED)  # from both halves of the test digits
    kept: dict[str, list[float]] = {"Neocognitron": [], "MLP": []}
    for shift in SHIFTS:
        moved = np.roll(x_test[shown], (shift, shift), axis=(2, 3))
        kept["Neocognitron"].append(float(np.mean(neocognitron.predict(moved) == y_test[shown])))
        kept["MLP"].append(float(np.mean(mlp(moved).argmax(axis=1) == y_test[shown])))
    for name, accuracies in kept.items():
        print(f"{name}, moved by 0 to 4 pixels: " + " ".join(f"{accuracy:.3f}" for accuracy in accuracies))
    assert min(kept["Neocognitron"]) >= 0.85
    assert kept["MLP"][4] < 0.3
