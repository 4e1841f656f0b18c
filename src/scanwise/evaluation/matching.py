"""What is located in files, and which detections are of an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.inputs import number_array
from scanwise.layers import arguments

__all__ = ["Located", "Match", "Overlap", "Rule", "Tolerance", "check_located", "match_events"]

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
        if arguments.number("Tolerance", "distance", self.distance) < 0:
            raise ArgumentError(f"Tolerance: distance must be at least 0. Got {self.distance}.")

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
        if not 0 < arguments.number("Overlap", "least", self.least) <= 1:
            raise ArgumentError(f"Overlap: least must be above 0 and at most 1. Got {self.least}.")

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
    check_located(detections, events)
    if not callable(getattr(rule, "closeness", None)):
        raise ArgumentTypeError(f"rule must be a Tolerance or an Overlap. Got {rule!r}.")
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


def check_located(detections: object, events: object) -> None:
    """Raise ArgumentError or ArgumentTypeError unless both are sequences of what can be somewhere."""
    for name, located in (("detections", detections), ("events", events)):
        entries = arguments.listed(located)
        if entries is None or not all(isinstance(each, Located) for each in entries):
            raise ArgumentTypeError(f"{name} must be a sequence of Located. Got {located!r:.80}.")
        for each in entries:
            _check_one(name, each, {"file": each.file, "label": each.label})


def _check_one(name: str, each: Located, texts: dict[str, object]) -> None:
    if not all(isinstance(text, str) for text in texts.values()):
        raise ArgumentTypeError(f"{name} must have names of a file and a label. Got {each}.")
    start, stop = (number_array(place, name) for place in (each.start, each.stop))
    arguments.number(name, "score", each.score)
    if start.shape != stop.shape or start.shape not in ((), (2,)):
        raise ArgumentError(f"{name} must have one start and stop, or two of each. Got {each}.")
    if not (np.isfinite(start).all() and np.isfinite(stop).all() and (start <= stop).all()):
        raise ArgumentError(f"{name} must be finite and end after they start. Got {each}.")
