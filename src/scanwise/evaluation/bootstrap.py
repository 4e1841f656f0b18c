"""How far a measure could be from what it is by the choice of files alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.initialization import check_seed
from scanwise.layers import arguments

__all__ = ["Interval", "bootstrap", "check_level", "of_share"]


_MOST_FILES, _MOST_REPEATS = 10**8, 10**6  # more would take gigabytes, or days


@dataclass(frozen=True)
class Interval:
    """A measure, and the interval that it lies in with a stated probability.

    Attributes:
        value: the measure.
        low, high: the ends of the interval; NaN if it cannot be told.
        level: the probability, 0 to 1.
    """

    value: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


def bootstrap(
    measure: Callable[[NDArray[np.int64]], float],
    files: int,
    *,
    level: float = 0.95,
    repeats: int = 1000,
    seed: int = 0,
) -> Interval:
    """The percentile interval of a measure over files that are drawn again with replacement.

    Whole files are drawn, since what is in one file is alike: windows or events of one recording are not so many
    independent observations.

    Args:
        measure: of the files with these numbers, each as often as it is named. It may be NaN where it says nothing
            (no positive was drawn); such draws are left out.
        files: how many there are.
        level: probability that the interval shall hold the measure of a large collection like this one.
        repeats: draws.
        seed: of the draws.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is out of range, or no number.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

    >>> heights = np.array([1.5, 1.75, 1.5, 2.0, 1.75])
    >>> bootstrap(lambda drawn: float(heights[drawn].mean()), 5).value
    1.7
    """
    files = arguments.integer("bootstrap", "files", files)
    repeats = arguments.integer("bootstrap", "repeats", repeats)
    if files > _MOST_FILES or repeats > _MOST_REPEATS:
        raise ArgumentError(
            f"bootstrap: files must be at most {_MOST_FILES:,}, and repeats {_MOST_REPEATS:,}. "
            f"Got {files} and {repeats}."
        )
    level, seed = check_level(level), check_seed(seed)
    if not callable(measure):
        raise ArgumentTypeError(f"measure must be a function of file numbers. Got {measure!r}.")
    value = measure(np.arange(files))
    if files == 1:
        return Interval(value, math.nan, math.nan, level)
    random = np.random.default_rng(seed)
    drawn = np.array([measure(random.integers(0, files, files)) for _ in range(repeats)])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < repeats / 2:
        return Interval(value, math.nan, math.nan, level)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return Interval(value, float(low), float(high), level)


def check_level(level: object) -> float:
    """`level` as a number between 0 and 1, or ArgumentError or ArgumentTypeError."""
    number = arguments.number("interval", "level", level)
    if not 0 < number < 1:
        raise ArgumentError(f"level must lie between 0 and 1. Got {level!r}.")
    return number


def of_share(interval: Interval, files: int) -> Interval:
    """The interval of a share, where all answers are alike too: no draw of them can show anything else. So it is with
    an area under a curve, the share of pairs that are in order.

    If all of n independent answers are right, the share is above the n-th root of 1 - level with probability `level`
    (0.95: about 1 - 3 / n). Files are what is independent.

    Args:
        interval: of a share, 0 to 1.
        files: how many it says something of.

    Source: Hanley and Lippman-Hand, "If Nothing Goes Wrong, Is Everything All Right?" (1983).

    >>> print(of_share(bootstrap(lambda drawn: 1.0, 30), 30))
    1 (0.905 to 1)
    """
    if files < 1 or interval.value not in (0.0, 1.0):
        return interval
    sure = (1 - interval.level) ** (1 / files)
    low, high = (sure, 1.0) if interval.value == 1.0 else (0.0, 1 - sure)
    return Interval(interval.value, low, high, interval.level)
