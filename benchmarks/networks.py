"""The five networks that are timed, with their batch sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models


@dataclass(frozen=True)
class Case:
    """One network to time.

    Attributes:
        name: its name in `scanwise.models`.
        input_shape: channels first, without the batch.
        classes: number of labels.
        batch: samples in a training step and in a call for throughput.
    """

    name: str
    input_shape: tuple[int, ...]
    classes: int
    batch: int

    def network(self) -> sw.Sequential:
        return models.get(self.name, self.input_shape, self.classes)

    def model(self) -> sw.Model:
        return sw.Model(self.network(), self.input_shape, seed=0)

    def samples(self, n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Random inputs, never zeros (a processor may be faster on zeros), with random labels."""
        random = np.random.default_rng(seed)
        x = random.uniform(0.05, 1.0, (n, *self.input_shape)).astype(np.float32)
        return x, random.integers(self.classes, size=n)


CASES = {
    case.name: case
    for case in (
        Case("lenet5", (1, 28, 28), 10, 128),
        Case("mnist-cnn", (1, 28, 28), 10, 128),
        Case("cifar-vgg", (3, 32, 32), 10, 64),
        Case("tdnn", (40, 100), 12, 64),
        Case("ds-cnn", (1, 49, 10), 12, 64),
    )
}
