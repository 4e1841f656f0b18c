"""`find_learning_rate`: the range test."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, DivergedError
from scanwise.model import Model
from scanwise.training.augmentation import require_fitting
from scanwise.training.optimizers import SGD, Optimizer
from scanwise.training.program import make_program
from scanwise.training.samples import training_samples
from scanwise.training.settings import checked_settings, positive

_DEFAULT_OPTIMIZER = SGD(0.05, momentum=0.9)
_STEPS = 400  # with 100, batches of eight gave rates a thousand times too large
_SMOOTHING = 20  # this part of the steps on each side is averaged over: single losses are noise
# Times the smallest loss so far: no larger rate will do better. Later losses may look so, but are those of a network
# that always gives the same answer because its units have died.
_TOO_LARGE = 1.5
_SLICE_SECONDS = 0.2


@dataclass(frozen=True)
class LearningRates:
    """What a range test found.

    Attributes:
        rates: `(n,)`, the learning rate of each step that was taken, rising.
        losses: `(n,)`, the mean loss of each step's samples.
        smoothed: `(n,)`, means of these over a tenth of all steps about each.
        suggestion: the rate at which `smoothed` is smallest.
    """

    rates: NDArray[np.float64] = field(repr=False)
    losses: NDArray[np.float64] = field(repr=False)
    smoothed: NDArray[np.float64] = field(repr=False)
    suggestion: float


def find_learning_rate(
    model: Model,
    x: object,
    y: ArrayLike | None = None,
    *,
    batch_size: int = 128,
    optimizer: Optimizer = _DEFAULT_OPTIMIZER,
    loss: str = "cross_entropy",
    augment: object = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = _STEPS,
    seed: int = 0,
) -> LearningRates:
    """Try learning rates from small to large, one a step, and suggest one. The model stays as it is.

    The loss falls while the rate is of use, and rises when it is too large. The suggestion is meant as the largest rate
    of a schedule (`OneCycle`), or as a constant one.

    Args:
        model: the model that is to be trained, as it is before training.
        x, y, batch_size, optimizer, loss, augment, seed: as for `fit`. The optimizer's own rate is not used.
        lowest, highest: first and last rate, `0 < lowest < highest`.
        steps: from the first rate to the last, each larger by the same factor, at least 10. They end early when the
            loss is well above the smallest so far.

    Raises:
        ArgumentError, ArgumentTypeError, ShapeError, DataError: an argument is not as stated.
        DivergedError: the loss is not finite at the lowest rate, or falls at none.

    Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    >>> import numpy as np, scanwise as sw
    >>> x = np.random.default_rng(0).standard_normal((64, 2))
    >>> model = sw.Model(sw.Sequential(sw.Linear(2)), (2,), backend="reference")
    >>> found = sw.find_learning_rate(model, x, x[:, 0] > 0, batch_size=16)
    >>> 0.001 < found.suggestion < 10
    True
    """
    settings = checked_settings(model, 1, batch_size, optimizer, loss, seed, (), augment)
    steps = positive("steps", steps)
    if steps < 10:
        raise ArgumentError(f"steps must be at least 10. Got {steps}.")
    lowest, highest = _rate("lowest", lowest), _rate("highest", highest)
    if not lowest < highest:
        raise ArgumentError(f"lowest must be below highest. Got {lowest!r} and {highest!r}.")
    train, _ = training_samples(model, x, y, settings.loss, None, settings.seed)
    require_fitting(settings.augment, train.x)
    rates = np.geomspace(lowest, highest, steps)
    size = min(settings.batch_size, len(train.rows))
    epochs = -(-steps * size // len(train.rows))
    order = np.concatenate([train.shuffled(settings.seed, epoch) for epoch in range(epochs)])[: steps * size]
    program = make_program(model, settings, size, unequal=train.unequal)
    program.write_parameters(model.parameters)
    program.begin_epoch(train.x, train.y, order, rates.astype(np.float32))
    done, too_large, reach = 0, False, max(steps // _SMOOTHING, 1)
    while done < steps and not program.diverged and not too_large:
        done = program.advance(_SLICE_SECONDS)
        smoothed = _smoothed(program.losses[:done], reach)
        certain = smoothed if done == steps or program.diverged else smoothed[: max(done - reach, 0)]
        above = certain > _TOO_LARGE * np.minimum.accumulate(certain) if len(certain) else np.zeros(0, bool)
        too_large = bool(above.any())
        if too_large:
            done = int(above.argmax()) + 1  # where it ends does not depend on how long a slice is
    best = int(smoothed[:done].argmin()) if done else 0
    if best == 0:
        raise DivergedError(
            f"the loss must fall at a rate from lowest to highest. Got none from {lowest:g} to {highest:g} at which it "
            "does; smaller rates, or samples of a smaller scale, usually help."
        )
    losses = program.losses[:done].copy()
    return LearningRates(rates[:done], losses, smoothed[:done], float(rates[best]))


def _rate(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentError(f"{name} must be a number above 0. Got {value!r}.")
    if not 0.0 < value < np.inf:
        raise ArgumentError(f"{name} must be finite and above 0. Got {value!r}.")
    return float(value)


def _smoothed(losses: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The mean of each and of up to `reach` neighbours on each side."""
    numbers = np.arange(len(losses))
    first, last = np.maximum(numbers - reach, 0), np.minimum(numbers + reach + 1, len(losses))
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    means: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return means
