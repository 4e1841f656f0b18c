"""MNIST (CC BY-SA 3.0): LeNet-5 learns handwritten digits."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import scanwise as sw
from scanwise import models

EPOCHS = 8


def test_lenet5_learns_mnist(data_folder: Path) -> None:
    with np.load(data_folder / "mnist.npz") as mnist:
        x, y, x_test, y_test = (mnist[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    shape = (1, 28, 28)
    model = sw.Model(models.get("lenet5", shape, 10), shape, seed=0)
    optimizer = sw.SGD(sw.OneCycle(0.1), momentum=0.9, nesterov=True, weight_decay=5e-4)
    started = time.perf_counter()
    sw.fit(model, x[:, None], y, epochs=EPOCHS, optimizer=optimizer, progress=False)
    seconds = time.perf_counter() - started
    accuracy = float(np.mean(model(x_test[:, None]).argmax(axis=1) == y_test))
    print(f"MNIST test accuracy: {accuracy:.4f} after {EPOCHS} epochs, {seconds:.1f} s")
    assert accuracy >= 0.99
