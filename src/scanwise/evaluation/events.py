"""Measures of what was located: hits, false alarms, and the trade-off between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.evaluation.bootstrap import Interval, bootstrap, of_share
from scanwise.evaluation.clips import check_names
from scanwise.evaluation.curve import Curve
from scanwise.evaluation.matching import Located, Match, Rule, check_located, match_events
from scanwise.layers import arguments

__all__ = ["EventMeasures", "measure_events"]


@dataclass(frozen=True)
class EventMeasures:
    """Of one label, or of all together.

    Attributes:
        label: its name; None for all together.
        events: how many are there.
        hits: how many were found.
        false_alarms: detections that are of none.
        precision: right of what was found.
        recall: found of what is there.
        f1: their harmonic mean.
        false_alarm_rate: false alarms per hour or megapixel.
        curve: at all thresholds of the detections that were given.
    """

    label: str | None
    events: int
    hits: int
    false_alarms: int
    precision: Interval
    recall: Interval
    f1: Interval
    false_alarm_rate: Interval
    curve: Curve


def measure_events(
    detections: Sequence[Located],
    events: Sequence[Located],
    amounts: Mapping[str, float],
    labels: Sequence[str],
    *,
    rule: Rule,
    thresholds: float | Mapping[str, float] = 0.5,
    repeats: int = 1000,
    seed: int = 0,
) -> tuple[EventMeasures, ...]:
    """Measures of every label, and last of all together, with intervals by bootstrap over files.

    Args:
        detections: found at any threshold: those below `thresholds` count in the curves alone.
        events: what is there.
        amounts: how much of each file false alarms are counted in, in hours or megapixels; files without events are
            named too.
        labels: names; others are left out.
        rule: when a detection is of an event.
        thresholds: from which score on, one number, or one for each label.
        repeats: draws of the bootstrap.
        seed: of these.

    Raises:
        ArgumentError: a file has no amount or none at all is named, an amount is negative or all are 0, or a label has
            no threshold.
        ArgumentTypeError: `amounts` is no mapping.
    """
    if not isinstance(amounts, Mapping):
        raise ArgumentTypeError(
            f"amounts must be a mapping from files to numbers. Got {type(amounts).__name__}."
        )
    check_names(labels)
    _check(detections, events, amounts)
    given = thresholds if isinstance(thresholds, Mapping) else dict.fromkeys(labels, thresholds)
    missing = [label for label in labels if label not in given]
    if missing:
        raise ArgumentError(f"thresholds must have one for each label. Got none for {missing[0]!r}.")
    least = {label: arguments.number("measure_events", "thresholds", given[label]) for label in labels}
    matches = match_events(detections, events, rule)
    places = {file: i for i, file in enumerate(amounts)}
    searched = np.array(list(amounts.values()), np.float64)

    def measures(label: str | None) -> EventMeasures:
        chosen = set(labels) if label is None else {label}
        own = [match for match in matches if match.detection.label in chosen]
        there = [event for event in events if event.label in chosen]
        counts = _counts_by_file(own, there, least, places)

        def interval(measure: Callable[[_Counts], float]) -> Interval:
            def of_files(drawn: NDArray[np.int64]) -> float:
                hits, false_alarms, there = counts[:, drawn].sum(axis=1).tolist()
                return measure(_Counts(hits, false_alarms, there, float(searched[drawn].sum())))

            return bootstrap(of_files, len(places), repeats=repeats, seed=seed)

        return _of_label(label, counts, interval, float(searched.sum()), _curve(own, len(there)))

    each = [measures(label) for label in labels]
    together = replace(each[0], label=None) if len(each) == 1 else measures(None)
    return (*each, together)


def _counts_by_file(
    matches: Sequence[Match], events: Sequence[Located], least: Mapping[str, float], places: Mapping[str, int]
) -> NDArray[np.int64]:
    """`(3, files)`: hits and false alarms at the thresholds, and events."""
    counts = np.zeros((3, len(places)), np.int64)
    for match in matches:
        if match.detection.score >= least[match.detection.label]:
            counts[0 if match.event is not None else 1, places[match.detection.file]] += 1
    for event in events:
        counts[2, places[event.file]] += 1
    return counts


def _curve(matches: Sequence[Match], events: int) -> Curve:
    right = np.array([match.event is not None for match in matches], np.bool_)
    scores = [match.detection.score for match in matches]
    return Curve.of(scores, right, missed=events - int(right.sum()), negatives=-1)


def _of_label(
    label: str | None,
    counts: NDArray[np.int64],
    interval: Callable[[Callable[[_Counts], float]], Interval],
    amount: float,
    curve: Curve,
) -> EventMeasures:
    hits, false_alarms, there = counts.sum(axis=1).tolist()
    rate = interval(lambda n: _ratio(n.false_alarms, n.amount))
    if false_alarms == 0:
        # No draw changes that: at the upper end Poisson's probability of none is 1 - level.
        rate = Interval(0.0, 0.0, -math.log(1 - rate.level) / amount, rate.level)
    precision = interval(lambda n: _ratio(n.hits, n.hits + n.false_alarms))
    recall = interval(lambda n: _ratio(n.hits, n.events))
    f1 = interval(lambda n: _ratio(2 * n.hits, n.hits + n.false_alarms + n.events))
    return EventMeasures(
        label,
        there,
        hits,
        false_alarms,
        precision=of_share(precision, int(np.count_nonzero(counts[:2].sum(axis=0)))),
        recall=of_share(recall, int(np.count_nonzero(counts[2]))),
        f1=of_share(f1, int(np.count_nonzero(counts.sum(axis=0)))),
        false_alarm_rate=rate,
        curve=curve,
    )


class _Counts(NamedTuple):
    """Of some files."""

    hits: int
    false_alarms: int
    events: int
    amount: float


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _check(detections: Sequence[Located], events: Sequence[Located], amounts: Mapping[str, float]) -> None:
    if not amounts:
        raise ArgumentError("amounts must name at least one file. Got none.")
    for file, amount in amounts.items():
        if arguments.number("measure_events", "amounts", amount) < 0:
            raise ArgumentError(f"amounts must be at least 0. Got {amount} for {file!r}.")
    if not any(amounts.values()):
        raise ArgumentError("amounts must be above 0 for at least one file. Got only 0.")
    check_located(detections, events)
    for each in (*detections, *events):
        if each.file not in amounts:
            raise ArgumentError(f"amounts must name every file. Got none for {each.file!r}.")
