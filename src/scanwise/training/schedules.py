"""Learning-rate schedules: one learning rate for every optimizer step.

A schedule is frozen data with one method, `learning_rates`, which is asked once per epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError


@runtime_checkable
class Schedule(Protocol):
    """Anything with this method can stand in an optimizer's `lr`."""

    def learning_rates(self, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
        """Learning rates of the `steps` steps of epoch number `epoch` (from 0) of `epochs`."""
        ...


@dataclass(frozen=True)
class Step:
    """Multiply the learning rate by `factor` after every `every_epochs` epochs.

    Args:
        lr: learning rate of the first epochs, above 0.
        every_epochs: epochs between two reductions, at least 1.
        factor: above 0.

    >>> import scanwise as sw
    >>> schedule = sw.Step(0.1, every_epochs=2, factor=0.5)
    >>> [round(float(schedule.learning_rates(epoch, 4, 1)[0]), 3) for epoch in range(4)]
    [0.1, 0.1, 0.05, 0.05]
    """

    lr: float
    every_epochs: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_positive("lr", self.lr)
        _check_positive("factor", self.factor)
        if isinstance(self.every_epochs, bool) or not isinstance(self.every_epochs, int | np.integer):
            raise ArgumentTypeError(f"every_epochs must be a whole number. Got {self.every_epochs!r}.")
        if self.every_epochs < 1:
            raise ArgumentError(
                f"every_epochs must be a whole number of at least 1. Got {self.every_epochs!r}"
            )

    def learning_rates(self, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
        """Learning rates of one epoch, `(steps,)`."""
        return np.full(steps, self.lr * self.factor ** (epoch // self.every_epochs), np.float32)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `lr` down to `final`, after a linear warm-up.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5,
    without restarts.

    Args:
        lr: largest learning rate, above 0.
        final: learning rate that the end approaches, at least 0.
        warmup: epochs (a fraction is allowed) over which the rate rises in equal steps to `lr`.

    >>> import scanwise as sw
    >>> [round(float(rate), 3) for rate in sw.Cosine(0.2).learning_rates(0, 1, 4)]
    [0.2, 0.171, 0.1, 0.029]
    """

    lr: float
    final: float = 0.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        _check_positive("lr", self.lr)
        _check_not_negative("final", self.final)
        _check_not_negative("warmup", self.warmup)

    def learning_rates(self, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
        """Learning rates of one epoch, `(steps,)`."""
        total = epochs * steps
        warm = min(round(self.warmup * steps), total)
        return np.array(
            [self._rate(t, warm, total) for t in range(epoch * steps, (epoch + 1) * steps)], np.float32
        )

    def _rate(self, t: int, warm: int, total: int) -> float:
        if t < warm:
            return self.lr * (t + 1) / warm
        return _cosine(self.lr, self.final, (t - warm) / max(total - warm, 1))


@dataclass(frozen=True)
class OneCycle:
    """Rise from a small learning rate to `lr_max` and fall to almost nothing, each along half a cosine.

    The rates of `torch.optim.lr_scheduler.OneCycleLR` with its defaults, for the learning rate alone: momentum stays
    as the optimizer says. Source: Smith and Topin, "Super-convergence", 2019.

    Args:
        lr_max: largest learning rate, above 0.
        rise: share of all steps that go up, between 0 and 1.
        initial_divisor: the first rate is `lr_max / initial_divisor`.
        final_divisor: the last rate is the first one divided by this.

    >>> import scanwise as sw
    >>> rates = sw.OneCycle(0.1).learning_rates(0, 1, 10)
    >>> round(float(rates[0]), 4), round(float(rates.max()), 4), int(rates.argmax())
    (0.004, 0.1, 2)
    """

    lr_max: float
    rise: float = 0.3
    initial_divisor: float = 25.0
    final_divisor: float = 1e4

    def __post_init__(self) -> None:
        _check_positive("lr_max", self.lr_max)
        _check_positive("initial_divisor", self.initial_divisor)
        _check_positive("final_divisor", self.final_divisor)
        _check_not_negative("rise", self.rise)
        if self.rise > 1.0:
            raise ArgumentError(f"rise must be between 0 and 1. Got {self.rise!r}.")

    def learning_rates(self, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
        """Learning rates of one epoch, `(steps,)`."""
        total = epochs * steps
        return np.array([self._rate(t, total) for t in range(epoch * steps, (epoch + 1) * steps)], np.float32)

    def _rate(self, t: int, total: int) -> float:
        first = self.lr_max / self.initial_divisor
        last = first / self.final_divisor
        peak = self.rise * total - 1.0
        if t <= peak:
            return _cosine(first, self.lr_max, t / peak if peak > 0.0 else 1.0)
        return _cosine(self.lr_max, last, (t - peak) / (total - 1.0 - peak) if total - 1.0 > peak else 1.0)


def learning_rates(lr: float | Schedule, epoch: int, epochs: int, steps: int) -> NDArray[np.float32]:
    """The rates of one epoch for a number or a schedule, checked: `(steps,)` float32, finite and not negative."""
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which is refused
        if isinstance(lr, Schedule):
            rates = np.ascontiguousarray(lr.learning_rates(epoch, epochs, steps), np.float32)
        else:
            rates = np.full(steps, lr, np.float32)
    if rates.shape != (steps,) or not np.isfinite(rates).all() or (rates < 0.0).any():
        raise ArgumentError(
            f"learning_rates of {lr!r} must give {steps} finite rates of at least 0 for epoch {epoch}. Got {rates!r}"
        )
    return rates


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))


def _check_positive(name: str, value: object) -> None:
    _check_not_negative(name, value)
    if value == 0:
        raise ArgumentError(f"{name} must be above 0. Got {value!r}.")


def _check_not_negative(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
    if not 0.0 <= value < math.inf:
        raise ArgumentError(f"{name} must be finite and at least 0. Got {value!r}.")
