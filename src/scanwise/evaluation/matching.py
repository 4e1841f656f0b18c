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

    def closeness(self, detection: NDArray[np.float64], events: NDArray[np.float64]) -> NDArray[np.float64]:
        """How near a detection's box `(axes, 2)` is to those of events `(n, axes, 2)`: `(n,)`, larger for nearer, minus
        infinity where it is not of that event.
        """
        ...


@dataclass(frozen=True)
class Tolerance:
    """The middle of a detection lies in the event, or at most so far beside it along each axis.

    Args:
        distance: seconds or pixels, at least 0.

    >>> rule = Tolerance(0.2)
    >>> rule.closeness(np.array([[1.0, 1.2]]), np.array([[[0.5, 1.0]], [[1.5, 2.0]]])).round(3).tolist()
    [-0.35, -inf]
    """

    distance: float

    def __post_init__(self) -> None:
        if arguments.number("Tolerance", "distance", self.distance) < 0:
            raise ArgumentError(f"Tolerance: distance must be at least 0. Got {self.distance}.")

    def closeness(self, detection: NDArray[np.float64], events: NDArray[np.float64]) -> NDArray[np.float64]:
        """Minus the distance of the middles, along the axis where it is larger."""
        middle = detection.mean(axis=1)
        beside = np.maximum(events[..., 0] - middle, middle - events[..., 1]).max(axis=1)
        apart: NDArray[np.float64] = np.abs(middle - events.mean(axis=2)).max(axis=1)
        return np.where(beside > self.distance + 1e-9, -np.inf, -apart)


@dataclass(frozen=True)
class Overlap:
    """What both have in common is at least such a share of what they cover together (intersection over union).

    Args:
        least: above 0, at most 1.

    Source: Everingham et al., "The Pascal Visual Object Classes Challenge" (2010), section 4.2.

    >>> Overlap(0.5).closeness(np.array([[0.0, 1.0]]), np.array([[[0.0, 1.5]]])).round(3).tolist()
    [0.667]
    """

    least: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < arguments.number("Overlap", "least", self.least) <= 1:
            raise ArgumentError(f"Overlap: least must be above 0 and at most 1. Got {self.least}.")

    def closeness(self, detection: NDArray[np.float64], events: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share."""
        ends = np.minimum(detection[:, 1], events[..., 1]), np.maximum(detection[:, 0], events[..., 0])
        both: NDArray[np.float64] = np.prod((ends[0] - ends[1]).clip(0.0), axis=1)
        union = np.prod(np.diff(detection)) + np.prod(np.diff(events)[..., 0], axis=1) - both
        share = both / np.where(both > 0.0, union, 1.0)
        return np.where((both > 0.0) & (share >= self.least - 1e-9), share, -np.inf)


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
    groups: dict[tuple[str, str], list[Located]] = {}
    for event in events:
        groups.setdefault((event.file, event.label), []).append(event)
    boxes = {key: np.stack([event.box for event in group]) for key, group in groups.items()}
    free = {key: np.ones(len(group), np.bool_) for key, group in groups.items()}
    matches = []
    for detection in sorted(detections, key=lambda d: (-d.score, d.file, d.label, d.start)):
        key = detection.file, detection.label
        found = None
        if key in groups:
            near = np.where(free[key], rule.closeness(detection.box, boxes[key]), -np.inf)
            best = int(near.argmax())
            if near[best] > -np.inf:
                free[key][best] = False
                found = groups[key][best]
        matches.append(Match(detection, found))
    return matches


def check_located(detections: Sequence[Located], events: Sequence[Located]) -> None:
    """Raise ArgumentError or ArgumentTypeError unless both are sequences of what can be somewhere."""
    given: tuple[tuple[str, object], ...] = (("detections", detections), ("events", events))
    for name, located in given:
        entries = arguments.listed(located)
        if entries is None or not all(isinstance(each, Located) for each in entries):
            raise ArgumentTypeError(f"{name} must be a sequence of Located. Got {located!r:.80}.")
        for each in entries:
            _check_one(name, each, {"file": each.file, "label": each.label})
            if np.ndim(each.start) != np.ndim(entries[0].start):
                raise ArgumentError(
                    f"{name} must all have one axis, or all two. Got {each} after {entries[0]}."
                )
    if len(detections) and len(events) and np.ndim(detections[0].start) != np.ndim(events[0].start):
        raise ArgumentError(f"events must have the axes of detections. Got {events[0]} for {detections[0]}.")


def _check_one(name: str, each: Located, texts: dict[str, object]) -> None:
    if not all(isinstance(text, str) for text in texts.values()):
        raise ArgumentTypeError(f"{name} must have names of a file and a label. Got {each}.")
    start, stop = (number_array(place, name) for place in (each.start, each.stop))
    arguments.number(name, "score", each.score)
    if start.shape != stop.shape or start.shape not in ((), (2,)):
        raise ArgumentError(f"{name} must have one start and stop, or two of each. Got {each}.")
    if not (np.isfinite(start).all() and np.isfinite(stop).all() and (start <= stop).all()):
        raise ArgumentError(f"{name} must be finite and end after they start. Got {each}.")
