"""The program that is the oracle: one step is the reference's gradient and the optimizer's formula, nothing more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise import reference
from scanwise.executor import Target, unit_range
from scanwise.inputs import as_samples
from scanwise.layers import Sequential, Shape
from scanwise.training.losses import correct
from scanwise.training.optimizers import Moments, Optimizer, reference_step


@dataclass(frozen=True)
class _Reached:
    """What a step changes. It is replaced as one thing, so that a Ctrl-C finds steps done whole or not at all."""

    parameters: dict[str, NDArray[np.float32]]
    moments: dict[str, Moments]
    steps: int = 0  # so far, in all epochs
    done: int = 0  # of the running epoch


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
        self._reached = _Reached({}, {})
        self._epochs = 0  # begun
        self._running = False
        self._diverged = False
        self._losses = np.zeros(0)
        self._correct = np.zeros(0, np.int64)

    def write_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from."""
        given = {name: np.array(value, np.float32) for name, value in parameters.items()}
        count = self._optimizer.moments
        fresh = {name: tuple(np.zeros_like(v) for _ in range(count)) for name, v in given.items()}
        self._reached = replace(self._reached, parameters=given, moments=fresh | self._reached.moments)

    def read_parameters(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters."""
        return {name: value.copy() for name, value in self._reached.parameters.items()}

    def begin_epoch(
        self, x: NDArray[Any], y: Target, order: NDArray[np.int64], learning_rates: NDArray[np.float32]
    ) -> None:
        """Prepare one epoch."""
        self._x, self._y, self._order, self._rates = x, y, order, learning_rates
        if self._running or self._reached.done == len(
            self._losses
        ):  # else a restored state is within this epoch
            self._losses = np.zeros(len(learning_rates))
            self._correct = np.zeros(len(learning_rates), np.int64)
            self._reached = replace(self._reached, done=0)
            self._epochs += 1
        self._running, self._diverged = True, False

    def advance(self, seconds: float) -> int:
        """Run for about `seconds`."""
        end = time.monotonic() + seconds
        while self._reached.done < len(self._rates):
            self._step(self._reached.done)
            if self._diverged or time.monotonic() >= end:
                break
        return self._reached.done

    @property
    def diverged(self) -> bool:
        """Whether the loss of the step after the last finished one is not finite."""
        return self._diverged

    @property
    def losses(self) -> NDArray[np.float64]:
        """Mean loss of each step."""
        return self._losses

    @property
    def correct(self) -> NDArray[np.int64]:
        """How many of each step's samples were right."""
        return self._correct

    def state(self) -> dict[str, NDArray[Any]]:
        """Moments, counts of steps and epochs, and what there is of the running epoch."""
        reached = self._reached
        moments = {f"{name}.moment{i}": m for name, ms in reached.moments.items() for i, m in enumerate(ms)}
        return {
            **moments,
            "steps": np.array(reached.steps),
            "epochs": np.array(self._epochs),
            "done": np.array(reached.done),
            "losses": self._losses.copy(),
            "correct": self._correct.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave."""
        count = range(self._optimizer.moments)
        moments = {
            name: tuple(np.array(state[f"{name}.moment{i}"], np.float32) for i in count)
            for name in self._reached.parameters
        }
        self._reached = _Reached(self._reached.parameters, moments, int(state["steps"]), int(state["done"]))
        self._epochs, self._running = int(state["epochs"]), False
        self._losses = np.array(state["losses"], np.float64)
        self._correct = np.array(state["correct"], np.int64)

    def _step(self, step: int) -> None:
        rows = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        x = unit_range(as_samples(self._x[rows], self._input_shape))
        target = self._y[rows]
        keys = reference.sample_keys(self._seed, self._epochs - 1, rows)
        masks = reference.dropout_masks(self._network, self._input_shape, keys)
        values: dict[str, NDArray[Any]] = {**self._reached.parameters, **masks}
        with np.errstate(all="ignore"):  # training that diverges is the loop's to report
            outputs = reference.forward(self._network, x, values).astype(np.float32)
            hits = correct(outputs, target, self._loss)
            self._correct[step] = 0 if hits is None else int(hits.sum())
            self._losses[step], gradients = reference.loss_and_gradients(
                self._network, x, target, values, self._loss
            )
            if np.isfinite(self._losses[step]):
                self._reached = self._updated(gradients, float(self._rates[step]))
            else:
                self._diverged = True

    def _updated(self, gradients: dict[str, NDArray[np.float64]], rate: float) -> _Reached:
        """What a step leads to."""
        before = self._reached
        t = before.steps + 1
        parameters, moments = {}, {}
        for name, w in before.parameters.items():
            parameters[name], moments[name] = reference_step(
                self._optimizer, w, gradients[name], before.moments[name], rate, t
            )
        return _Reached(parameters, moments, t, before.done + 1)
