"""The contenders' names, and what all do alike: the optimizer's numbers, how many batches the inputs rotate through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, SupportsFloat

import numpy as np
from numpy.typing import NDArray

SCANWISE = "Scanwise"
FAST = "Scanwise, fast"
ONE_THREAD = "Scanwise, one thread"
# These are beginnings of names: each takes part in several ways, and the quickest counts.
PYTORCH = "PyTorch"
JAX = "JAX"
ONNX_RUNTIME = "ONNX Runtime"

POOL = 16
"""Batches that the inputs rotate through."""

LEARNING_RATE = 1e-3
MOMENTUM = 0.9

Array = NDArray[np.float32]


class Training(Protocol):
    """A contender that trains."""

    def run(self, steps: int) -> Sequence[SupportsFloat]:
        """The losses of so many further steps."""

    def parameters(self) -> Mapping[str, NDArray[np.floating]]:
        """After the last step, in PyTorch's names and layout."""
