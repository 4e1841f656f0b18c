"""What every contender does alike: the optimizer's numbers, and how many batches the inputs rotate through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, SupportsFloat

import numpy as np
from numpy.typing import NDArray

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
