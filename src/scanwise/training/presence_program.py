"""The program that trains an aggregating network on signals of unequal size, each labelled as a whole.

Gradients are those of one signal at a time (`presence_gradients`), so that nothing is padded to the longest, and memory
grows with no more than the values of one signal's positions. Only tiles have compiled sizes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Target
from scanwise.layers import Sequential, Shape
from scanwise.training.optimizers import Optimizer
from scanwise.training.presence_gradients import PresenceGradients
from scanwise.training.stepping import Stepping

__all__ = ["PresenceProgram"]


class PresenceProgram:
    """Trains on a list of signals; see `Program`, whose samples it takes as a list of arrays `(C, *extent)`.

    Args:
        network: it ends in `Aggregate`, with or without layers after it.
        input_shape: the model's own; signals may have any extent that the network takes.
        loss: its name.
        optimizer: its learning rate is not read; `begin_epoch` gives one for every step.
        batch_size: signals in a step.
        seed: not used, since nothing is drawn.
        backend: `"native"` or `"reference"`.

    Raises:
        ArgumentError: the network does not take signals of any size.
    """

    def __init__(
        self,
        network: Sequential,
        input_shape: Shape,
        *,
        loss: str,
        optimizer: Optimizer,
        batch_size: int,
        seed: int,
        backend: str = "native",
    ) -> None:
        del seed
        self._gradients = PresenceGradients(network, input_shape, backend)
        self._stepping = Stepping(optimizer)
        self._loss, self._batch_size = loss, batch_size
        self._epochs = 0

    def write_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from."""
        self._stepping.write(parameters)

    def read_parameters(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters."""
        return self._stepping.read()

    def begin_epoch(
        self,
        x: Sequence[NDArray[Any]],
        y: Target,
        order: NDArray[np.int64],
        learning_rates: NDArray[np.float32],
    ) -> None:
        """Prepare one epoch."""
        self._x, self._y, self._order, self._rates = x, y, order, learning_rates
        self._losses = np.zeros(len(learning_rates))
        self._correct = np.zeros(len(learning_rates), np.int64)
        self._done = 0
        self._epochs += 1

    def advance(self, seconds: float) -> int:
        """Run for about `seconds`."""
        end = time.monotonic() + seconds
        while self._done < len(self._rates):
            self._step(self._done)
            self._done += 1
            if time.monotonic() >= end:
                break
        return self._done

    @property
    def losses(self) -> NDArray[np.float64]:
        """Mean loss of each step."""
        return self._losses

    @property
    def correct(self) -> NDArray[np.int64]:
        """How many of each step's signals were right."""
        return self._correct

    def state(self) -> dict[str, NDArray[Any]]:
        """Moments, and the counts of steps and epochs."""
        return {**self._stepping.state(), "epochs": np.array(self._epochs)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        self._stepping.restore(state)
        self._epochs = int(state["epochs"])

    def _step(self, step: int) -> None:
        rows = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        self._gradients.take(self._stepping.parameters)
        with np.errstate(all="ignore"):  # training that diverges is the loop's to report
            found = self._gradients([self._x[row] for row in rows], self._y[rows], self._loss)
            self._losses[step] = found.losses.mean()
            self._correct[step] = found.correct or 0
            self._stepping.step(found.gradients, float(self._rates[step]))
