"""Which backends the tests of models, training and scanning run on, and small networks for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import scanwise as sw

BACKENDS = ("reference", "native")

IMAGE_NETWORK = sw.Sequential(
    sw.Conv2d(3, 3), sw.ReLU(), sw.MaxPool2d(2), sw.Flatten(), sw.Linear(5), sw.Tanh(), sw.Linear(3)
)
IMAGE_SHAPE = (2, 8, 7)

PADDED_NETWORK = sw.Sequential(
    sw.Conv2d(3, 3, padding="same"), sw.ReLU(), sw.MaxPool2d(2), sw.Flatten(), sw.Linear(3)
)

SIGNAL_NETWORK = sw.Sequential(
    sw.Conv1d(4, 3), sw.ReLU(), sw.MaxPool1d(2), sw.Conv1d(4, 2), sw.ReLU(), sw.Aggregate("max"), sw.Linear(3)
)
SIGNAL_SHAPE = (2, 12)


def signal_model(backend: str, **options: object) -> sw.Model:
    return sw.Model(SIGNAL_NETWORK, SIGNAL_SHAPE, backend=backend, **options)  # type: ignore[arg-type]


def image_model(backend: str, **options: object) -> sw.Model:
    return sw.Model(IMAGE_NETWORK, IMAGE_SHAPE, backend=backend, **options)  # type: ignore[arg-type]


def random_values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
