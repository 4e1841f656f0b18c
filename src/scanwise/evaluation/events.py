"""Measures of what was located: which detections are of an event, and which are false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.evaluation.bootstrap import Interval, bootstrap, of_share
from scanwise.evaluation.curve import Curve

__all__ = [
    "EventMeasures",
    "Located",
    "Match",
    "Overlap",
    "Rule",
    "Tolerance",
    "match_events",
    "measure_events",
]

Place = float | tuple[float, float]


@dataclass(frozen=True, slots=True)  # there may be very many
class Located:
    """Something in a file: an event that is there, or a detection.

    Attributes:
        file: which one.
        label: what it is.
        start: where it begins: seconds, or (row, column) in pixels.
        stop: where it ends.
        score: of a detection.
    """

    file: str
    label: str
    start: Place
    stop: Place
    score: float = 1.0

    @property
    def box(self) -> NDArray[np.float64]:
        """`(axes, 2)`, start and stop along each axis."""
        return np.stack([np.atleast_1d(self.start), np.atleast_1d(self.stop)], axis=1).astype(np.float64)


class Rule(Protocol):
    """Says whether a detection is of an event."""

    def closeness(self, detection: NDArray[np.float64], event: NDArray[np.float64]) -> float | None:
        """How near it is, larger for nearer; None if it is not of that event. Boxes are `(axes, 2)`."""
        ...


@dataclass(frozen=True)
class Tolerance:
    """The middle of a detection lies in the event, or at most so far beside it along each axis.

    Args:
        distance: seconds or pixels, at least 0.

    >>> rule = Tolerance(0.2)
    >>> rule.closeness(np.array([[1.0, 1.2]]), np.array([[0.5, 1.0]])) is not None
    True
    """

    distance: float

    def __post_init__(self) -> None:
        if not 0 <= self.distance < math.inf:
            raise ArgumentError(f"distance must be at least 0 and finite. Got {self.distance}.")

    def closeness(self, detection: NDArray[np.float64], event: NDArray[np.float64]) -> float | None:
        """Minus the distance of the middles, along the axis where it is larger."""
        middle = detection.mean(axis=1)
        beside = np.maximum(event[:, 0] - middle, middle - event[:, 1])
        if beside.max() > self.distance + 1e-9:
            return None
        return -float(np.abs(middle - event.mean(axis=1)).max())


@dataclass(frozen=True)
class Overlap:
    """What both have in common is at least such a share of what they cover together (intersection over union).

    Args:
        least: above 0, at most 1.

    Source: Everingham et al., "The Pascal Visual Object Classes Challenge" (2010), section 4.2.

    >>> round(Overlap(0.5).closeness(np.array([[0.0, 1.0]]), np.array([[0.0, 1.5]])), 3)
    0.667
    """

    least: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ArgumentError(f"least must be above 0 and at most 1. Got {self.least}.")

    def closeness(self, detection: NDArray[np.float64], event: NDArray[np.float64]) -> float | None:
        """The share."""
        common = np.minimum(detection[:, 1], event[:, 1]) - np.maximum(detection[:, 0], event[:, 0])
        if (common <= 0).any():
            return None
        both = float(np.prod(common))
        union = float(np.prod(np.diff(detection)) + np.prod(np.diff(event))) - both
        return both / union if both / union >= self.least - 1e-9 else None


@dataclass(frozen=True)
class Match:
    """A detection, with the event that it is of, if any."""

    detection: Located
    event: Located | None


def match_events(detections: Sequence[Located], events: Sequence[Located], rule: Rule) -> list[Match]:
    """Each detection with its event. An event is found once, by the detection that scores most.

    Detections are taken in order of falling score, each with the nearest event of its file and label that the rule
    accepts and that no other has. So those at a higher threshold have the same events as here.

    >>> there = [Located("a", "bird", 1.0, 2.0)]
    >>> found = [Located("a", "bird", 1.2, 1.8, 0.7), Located("a", "bird", 1.0, 2.0, 0.9)]
    >>> [(match.detection.score, match.event is not None) for match in match_events(found, there, Tolerance(0.2))]
    [(0.9, True), (0.7, False)]
    """
    free: dict[tuple[str, str], list[Located]] = {}
    for event in events:
        free.setdefault((event.file, event.label), []).append(event)
    matches = []
    for detection in sorted(detections, key=lambda d: (-d.score, d.file, d.label, d.start)):
        candidates = free.get((detection.file, detection.label), [])
        near = [(rule.closeness(detection.box, event.box), i) for i, event in enumerate(candidates)]
        accepted = [(value, -i) for value, i in near if value is not None]
        matches.append(Match(detection, candidates.pop(-max(accepted)[1]) if accepted else None))
    return matches


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
    _check(detections, events, amounts)
    least = thresholds if isinstance(thresholds, Mapping) else dict.fromkeys(labels, thresholds)
    missing = [label for label in labels if label not in least]
    if missing:
        raise ArgumentError(f"thresholds must have one for each label. Got none for {missing[0]!r}.")
    matches = match_events(detections, events, rule)
    places = {file: i for i, file in enumerate(amounts)}
    searched = np.array(list(amounts.values()), np.float64)

    def measures(label: str | None) -> EventMeasures:
        chosen = set(labels) if label is None else {label}
        own = [match for match in matches if match.detection.label in chosen]
        counts = np.zeros((3, len(places)), np.int64)  # hits, false alarms, events of each file
        for match in own:
            if match.detection.score >= least[match.detection.label]:
                counts[0 if match.event is not None else 1, places[match.detection.file]] += 1
        for event in events:
            if event.label in chosen:
                counts[2, places[event.file]] += 1
        hits, false_alarms, there = counts.sum(axis=1).tolist()
        right = np.array([match.event is not None for match in own], np.bool_)
        curve = Curve.of(
            [match.detection.score for match in own],
            right,
            missed=_total(events, chosen) - int(right.sum()),
            negatives=-1,
        )

        def interval(measure: Callable[[_Counts], float]) -> Interval:
            def of_files(drawn: NDArray[np.int64]) -> float:
                hits, false_alarms, there = counts[:, drawn].sum(axis=1).tolist()
                return measure(_Counts(hits, false_alarms, there, float(searched[drawn].sum())))

            return bootstrap(of_files, len(places), repeats=repeats, seed=seed)

        rate = interval(lambda n: _ratio(n.false_alarms, n.amount))
        if (
            false_alarms == 0
        ):  # which no draw changes: Poisson's probability of none is 1 - level at the upper end
            rate = Interval(0.0, 0.0, -math.log(1 - rate.level) / float(searched.sum()), rate.level)
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

    each = [measures(label) for label in labels]
    together = replace(each[0], label=None) if len(each) == 1 else measures(None)
    return (*each, together)


class _Counts(NamedTuple):
    """Of some files."""

    hits: int
    false_alarms: int
    events: int
    amount: float


def _total(events: Sequence[Located], labels: set[str]) -> int:
    return sum(event.label in labels for event in events)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _check(detections: Sequence[Located], events: Sequence[Located], amounts: Mapping[str, float]) -> None:
    if not amounts:
        raise ArgumentError("amounts must name at least one file. Got none.")
    for file, amount in amounts.items():
        if not 0 <= amount < math.inf:
            raise ArgumentError(f"amounts must be at least 0 and finite. Got {amount} for {file!r}.")
    if not any(amounts.values()):
        raise ArgumentError("amounts must be above 0 for at least one file. Got only 0.")
    for each in (*detections, *events):
        if each.file not in amounts:
            raise ArgumentError(f"amounts must name every file. Got none for {each.file!r}.")
        if not np.isfinite(each.box).all() or (np.diff(each.box) < 0).any() or not math.isfinite(each.score):
            raise ArgumentError(f"what is located must be finite and end after its start. Got {each}.")
