"""Parameters and moments outside of native code, and the optimizer's step on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.training.optimizers import Moments, Optimizer, reference_step

__all__ = ["Stepping"]


class Stepping:
    """What an optimizer changes. Parameters and moments are kept in float32, a step is computed in float64.

    Args:
        optimizer: its learning rate is not read.

    Attributes:
        parameters: by name.
        steps: that have been taken.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self.parameters: dict[str, NDArray[np.float32]] = {}
        self._moments: dict[str, Moments] = {}
        self.steps = 0

    def write(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from. The moments stay as they are."""
        self.parameters = {name: np.array(value, np.float32) for name, value in parameters.items()}
        for name, value in self.parameters.items():
            if name not in self._moments:
                self._moments[name] = tuple(np.zeros_like(value) for _ in range(self._optimizer.moments))

    def read(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters."""
        return {name: value.copy() for name, value in self.parameters.items()}

    def step(self, gradients: Mapping[str, NDArray[np.float64]], rate: float) -> None:
        """One step with this learning rate."""
        self.steps += 1
        for name, w in self.parameters.items():
            self.parameters[name], self._moments[name] = reference_step(
                self._optimizer, w, gradients[name], self._moments[name], rate, self.steps
            )

    def state(self) -> dict[str, NDArray[Any]]:
        """Moments and the number of steps."""
        moments = {f"{name}.moment{i}": m for name, ms in self._moments.items() for i, m in enumerate(ms)}
        return {**moments, "steps": np.array(self.steps)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        for name in self._moments:
            count = range(self._optimizer.moments)
            self._moments[name] = tuple(np.array(state[f"{name}.moment{i}"], np.float32) for i in count)
        self.steps = int(state["steps"])
