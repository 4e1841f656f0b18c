"""Measures of clips, each of which is labelled as containing something or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.evaluation.bootstrap import Interval, bootstrap, of_share
from scanwise.evaluation.curve import Curve
from scanwise.inputs import number_array
from scanwise.layers import arguments

__all__ = ["ClipMeasures", "LabelMeasures", "check_names", "measure_clips"]


@dataclass(frozen=True)
class LabelMeasures:
    """Of one label.

    Attributes:
        label: its name.
        positives: clips that contain it.
        precision: of the clips that were found to contain it, the share that do; NaN if none was found.
        recall: of the clips that contain it, the share that was found; NaN if there is none.
        average_precision: over all thresholds.
        area: under the receiver operating characteristic.
    """

    label: str
    positives: int
    precision: Interval
    recall: Interval
    average_precision: Interval
    area: Interval


@dataclass(frozen=True)
class ClipMeasures:
    """Of all labels.

    Attributes:
        clips: how many there are.
        accuracy: share of the answers, one for each label and clip, that are right; with `exclusive` the share of clips
            whose highest score is at their label.
        all_right: share of the clips whose answers are right for every label.
        average_precision: the mean over the labels that occur.
        labels: each label's.
    """

    clips: int
    accuracy: Interval
    all_right: Interval
    average_precision: Interval
    labels: tuple[LabelMeasures, ...]


def measure_clips(
    scores: ArrayLike,
    targets: ArrayLike,
    labels: Sequence[str],
    *,
    thresholds: float | Sequence[float] = 0.5,
    exclusive: bool = False,
    files: ArrayLike | None = None,
    repeats: int = 1000,
    seed: int = 0,
) -> ClipMeasures:
    """Measures of clips, with intervals by bootstrap over files.

    Args:
        scores: `(N, K)` probabilities.
        targets: `(N, K)` 0 or 1: which clip contains what.
        labels: K names.
        thresholds: from which probability on a label counts as found: one number, or one for each label.
        exclusive: whether each clip has exactly one label, so that the highest score is the answer.
        files: `(N,)`, what file each clip is from; None: every clip is a file.
        repeats: draws of the bootstrap.
        seed: of these.

    Raises:
        ShapeError: the shapes do not fit.
        ArgumentError: a score is not finite, a target is neither 0 nor 1, or there is no clip.

    >>> found = measure_clips([[0.9], [0.8], [0.3], [0.1]], [[1], [0], [1], [0]], ["bird"], repeats=100)
    >>> found.labels[0].recall.value, found.labels[0].precision.value, round(found.average_precision.value, 3)
    (0.5, 0.5, 0.833)
    """
    arguments.boolean("measure_clips", "exclusive", exclusive)
    check_names(labels)
    values, there, least = _checked(scores, targets, labels, thresholds)
    found = _highest(values) if exclusive else values >= least
    rows = _rows_by_file(files, len(values))

    def interval(measure: Callable[[NDArray[np.int64]], float]) -> Interval:
        return bootstrap(
            lambda drawn: measure(np.concatenate([rows[i] for i in drawn])),
            len(rows),
            repeats=repeats,
            seed=seed,
        )

    def share(measure: Callable[[NDArray[np.int64]], float], told: NDArray[np.bool_]) -> Interval:
        return of_share(interval(measure), sum(bool(told[n].any()) for n in rows))

    # Where every clip that contains a label scores more than all others, as many pairs of files are in order.
    pairs = [
        min(sum(bool(told[n, k].any()) for n in rows) for told in (there, ~there)) for k in range(len(labels))
    ]

    def of_label(k: int, name: str) -> LabelMeasures:
        return LabelMeasures(
            name,
            int(there[:, k].sum()),
            precision=share(lambda n: _share(there[n, k], found[n, k]), found[:, k]),
            recall=share(lambda n: _share(found[n, k], there[n, k]), there[:, k]),
            average_precision=of_share(
                interval(lambda n: Curve.of(values[n, k], there[n, k]).average_precision), pairs[k]
            ),
            area=of_share(interval(lambda n: Curve.of(values[n, k], there[n, k]).area), pairs[k]),
        )

    def mean_precision(n: NDArray[np.int64]) -> float:
        each = [Curve.of(values[n, k], there[n, k]).average_precision for k in range(len(labels))]
        known = [value for value in each if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    whole = (found == there).all(axis=1)
    right = np.asarray(whole if exclusive else (found == there).mean(axis=1), np.float64)
    return ClipMeasures(
        len(values),
        of_share(interval(lambda n: float(right[n].mean())), len(rows)),
        of_share(interval(lambda n: float(whole[n].mean())), len(rows)),
        of_share(interval(mean_precision), min((n for n in pairs if n), default=0)),
        tuple(of_label(k, name) for k, name in enumerate(labels)),
    )


def _checked(
    scores: ArrayLike, targets: ArrayLike, labels: Sequence[str], thresholds: float | Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores and which label is there, `(N, K)`, and K thresholds."""
    values, wanted = number_array(scores, "scores").astype(np.float64), number_array(targets, "targets")
    if values.ndim != 2 or values.shape != wanted.shape or values.shape[1] != len(labels):
        raise ShapeError(
            f"scores and targets must have shape (N, {len(labels)}). Got {values.shape} and {wanted.shape}."
        )
    if len(values) == 0:
        raise ArgumentError("scores must have at least one clip. Got none.")
    if not np.isfinite(values).all():
        raise ArgumentError("scores must be finite. Got NaN or infinity.")
    if not np.isin(wanted, (0, 1)).all():
        raise ArgumentError("targets must be 0 or 1. Got another value.")
    given = number_array(thresholds, "thresholds").astype(np.float64)
    if given.shape not in ((), (len(labels),)) or not np.isfinite(given).all():
        raise ArgumentError(
            f"thresholds must be one number, or one for each of {len(labels)} labels. Got {thresholds!r}."
        )
    return values, wanted.astype(np.bool_), np.broadcast_to(given, (len(labels),))


def check_names(labels: object) -> None:
    """Raise ArgumentTypeError unless `labels` is a sequence of at least one name."""
    names = arguments.listed(labels)
    if not names or not all(isinstance(name, str) for name in names):
        raise ArgumentTypeError(f"labels must be a sequence of names, at least one. Got {labels!r}.")


def _highest(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    found = np.zeros(scores.shape, np.bool_)
    found[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return found


def _share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    count = int(among.sum())
    return float((of & among).sum() / count) if count else math.nan


def _rows_by_file(files: ArrayLike | None, clips: int) -> list[NDArray[np.int64]]:
    if files is None:
        return list(np.arange(clips)[:, None])
    names = np.asarray(files)
    if names.shape != (clips,):
        raise ShapeError(f"files must have shape ({clips},). Got {names.shape}.")
    if names.dtype.kind not in "iuU":
        raise ArgumentTypeError(f"files must be names, or whole numbers. Got dtype {names.dtype}.")
    _, numbers = np.unique(names, return_inverse=True)
    return [np.flatnonzero(numbers == i) for i in range(int(numbers.max()) + 1)]
