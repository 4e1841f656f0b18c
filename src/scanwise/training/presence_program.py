"""The program that trains an aggregating network on signals of unequal size, each labelled as a whole.

Gradients are those of one signal at a time (`presence_gradients`), so that nothing is padded to the longest, and memory
grows with no more than the values of one signal's positions. Only tiles have compiled sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.augment import Augment
from scanwise.layers import Sequential, Shape
from scanwise.training.augmentation import seen_in_training
from scanwise.training.masked import Keys
from scanwise.training.optimizers import Optimizer
from scanwise.training.presence_gradients import PresenceGradients
from scanwise.training.stepped_program import Evaluated, SteppedProgram

__all__ = ["PresenceProgram"]


class PresenceProgram(SteppedProgram):
    """Trains on signals; see `Program`, whose samples it takes as a sequence of arrays `(C, *extent)`.

    Args:
        network: it ends in `Aggregate`, with or without layers after it.
        input_shape: the model's own; signals may have any extent that the network takes.
        loss: its name.
        optimizer: its learning rate is not read; `begin_epoch` gives one for every step.
        batch_size: signals in a step.
        seed: of dropout and augmentation.
        augment: what happens to signals first. Each is then copied when its turn comes.
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
        augment: Augment | None = None,
        backend: str = "native",
    ) -> None:
        super().__init__(loss=loss, optimizer=optimizer, batch_size=batch_size)
        self._seed, self._augment, self._backend = seed, augment, backend
        self._gradients = PresenceGradients(network, input_shape, backend)

    def _evaluate(self, rows: NDArray[np.int64], parameters: Mapping[str, NDArray[np.float32]]) -> Evaluated:
        self._gradients.take(parameters)
        signals = (self._signal(row) for row in rows)
        found = self._gradients(signals, self._y[rows], self._loss, self._keys(rows))
        return Evaluated(float(found.losses.mean()), found.correct or 0, found.gradients)

    def _signal(self, row: np.int64) -> NDArray[Any]:
        """A signal as training sees it."""
        signal: NDArray[Any] = self._x[row]
        if self._augment is None:
            return signal
        (changed,) = seen_in_training(
            self._augment,
            [signal],
            seed=self._seed,
            epoch=self._epochs - 1,
            samples=np.array([row]),
            backend=self._backend,
        )
        return changed

    def _keys(self, rows: NDArray[np.int64]) -> Keys | None:
        """What dropout draws from: of the seed, the epoch and the signal alone."""
        if not self._gradients.drops:
            return None
        from scanwise import reference

        return reference.sample_keys(self._seed, self._epochs - 1, rows)
