"""Which threshold keeps a promise for each label: of detections in whole files, of files, of clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.calibration import Threshold
from scanwise.data import Dataset
from scanwise.errors import DataError
from scanwise.evaluation.bootstrap import Interval, bootstrap, of_share
from scanwise.evaluation.matching import Match, Rule, match_events
from scanwise.evaluation.promise import Promise
from scanwise.evaluation.scanned import Scanned
from scanwise.evaluation.scoring import clip_probabilities, one_hot
from scanwise.evaluation.threshold import threshold_for_false_alarms, threshold_for_precision
from scanwise.model import Model
from scanwise.scanning.reading import Reading

__all__ = ["CalibratedLabel", "of_clips", "of_detections", "of_files"]


@dataclass(frozen=True)
class CalibratedLabel:
    """What came of one label.

    Attributes:
        label: its name.
        threshold: with the promise; None if the data does not support it.
        reason: why not; empty if it does.
        events: events that are there, or clips that contain it.
        hits: how many of them are found at the threshold.
        recall: their share.
        left_out: files that are only said to contain it, somewhere: no false alarm can be told in them.
    """

    label: str
    threshold: Threshold | None
    reason: str
    events: int
    hits: int
    recall: Interval
    left_out: int = 0


def of_detections(
    scanned: Scanned, promise: Promise, rule: Rule, level: float, floor: float
) -> tuple[CalibratedLabel, ...]:
    """Of detections, each label's in the files where its places are known; recall is that of its events, or, where they
    have no places, of the files that contain it.
    """

    def of_label(k: int, label: str) -> CalibratedLabel:
        events = scanned.events([label])
        matches = match_events(scanned.found([label]), events, rule)
        only = np.array([label in file.labels for file in scanned.files])
        told = len(events) if events else int(only.sum())

        def find() -> Threshold:
            if promise.unit is None:
                return _of_answers(matches, promise, level, len(scanned.known([label])))
            return _of_false_alarms(scanned, label, matches, promise, level, floor)

        threshold, reason = _tried(find)
        if threshold is None:
            return CalibratedLabel(label, None, reason, told, 0, _UNKNOWN, int(only.sum()))
        if events:
            found = [
                match.event is not None and match.detection.score >= threshold.value for match in matches
            ]
            hits = sum(found)
            by_file = _by_file([event.file for event in events], matches, found)
        else:
            by_file = [(int(p >= threshold.value), 1) for p in scanned.presence[only, k]]
            hits = sum(hit for hit, _ in by_file)
        recall = _recall(by_file, level)
        return CalibratedLabel(
            label, replace(threshold, events=told), "", told, hits, recall, int(only.sum())
        )

    return tuple(of_label(k, label) for k, label in enumerate(scanned.names))


def of_files(scanned: Scanned, promise: Promise, level: float) -> tuple[CalibratedLabel, ...]:
    """Of whole files: each label's precision among those in which any window reaches the threshold."""
    there = [[label in file.labels for label in scanned.names] for file in scanned.files]
    return _of_shares(scanned.presence, np.array(there, np.bool_), scanned.names, promise, level)


def of_clips(model: Model, data: Dataset, promise: Promise, level: float) -> tuple[CalibratedLabel, ...]:
    """Of clips of one size: each label's precision among those that reach the threshold."""
    reading = Reading.of(model)
    reported = [k for k, name in enumerate(reading.names) if name != reading.background]
    names = [reading.names[k] for k in reported]
    scores = clip_probabilities(model, data)
    return _of_shares(scores[:, reported], one_hot(data)[:, reported] > 0, names, promise, level)


def _of_shares(
    scores: NDArray[np.float64],
    there: NDArray[np.bool_],
    names: Sequence[str],
    promise: Promise,
    level: float,
) -> tuple[CalibratedLabel, ...]:
    def of_label(k: int, label: str) -> CalibratedLabel:
        positives = int(there[:, k].sum())
        counted = np.isfinite(scores[:, k])

        def find() -> Threshold:
            return threshold_for_precision(
                scores[counted, k], there[counted, k], promise.value, level=level, unit="clip"
            )

        threshold, reason = _tried(find)
        if threshold is None:
            return CalibratedLabel(label, None, reason, positives, 0, _UNKNOWN)
        found = scores[there[:, k], k] >= threshold.value
        return CalibratedLabel(
            label,
            replace(threshold, files=len(scores), events=positives),
            "",
            positives,
            int(found.sum()),
            _recall([(int(hit), 1) for hit in found], level),
        )

    return tuple(of_label(k, label) for k, label in enumerate(names))


_UNKNOWN = Interval(math.nan, math.nan, math.nan)


def _tried(find: Callable[[], Threshold]) -> tuple[Threshold | None, str]:
    """The threshold, or why there is none."""
    try:
        return find(), ""
    except DataError as error:
        return None, str(error)


def _of_answers(matches: Sequence[Match], promise: Promise, level: float, files: int) -> Threshold:
    scores = [match.detection.score for match in matches]
    right = np.array([match.event is not None for match in matches], np.bool_)
    return replace(
        threshold_for_precision(scores, right, promise.value, level=level, unit="detection"), files=files
    )


def _of_false_alarms(
    scanned: Scanned, label: str, matches: Sequence[Match], promise: Promise, level: float, floor: float
) -> Threshold:
    amounts = {file: amount for file, amount in scanned.amounts([label]).items() if amount > 0}
    unit = promise.unit or ""
    if not amounts:
        raise DataError(
            f"there must be {unit}s of data without {label!r} to count false alarms in. Got none: it may be anywhere "
            "in every file."
        )
    alarms: dict[str, list[float]] = {file: [] for file in amounts}
    for match in matches:
        if match.event is None and match.detection.file in alarms:
            alarms[match.detection.file].append(match.detection.score)
    scores: list[ArrayLike] = list(alarms.values())
    threshold = threshold_for_false_alarms(
        scores, list(amounts.values()), promise.value, floor=floor, level=level, unit=unit
    )
    if threshold.value > 1:
        raise DataError(
            f"some threshold must have at most {promise.value:g} false alarms per {unit}. Got more than that with "
            "probability 1."
        )
    return threshold


def _by_file(files: Sequence[str], matches: Sequence[Match], found: Sequence[bool]) -> list[tuple[int, int]]:
    """(hits, events) of every file that has events."""
    counts = {file: [0, 0] for file in files}
    for file in files:
        counts[file][1] += 1
    for match, hit in zip(matches, found, strict=True):
        if hit:
            counts[match.detection.file][0] += 1
    return [(hits, events) for hits, events in counts.values()]


def _recall(by_file: Sequence[tuple[int, int]], level: float) -> Interval:
    """Hits of events, with an interval by bootstrap over files."""
    if not by_file:
        return _UNKNOWN
    hits, events = np.array(by_file).T
    drawn = bootstrap(lambda n: float(hits[n].sum() / events[n].sum()), len(by_file), level=level)
    return of_share(drawn, len(by_file))
