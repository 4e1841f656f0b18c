"""The program that is the oracle: one step is the reference's gradient and the optimizer's formula, nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise import reference
from scanwise.augment import Augment
from scanwise.augment.reference import augmented
from scanwise.executor import unit_range
from scanwise.inputs import as_samples
from scanwise.layers import Sequential, Shape
from scanwise.training.losses import correct
from scanwise.training.optimizers import Optimizer
from scanwise.training.stepped_program import Evaluated, SteppedProgram


class ReferenceProgram(SteppedProgram):
    """Trains with plain loops in float64; see `Program`."""

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
    ) -> None:
        super().__init__(loss=loss, optimizer=optimizer, batch_size=batch_size, state=network.state_names())
        self._network, self._input_shape, self._seed = network, input_shape, seed
        self._augment = augment

    def _evaluate(self, rows: NDArray[np.int64], parameters: Mapping[str, NDArray[np.float32]]) -> Evaluated:
        x = unit_range(as_samples(self._x[rows], self._input_shape))
        if self._augment is not None:
            x = augmented(self._augment, x, seed=self._seed, epoch=self._epochs - 1, samples=rows)
        target = self._y[rows]
        keys = reference.sample_keys(self._seed, self._epochs - 1, rows)
        masks = reference.dropout_masks(self._network, self._input_shape, keys)
        batch = reference.batch_statistics(self._network)
        values: dict[str, NDArray[Any]] = {**parameters, **masks, **batch}
        outputs = reference.forward(self._network, x, values).astype(np.float32)
        hits = correct(outputs, target, self._loss)
        loss, gradients = reference.loss_and_gradients(self._network, x, target, values, self._loss)
        running = reference.running_statistics(self._network, x, values) if batch else {}
        return Evaluated(loss, 0 if hits is None else int(hits.sum()), gradients, running)
