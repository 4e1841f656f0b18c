"""Augmentation of samples that were shifted and scaled before: it is meant for them as they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scanwise.augment.base import Augmentation
from scanwise.augment.steps import Augment
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.inputs import number_array

__all__ = ["standardised"]


@dataclass(frozen=True)
class _PerChannel(Augmentation):
    """y = factor x + offset, for each channel. It draws nothing."""

    draws: ClassVar[bool] = False

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Raise ArgumentError: it belongs to data, and is made from them."""
        raise ArgumentError(
            "augment must be written as JSON before `standardised`. Got one that goes back to other units."
        )


def standardised(augment: Augment, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Augment:
    """What `augment` makes of x, for z = (x - mean) / deviation: back to x, the augmentation, and to z again.

    Zeros that come in are then those of x, a change of brightness has the unit of x, and a signal-to-noise ratio is
    that of x. Draws are those of `augment`.

    Args:
        augment: for x.
        mean, deviation: of every channel, `(C,)`; finite, and deviations above 0.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> from scanwise.augment import Brightness
    >>> steps = standardised(Augment(Brightness((6, 6))), np.array([5.0]), np.array([2.0]))
    >>> steps(np.array([[[[0.0, 1.0]]]])).tolist()
    [[[[3.0, 4.0]]]]
    """
    if not isinstance(augment, Augment):
        raise ArgumentTypeError(f"augment must be an Augment. Got {augment!r}.")
    mean, deviation = (
        number_array(each, name).astype(np.float64)
        for each, name in ((mean, "mean"), (deviation, "deviation"))
    )
    if mean.ndim != 1 or mean.shape != deviation.shape:
        raise ArgumentError(
            f"mean and deviation must have shape (C,). Got {mean.shape} and {deviation.shape}."
        )
    least = np.finfo(np.float32).tiny  # of what has a reciprocal in float32
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation >= least).all()):
        raise ArgumentError(
            f"mean must be finite, and deviation finite and above 0. Got {mean.tolist()} and {deviation.tolist()}."
        )
    back = _PerChannel(tuple(deviation.tolist()), tuple(mean.tolist()))
    forth = _PerChannel(tuple((1.0 / deviation).tolist()), tuple((-mean / deviation).tolist()))
    return Augment(back, *augment.steps, forth)
