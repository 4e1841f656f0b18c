"""What `fit` calls between epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.training.history import History

if TYPE_CHECKING:
    from scanwise.model import Model


class Callback:
    """Base of callbacks: override what you need. A plain function `(model, history) -> bool | None` will do, too.

    The model holds the epoch's parameters when a callback sees it; if the callback assigns parameters, training goes on
    from those.

    Attributes:
        decides: False for callbacks that only look on. They may come and go between check-points, and keep no state.

    >>> import scanwise as sw
    >>> class Print(sw.Callback):
    ...     def epoch(self, model, history):
    ...         print(history[-1]["loss"])
    """

    decides = True

    def begin(self, model: Model, history: History) -> None:
        """Called once, before the first epoch."""

    def epoch(self, model: Model, history: History) -> bool | None:
        """Called after every epoch; `history[-1]` is that epoch. True ends the training."""
        return None

    def end(self, model: Model, history: History) -> None:
        """Called once, after the last epoch, also after Ctrl-C."""

    def state(self) -> Mapping[str, object]:
        """What a check-point keeps of the callback, by name: arrays, and values that JSON knows. Nothing by default."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, after `begin`: in a training that goes on from a check-point."""


@dataclass(eq=False)
class EarlyStopping(Callback):
    """End the training when a value has not become better for `patience` epochs, and restore the best parameters.

    Source: Prechelt, "Early stopping, but when?", 1998.

    Args:
        patience: epochs without a better value, at least 1.
        monitor: key of the history's epochs. Values whose name ends in `accuracy` are better when larger, all others
            when smaller.
        minimum_change: a value is better only if it is so by more than this, at least 0.
        restore_best: whether the model gets the parameters of its best epoch back at the end; also after Ctrl-C and
            when the epochs run out.

    Raises:
        ArgumentError: `patience` or `minimum_change` is out of range; or, from `fit`, `monitor` is not in the history
            (for instance `validation_loss` without validation data).

    >>> import scanwise as sw
    >>> stop = sw.EarlyStopping(patience=3, monitor="validation_accuracy")
    """

    patience: int = 5
    monitor: str = "validation_loss"
    minimum_change: float = 0.0
    restore_best: bool = True
    _best: float = field(default=math.inf, init=False, repr=False)
    _best_parameters: dict[str, NDArray[np.float32]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int | np.integer):
            raise ArgumentTypeError(f"patience must be a whole number. Got {self.patience!r}.")
        if self.patience < 1:
            raise ArgumentError(f"patience must be a whole number of at least 1. Got {self.patience!r}.")
        if isinstance(self.minimum_change, bool) or not isinstance(
            self.minimum_change, int | float | np.floating | np.integer
        ):
            raise ArgumentTypeError(f"minimum_change must be a number. Got {self.minimum_change!r}.")
        if not 0.0 <= self.minimum_change < math.inf:
            raise ArgumentError(f"minimum_change must be at least 0. Got {self.minimum_change!r}.")

    def begin(self, model: Model, history: History) -> None:
        """Forget an earlier training."""
        self._best, self._best_parameters = math.inf, {}
        history.best_epoch = None

    def epoch(self, model: Model, history: History) -> bool:
        """Keep the parameters if this epoch is the best one; stop if the best one is too long ago."""
        if self.monitor not in history[-1]:
            raise ArgumentError(f"monitor must be one of {', '.join(history[-1])}. Got {self.monitor!r}.")
        value = history[-1][self.monitor]
        cost = -value if self.monitor.endswith("accuracy") else value
        if cost < self._best - self.minimum_change:
            self._best = float(cost)
            self._best_parameters = dict(model.parameters)  # what is handed out never changes
            history.best_epoch = len(history) - 1
        waited = len(history) - 1 - (history.best_epoch if history.best_epoch is not None else -1)
        if waited < self.patience:
            return False
        history.stopped = f"{self.monitor} has not become better for {self.patience} epochs"
        return True

    def state(self) -> dict[str, object]:
        """The best value and its parameters."""
        return {"best": self._best, **self._best_parameters}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the best value so far."""
        self._best = float(state["best"])
        self._best_parameters = {name: value for name, value in state.items() if name != "best"}

    def end(self, model: Model, history: History) -> None:
        """Restore the best parameters."""
        if self.restore_best and self._best_parameters:
            model.parameters.update(self._best_parameters)
        self._best_parameters = {}
