"""Thresholds that keep a promise, with what the data says about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.calibration import FALSE_ALARMS, PRECISION, Threshold, possible_rates
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError
from scanwise.evaluation.bootstrap import check_level
from scanwise.evaluation.curve import Curve
from scanwise.inputs import number_array
from scanwise.layers import arguments

__all__ = ["Threshold", "threshold_for_false_alarms", "threshold_for_precision"]

LEAST_ALARMS = 3
"""False alarms that the data must allow at the promised rate: none at all in so much data would say, with 95 %
probability, no more than that the rate is below three in as much (Hanley and Lippman-Hand 1983)."""

_LEAST_HITS = 10


def threshold_for_false_alarms(
    scores: Sequence[ArrayLike],
    amounts: ArrayLike,
    rate: float,
    *,
    floor: float = 0.0,
    level: float = 0.95,
    unit: str = "",
) -> Threshold:
    """The lowest threshold with at most so many false alarms per unit.

    The threshold lies at the n+1-th highest score of a false alarm, so that the n higher ones remain (scores from the
    threshold on count, so just above it). The rate at the n+1-th score, times the amount of data, is gamma distributed
    with shape n+1 whatever the scores' distribution is, which gives the expected rate and its interval. Where false
    alarms come in bursts, files differ more than chance makes them: the data then counts for less, by the factor that
    chi-square over its degrees of freedom gives (quasi-Poisson).

    Args:
        scores: of the false alarms of each file, those above `floor` at least.
        amounts: hours or megapixels of each file.
        rate: false alarms per unit that are allowed.
        floor: the threshold if even all of them are few enough.
        level: probability of the interval.
        unit: "hour" or "megapixel"; "" where it is not said.

    Raises:
        ArgumentError: an argument is out of range, or the lists have other lengths.
        DataError: there is too little data to support such a promise.

    Source: McCullagh and Nelder, "Generalized Linear Models" (1989), section 6.2.3, for the dispersion.

    >>> threshold = threshold_for_false_alarms([[0.9, 0.7, 0.6], [0.8, 0.5]], [2.0, 2.0], 1.0)
    >>> round(threshold.value, 3), threshold.expected
    (0.6, 1.0)
    """
    entries = arguments.listed(scores)
    if entries is None:
        raise ArgumentTypeError(f"scores must be a list of arrays, one a file. Got {scores!r}.")
    searched = number_array(amounts, "amounts").astype(np.float64)
    files = [number_array(each, "scores").astype(np.float64) for each in entries]
    if searched.ndim != 1 or len(files) != len(searched) or len(files) == 0:
        raise ArgumentError(
            f"scores and amounts must have one entry a file. Got {len(files)} and {searched.shape}."
        )
    if not (np.isfinite(searched).all() and (searched > 0).all()):
        raise ArgumentError("amounts must be positive and finite. Got another value.")
    if any(each.ndim != 1 for each in files):
        raise ArgumentError("scores must be arrays (n,), one a file. Got another shape.")
    rate, level = arguments.number("threshold", "rate", rate), check_level(level)
    floor = arguments.number("threshold", "floor", floor)
    if rate <= 0 or floor < 0:
        raise ArgumentError(f"rate must be positive, and floor at least 0. Got {rate} and {floor}.")
    every = np.sort(np.concatenate(files))[::-1]
    if not np.isfinite(every).all():
        raise ArgumentError("scores must be finite. Got NaN or infinity.")
    amount = float(searched.sum())
    if rate * amount < LEAST_ALARMS:
        raise DataError(
            f"there must be at least {LEAST_ALARMS / rate:.3g} {unit or 'unit'}s of data without events to promise "
            f"{rate:g} false alarms per {unit or 'unit'}. Got {amount:.3g}."
        )
    kept = math.floor(min(rate * amount, 2.0**53) + 1e-9) - 1
    if kept < len(every):
        value = float(np.nextafter(every[kept], math.inf)) if every[kept] >= floor else floor
    else:
        value, kept = floor, len(every)
    expected = (kept + 1) / amount
    counts = np.array([np.count_nonzero(each >= value) for each in files])
    dispersion = _dispersion(counts, searched)
    drawn = possible_rates(expected, amount, dispersion)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return Threshold(
        value,
        FALSE_ALARMS,
        rate,
        expected,
        float(low),
        float(high),
        level,
        amount,
        dispersion,
        unit,
        len(files),
    )


def _dispersion(counts: NDArray[np.int64], amounts: NDArray[np.float64]) -> float:
    wanted = counts.sum() * amounts / amounts.sum()
    if len(counts) < 2 or counts.sum() == 0:
        return 1.0
    return max(1.0, float(np.sum((counts - wanted) ** 2 / wanted) / (len(counts) - 1)))


def threshold_for_precision(
    scores: ArrayLike, right: ArrayLike, precision: float, *, level: float = 0.95, unit: str = ""
) -> Threshold:
    """The lowest threshold from which on at least such a share of what is found is right.

    Args:
        scores: `(n,)`, of what is found.
        right: `(n,)`, whether it is.
        precision: above 0, below 1.
        level: probability of the interval (Wilson's).
        unit: what is found: "detection" or "clip"; "" where it is not said.

    Raises:
        ArgumentError: an argument is out of range.
        DataError: no threshold reaches it, or there is too little data to tell.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927).
    """
    precision, level = arguments.number("threshold", "precision", precision), check_level(level)
    if not 0 < precision < 1:
        raise ArgumentError(f"precision must lie between 0 and 1. Got {precision}.")
    curve = Curve.of(scores, right)
    found = curve.hits + curve.false_alarms
    reached = np.flatnonzero(np.nan_to_num(curve.precision) >= precision)
    if len(reached) == 0:
        best = float(np.nanmax(np.append(curve.precision, 0)))
        raise DataError(f"some threshold must have a precision of {precision:g}. Got at most {best:.3g}.")
    place = int(reached[-1])
    least = max(_LEAST_HITS, math.ceil(LEAST_ALARMS / (1 - precision) - 1e-9))
    if found[place] < least:
        raise DataError(
            f"there must be at least {least} answers above the threshold to promise a precision of {precision:g}. "
            f"Got {found[place]}."
        )
    n, share = int(found[place]), float(curve.precision[place])
    low, high = _wilson(share, n, level)
    return Threshold(
        float(curve.thresholds[place]), PRECISION, precision, share, low, high, level, float(n), unit=unit
    )


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
