"""The program that is the oracle: one step is the reference's gradient and the optimizer's formula, nothing more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise import reference
from scanwise.executor import Target, unit_range
from scanwise.inputs import as_samples
from scanwise.layers import Sequential, Shape
from scanwise.training.losses import correct
from scanwise.training.optimizers import Moments, Optimizer, reference_step


class ReferenceProgram:
    """Trains with plain loops in float64; see `Program`. Parameters and moments are kept in float32."""

    def __init__(
        self,
        network: Sequential,
        input_shape: Shape,
        *,
        loss: str,
        optimizer: Optimizer,
        batch_size: int,
        seed: int,
    ) -> None:
        self._network, self._input_shape = network, input_shape
        self._loss, self._optimizer, self._batch_size, self._seed = loss, optimizer, batch_size, seed
        self._parameters: dict[str, NDArray[np.float32]] = {}
        self._state = network.state_names()
        self._moments: dict[str, Moments] = {}
        self._t = 0  # optimizer steps so far
        self._epoch = -1

    def write_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from."""
        self._parameters = {name: np.array(value, np.float32) for name, value in parameters.items()}
        for name, value in self._parameters.items():
            if name not in self._moments and name not in self._state:
                self._moments[name] = tuple(np.zeros_like(value) for _ in range(self._optimizer.moments))

    def read_parameters(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters."""
        return {name: value.copy() for name, value in self._parameters.items()}

    def begin_epoch(
        self, x: NDArray[Any], y: Target, order: NDArray[np.int64], learning_rates: NDArray[np.float32]
    ) -> None:
        """Prepare one epoch."""
        self._x, self._y, self._order, self._rates = x, y, order, learning_rates
        self._losses = np.zeros(len(learning_rates))
        self._correct = np.zeros(len(learning_rates), np.int64)
        self._done = 0
        self._epoch += 1

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
        """How many of each step's samples were right."""
        return self._correct

    def state(self) -> dict[str, NDArray[Any]]:
        """Moments, step and epoch count."""
        moments = {f"{name}.moment{i}": m for name, ms in self._moments.items() for i, m in enumerate(ms)}
        return {**moments, "steps": np.array(self._t), "epochs": np.array(self._epoch + 1)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        for name in self._moments:
            count = range(self._optimizer.moments)
            self._moments[name] = tuple(np.array(state[f"{name}.moment{i}"], np.float32) for i in count)
        self._t, self._epoch = int(state["steps"]), int(state["epochs"]) - 1

    def _step(self, step: int) -> None:
        rows = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        x = unit_range(as_samples(self._x[rows], self._input_shape))
        target = self._y[rows]
        keys = reference.sample_keys(self._seed, self._epoch, rows)
        masks = reference.dropout_masks(self._network, self._input_shape, keys)
        batch = reference.batch_statistics(self._network)
        values: dict[str, NDArray[Any]] = {**self._parameters, **masks, **batch}
        with np.errstate(all="ignore"):  # training that diverges is the loop's to report
            outputs = reference.forward(self._network, x, values).astype(np.float32)
            hits = correct(outputs, target, self._loss)
            self._correct[step] = 0 if hits is None else int(hits.sum())
            self._losses[step], gradients = reference.loss_and_gradients(
                self._network, x, target, values, self._loss
            )
            running = reference.running_statistics(self._network, x, values) if batch else {}
            self._update(gradients, float(self._rates[step]))
            self._parameters |= {name: value.astype(np.float32) for name, value in running.items()}

    def _update(self, gradients: dict[str, NDArray[np.float64]], rate: float) -> None:
        self._t += 1
        for name, moments in self._moments.items():
            self._parameters[name], self._moments[name] = reference_step(
                self._optimizer, self._parameters[name], gradients[name], moments, rate, self._t
            )
