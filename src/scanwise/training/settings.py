"""The arguments of `fit` that are not data, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.initialization import check_seed
from scanwise.inputs import check_loss
from scanwise.model import Model
from scanwise.training.augmentation import checked_augment
from scanwise.training.callbacks import Callback
from scanwise.training.history import History
from scanwise.training.optimizers import SGD, AdamW, Optimizer

if TYPE_CHECKING:
    from scanwise.augment import Augment

CallbackFunction = Callable[[Model, History], bool | None]


@dataclass(frozen=True)
class Settings:
    """What decides a training beside the model and the samples."""

    epochs: int
    batch_size: int
    optimizer: Optimizer
    loss: str
    seed: int
    callbacks: tuple[Callback, ...]
    augment: Augment | None = None

    @property
    def deciding(self) -> tuple[Callback, ...]:
        """The callbacks that a training depends on."""
        return tuple(callback for callback in self.callbacks if callback.decides)


class FunctionCallback(Callback):
    """A plain function as a callback."""

    def __init__(self, function: CallbackFunction) -> None:
        self.function = function

    def epoch(self, model: Model, history: History) -> bool | None:
        """What the function says."""
        return self.function(model, history)


def checked_settings(
    model: object,
    epochs: object,
    batch_size: object,
    optimizer: object,
    loss: object,
    seed: object,
    callbacks: Sequence[Callback | CallbackFunction],
    augment: object,
) -> Settings:
    """The settings, or the error that says what is wrong with them."""
    check_model_and_optimizer(model, optimizer)
    if not isinstance(callbacks, Sequence):
        raise ArgumentTypeError(f"callbacks must be a sequence of Callbacks or functions. Got {callbacks!r}.")
    found: list[Callback] = []
    for callback in callbacks:
        if isinstance(callback, Callback):
            found.append(callback)
        elif callable(callback):
            found.append(FunctionCallback(callback))
        else:
            raise ArgumentTypeError(f"callbacks must be Callbacks or functions. Got {callback!r}.")
    return Settings(
        positive("epochs", epochs),
        positive("batch_size", batch_size),
        optimizer,  # type: ignore[arg-type]  # checked above
        check_loss(loss),
        check_seed(seed),
        tuple(found),
        checked_augment(augment),
    )


def check_model_and_optimizer(model: object, optimizer: object) -> None:
    """Raise ArgumentTypeError unless they are what they are called."""
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    if not isinstance(optimizer, SGD | AdamW):
        raise ArgumentTypeError(f"optimizer must be SGD(...) or AdamW(...). Got {optimizer!r}.")


def positive(name: str, value: object) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"{name} must be a whole number. Got {value!r}.")
    if value < 1:
        raise ArgumentError(f"{name} must be at least 1. Got {value}.")
    return int(value)
