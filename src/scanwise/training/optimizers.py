"""Optimizers: what one step does to a parameter `w` with gradient `g`.

An optimizer here is frozen data. `reference_step` says what it means, in NumPy; the native epoch loop runs the same
formula in emitted code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.training.schedules import Schedule

Moments = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum and Nesterov's look-ahead.

        g <- g + weight_decay * w
        v <- momentum * v + g
        w <- w - lr * v                       (Nesterov: w - lr * (g + momentum * v))

    These are the update rules of `torch.optim.SGD` (dampening 0). Source: Sutskever et al., "On the importance of
    initialization and momentum in deep learning", ICML 2013.

    Args:
        lr: learning rate, a positive number or a schedule (`Step`, `Cosine`, `OneCycle`).
        momentum: 0 (none) to below 1.
        nesterov: look ahead; needs momentum.
        weight_decay: strength of the L2 penalty, at least 0. It is added to the gradient of every parameter.

    Raises:
        ArgumentError: a value is outside its range.

    >>> import scanwise as sw
    >>> sw.SGD(0.05, momentum=0.9)
    SGD(lr=0.05, momentum=0.9, nesterov=False, weight_decay=0.0)
    """

    lr: float | Schedule
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        _check_range("momentum", self.momentum, 0.0, 1.0)
        _check_range("weight_decay", self.weight_decay, 0.0, math.inf)
        if self.nesterov and self.momentum == 0.0:
            raise ArgumentError("momentum must be above 0 with nesterov=True. Got 0.")

    @property
    def moments(self) -> int:
        """How many arrays of the parameters' size the optimizer keeps: the velocity, or none."""
        return 1 if self.momentum > 0.0 else 0


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay.

        w <- w - lr * weight_decay * w
        m <- b1 * m + (1 - b1) * g
        v <- b2 * v + (1 - b2) * g^2
        w <- w - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)          t = 1, 2, ...

    These are the update rules of `torch.optim.AdamW`. Source: Loshchilov and Hutter, "Decoupled weight decay
    regularization", ICLR 2019, algorithm 2.

    Args:
        lr: learning rate, a positive number or a schedule (`Step`, `Cosine`, `OneCycle`).
        betas: how slowly the two moments forget, each 0 to below 1.
        eps: added to the denominator, above 0.
        weight_decay: share of every parameter taken away per step and learning rate, at least 0.

    Raises:
        ArgumentError: a value is outside its range.

    >>> import scanwise as sw
    >>> sw.AdamW(1e-3).betas
    (0.9, 0.999)
    """

    lr: float | Schedule
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check_lr(self.lr)
        betas: object = self.betas
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ArgumentError(f"betas must be a pair of numbers. Got {self.betas!r}.")
        object.__setattr__(self, "betas", tuple(self.betas))
        for beta in self.betas:
            _check_range("betas", beta, 0.0, 1.0)
        _check_range("eps", self.eps, 0.0, math.inf, open_below=True)
        _check_range("weight_decay", self.weight_decay, 0.0, math.inf)

    @property
    def moments(self) -> int:
        """How many arrays of the parameters' size the optimizer keeps: the two moments."""
        return 2


Optimizer = SGD | AdamW


def reference_step(
    optimizer: Optimizer,
    w: NDArray[np.float32],
    g: NDArray[np.float64],
    moments: Moments,
    lr: float,
    t: int,
) -> tuple[NDArray[np.float32], Moments]:
    """One step on one parameter: what the optimizer means.

    Computed in float64 from float32 state, so that only the stored state is rounded.

    Args:
        w: the parameter.
        g: its gradient, same shape.
        moments: `optimizer.moments` arrays of the same shape, zeros before the first step.
        lr: this step's learning rate.
        t: this step's number, from 1.

    Returns:
        The new parameter and the new moments.
    """
    wide = w.astype(np.float64)
    if isinstance(optimizer, SGD):
        return _sgd_step(optimizer, wide, g, moments, lr)
    return _adamw_step(optimizer, wide, g, moments, lr, t)


def _sgd_step(
    optimizer: SGD, w: NDArray[np.float64], g: NDArray[np.float64], moments: Moments, lr: float
) -> tuple[NDArray[np.float32], Moments]:
    g = g + optimizer.weight_decay * w
    if optimizer.momentum == 0.0:
        return (w - lr * g).astype(np.float32), ()
    v = optimizer.momentum * moments[0].astype(np.float64) + g
    step = g + optimizer.momentum * v if optimizer.nesterov else v
    return (w - lr * step).astype(np.float32), (v.astype(np.float32),)


def _adamw_step(
    optimizer: AdamW, w: NDArray[np.float64], g: NDArray[np.float64], moments: Moments, lr: float, t: int
) -> tuple[NDArray[np.float32], Moments]:
    b1, b2 = optimizer.betas
    w = w - lr * optimizer.weight_decay * w
    m = b1 * moments[0].astype(np.float64) + (1.0 - b1) * g
    v = b2 * moments[1].astype(np.float64) + (1.0 - b2) * g * g
    w = w - lr * (m / (1.0 - b1**t)) / (np.sqrt(v / (1.0 - b2**t)) + optimizer.eps)
    return w.astype(np.float32), (m.astype(np.float32), v.astype(np.float32))


def _check_lr(lr: object) -> None:
    if isinstance(lr, Schedule):
        return
    if isinstance(lr, bool) or not isinstance(lr, (int, float, np.floating, np.integer)):
        raise ArgumentTypeError(f"lr must be a number or a schedule. Got {lr!r}.")
    _check_range("lr", float(lr), 0.0, math.inf, open_below=True)


def _check_range(name: str, value: object, low: float, high: float, *, open_below: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
    if not (low < value < high if open_below else low <= value < high):
        bound = "above" if open_below else "at least"
        below = "" if high == math.inf else f" and below {high:g}"
        raise ArgumentError(f"{name} must be {bound} {low:g}{below}. Got {value!r}.")
