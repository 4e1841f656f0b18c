"""What a detector finds, misses and invents at every threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.inputs import number_array
from scanwise.layers import arguments

__all__ = ["Curve"]


_MOST = 2**53  # counts that float64 holds


@dataclass(frozen=True, eq=False)
class Curve:
    """Counts at every threshold where one changes, from the highest on. At a threshold everything that scores at least
    as much counts as found.

    Attributes:
        thresholds: `(n,)`, falling; the first is infinite: nothing is found.
        hits: `(n,)`, how many of what is there are found.
        false_alarms: `(n,)`, how many are found that are not there.
        positives: how many there are.
        negatives: how many clips there are without; None where false alarms can come anywhere, as in a recording.

    >>> curve = Curve.of([0.9, 0.8, 0.8, 0.1], [True, False, True, False])
    >>> curve.thresholds.tolist(), curve.hits.tolist(), curve.false_alarms.tolist()
    ([inf, 0.9, 0.8, 0.1], [0, 1, 2, 2], [0, 0, 1, 2])
    >>> round(curve.average_precision, 3), curve.area
    (0.833, 0.875)
    """

    thresholds: NDArray[np.float64]
    hits: NDArray[np.int64]
    false_alarms: NDArray[np.int64]
    positives: int
    negatives: int | None = None

    @classmethod
    def of(
        cls, scores: ArrayLike, right: ArrayLike, *, missed: int = 0, negatives: int | None = None
    ) -> Curve:
        """The curve of some answers.

        Args:
            scores: `(n,)`, finite.
            right: `(n,)`, whether what scored so is there.
            missed: how many more are there, that have no score because nothing answered to them.
            negatives: how many could be false alarms; None: those that are not right. -1: there is no such number.

        Raises:
            ShapeError: the two have other shapes than `(n,)`.
            ArgumentError: a score is not finite, or a count is negative.
            ArgumentTypeError: `right` is not of booleans or of 0 and 1.
        """
        values, flags = number_array(scores, "scores").astype(np.float64), number_array(right, "right")
        if values.ndim != 1 or flags.shape != values.shape:
            raise ShapeError(f"scores and right must have shape (n,). Got {values.shape} and {flags.shape}.")
        if not np.isfinite(values).all():
            raise ArgumentError("scores must be finite. Got NaN or infinity.")
        if (
            len(flags)
            and flags.dtype != np.bool_
            and not (flags.dtype.kind in "iu" and np.isin(flags, (0, 1)).all())
        ):
            raise ArgumentTypeError(f"right must hold booleans, or 0 and 1. Got dtype {flags.dtype}.")
        missed = arguments.integer("Curve", "missed", missed, minimum=0)
        if missed > _MOST:
            raise ArgumentError(f"Curve: missed must be at most {_MOST:,}. Got {missed}.")
        flags = flags.astype(np.bool_)
        order = np.argsort(-values, kind="stable")
        values, flags = values[order], flags[order]
        last = np.flatnonzero(np.append(values[1:] != values[:-1], True)) if len(values) else np.zeros(0, int)
        hits, false_alarms = (np.append(0, np.cumsum(f)[last]).astype(np.int64) for f in (flags, ~flags))
        if negatives is None:
            negatives = int(np.count_nonzero(~flags))
        negatives = arguments.integer("Curve", "negatives", negatives, minimum=-1)
        if not (negatives == -1 or np.count_nonzero(~flags) <= negatives <= _MOST):
            raise ArgumentError(
                f"Curve: negatives must be at least the {np.count_nonzero(~flags)} that are not right, and at most "
                f"{_MOST:,}. Got {negatives}."
            )
        return cls(
            np.append(math.inf, values[last]),
            hits,
            false_alarms,
            int(np.count_nonzero(flags)) + missed,
            None if negatives < 0 else negatives,
        )

    def at(self, threshold: float) -> tuple[int, int]:
        """(hits, false alarms) at a threshold."""
        if threshold is not math.inf:  # the first one
            threshold = arguments.number("Curve", "threshold", threshold)
        place = int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1
        return int(self.hits[max(place, 0)]), int(self.false_alarms[max(place, 0)])

    @property
    def recall(self) -> NDArray[np.float64]:
        """`(n,)`, found of what is there; NaN if nothing is."""
        return self.hits / self.positives if self.positives else np.full(len(self.hits), math.nan)

    @property
    def precision(self) -> NDArray[np.float64]:
        """`(n,)`, right of what is found; NaN where nothing is."""
        found = self.hits + self.false_alarms
        share: NDArray[np.float64] = np.full(len(found), math.nan)
        np.divide(self.hits, found, out=share, where=found > 0)
        return share

    @property
    def average_precision(self) -> float:
        """The mean of the precision over the recall: the sum of each threshold's precision times the recall that it
        adds. NaN if nothing is there.

        Source: Buckley and Voorhees, "Evaluating Evaluation Measure Stability" (2000), without interpolation.
        """
        if self.positives == 0:
            return math.nan
        gained = np.diff(self.hits)  # whole numbers, so that where all precisions are 1 their mean is
        return float(np.sum(gained * np.nan_to_num(self.precision[1:]))) / self.positives

    @property
    def area(self) -> float:
        """Area under the receiver operating characteristic: the probability that something that is there scores more
        than something that is not, ties counting half. NaN without both, or where false alarms can come anywhere.

        Source: Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve" (1982).
        """
        if not self.positives or not self.negatives:
            return math.nan
        x = np.append(self.false_alarms, self.negatives) / self.negatives
        y = np.append(self.hits, self.positives) / self.positives
        return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))

    def trade_off(self, amount: float, most: int = 50) -> list[tuple[float, float, float]]:
        """The detection-error trade-off: `(threshold, miss rate, false alarms per unit)`, from no false alarm on.

        Of thresholds with equally many false alarms it has the lowest; at most `most` of them, spread evenly over the
        logarithm of the false alarms.

        Args:
            amount: units that were searched: hours, megapixels.
            most: rows.

        Source: Martin et al., "The DET Curve in Assessment of Detection Task Performance" (1997).
        """
        if not arguments.number("trade_off", "amount", amount) > 0:
            raise ArgumentError(f"amount must be positive. Got {amount}.")
        most = arguments.integer("trade_off", "most", most, minimum=2)
        last = np.append(self.false_alarms[1:] != self.false_alarms[:-1], True)
        places = np.flatnonzero(last)
        if len(places) > most:
            wanted = np.geomspace(1, self.false_alarms[places[-1]] + 1, most) - 1
            places = np.unique(places[np.searchsorted(self.false_alarms[places], wanted)])
        misses = 1 - self.recall
        return [
            (float(self.thresholds[i]), float(misses[i]), float(self.false_alarms[i] / amount))
            for i in places
        ]
