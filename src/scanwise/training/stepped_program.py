"""What programs have in common that take their steps in Python: parameters, moments, and how far an epoch has come."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Target
from scanwise.training.optimizers import Moments, Optimizer, reference_step

__all__ = ["Evaluated", "SteppedProgram"]


class Evaluated(NamedTuple):
    """What the samples of a step give.

    Attributes:
        loss: the mean.
        correct: how many had their largest output at the target.
        gradients: of the mean loss, by every parameter.
        state: new values of what is not trained, such as running statistics.
    """

    loss: float
    correct: int
    gradients: Mapping[str, NDArray[np.float64]]
    state: Mapping[str, NDArray[np.float64]] = MappingProxyType({})


@dataclass(frozen=True)
class _Reached:
    """What a step changes. It is replaced as one thing, so that a Ctrl-C finds steps done whole or not at all."""

    parameters: dict[str, NDArray[np.float32]]
    moments: dict[str, Moments]
    steps: int = 0  # so far, in all epochs
    done: int = 0  # of the running epoch


class SteppedProgram:
    """A `Program` whose subclass says what the samples of a step give. Parameters and moments are kept in float32, the
    optimizer's step is computed in float64.

    Args:
        loss: its name.
        optimizer: its learning rate is not read; `begin_epoch` gives one for every step.
        batch_size: samples in a step.
        state: names of parameters that are not trained.
    """

    def __init__(
        self, *, loss: str, optimizer: Optimizer, batch_size: int, state: Collection[str] = ()
    ) -> None:
        self._state = state
        self._loss, self._optimizer, self._batch_size = loss, optimizer, batch_size
        self._reached = _Reached({}, {})
        self._epochs = 0  # begun
        self._running = False
        self._diverged = False
        self._losses = np.zeros(0)
        self._correct = np.zeros(0, np.int64)

    def _evaluate(self, rows: NDArray[np.int64], parameters: Mapping[str, NDArray[np.float32]]) -> Evaluated:
        """Loss and gradients of the samples `self._x[rows]` and targets `self._y[rows]`, with these parameters."""
        raise NotImplementedError

    def write_parameters(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the parameters to go on from."""
        given = {name: np.array(value, np.float32) for name, value in parameters.items()}
        count = self._optimizer.moments
        trained = {name: value for name, value in given.items() if name not in self._state}
        fresh = {name: tuple(np.zeros_like(v) for _ in range(count)) for name, v in trained.items()}
        self._reached = replace(self._reached, parameters=given, moments=fresh | self._reached.moments)

    def read_parameters(self) -> dict[str, NDArray[np.float32]]:
        """A copy of the parameters."""
        return {name: value.copy() for name, value in self._reached.parameters.items()}

    def begin_epoch(
        self, x: Any, y: Target, order: NDArray[np.int64], learning_rates: NDArray[np.float32]
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
            for name in self._reached.moments
        }
        self._reached = _Reached(self._reached.parameters, moments, int(state["steps"]), int(state["done"]))
        self._epochs, self._running = int(state["epochs"]), False
        self._losses = np.array(state["losses"], np.float64)
        self._correct = np.array(state["correct"], np.int64)

    def _step(self, step: int) -> None:
        rows = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        with np.errstate(all="ignore"):  # training that diverges is the loop's to report
            found = self._evaluate(rows, self._reached.parameters)
            self._losses[step], self._correct[step] = found.loss, found.correct
            if np.isfinite(found.loss):
                self._reached = self._updated(found, float(self._rates[step]))
            else:
                self._diverged = True

    def _updated(self, found: Evaluated, rate: float) -> _Reached:
        """What a step leads to."""
        before = self._reached
        t = before.steps + 1
        parameters, moments = dict(before.parameters), {}
        for name, own in before.moments.items():
            parameters[name], moments[name] = reference_step(
                self._optimizer, parameters[name], found.gradients[name], own, rate, t
            )
        parameters |= {name: value.astype(np.float32) for name, value in found.state.items()}
        return _Reached(parameters, moments, t, before.done + 1)
