"""A detector over labelled files: what it finds in whole files, beside what is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.data import Collection, open_signal
from scanwise.data.annotation.collection import AnnotatedFile, is_background
from scanwise.data.annotation.usable import usable_files
from scanwise.data.dataset import Kind, OnError, Skipped
from scanwise.data.for_model import as_taken, whole_rate
from scanwise.data.opening import kind_of
from scanwise.data.options import check_options
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError
from scanwise.evaluation.events import EventMeasures, measure_events
from scanwise.evaluation.matching import Located, Overlap, Rule, Tolerance
from scanwise.layers import arguments
from scanwise.model import Model
from scanwise.scanning import Detection, detect
from scanwise.scanning.reading import Reading
from scanwise.scanning.selection import Selection

__all__ = [
    "FLOOR",
    "SIZES",
    "Scanned",
    "check_files",
    "default_rule",
    "floor_with",
    "is_longer",
    "rule_of",
    "scan_files",
]

FLOOR = 0.01
"""Detections of a lower probability are not looked at: a threshold below it would find nearly everything."""

SIZES: dict[Kind, tuple[str, float]] = {
    "audio": ("hour", 3600.0),
    "image": ("megapixel", 1e6),
    "series": ("million elements", 1e6),
}
"""The unit that false alarms are counted per, and how many seconds, pixels or elements it is."""


@dataclass(frozen=True)
class Scanned:
    """Files that were scanned, and what is known of them.

    Attributes:
        names: the labels that the model reports: all but the background.
        signal: what the files are.
        files: those that were scanned.
        detections: what was found at any threshold from `FLOOR` on.
        presence: `(N, labels)`: of each file for each of these labels, the largest probability of any window; NaN where
            no window has a score.
        skipped: files that were left out.
    """

    names: tuple[str, ...]
    signal: Kind
    files: tuple[AnnotatedFile, ...]
    detections: tuple[Located, ...]
    presence: NDArray[np.float64]
    skipped: tuple[Skipped, ...] = ()

    @property
    def unit(self) -> str:
        """That false alarms are counted per."""
        return SIZES[self.signal][0]

    def known(self, labels: Iterable[str]) -> list[AnnotatedFile]:
        """The files of which it is known where the labels are not: none is said to contain one of them somewhere, and
        where stretches are named as background, nothing is left unsaid beside them.
        """
        wanted = set(labels)
        return [file for file in self.files if not wanted & set(file.labels) and _is_told(file)]

    def events(self, labels: Iterable[str]) -> list[Located]:
        """What is there, in the files of which that is known."""
        wanted = set(labels)
        return [
            Located(str(file.path), event.label, _place(event.start), _place(event.stop))
            for file in self.known(wanted)
            for event in file.events
            if event.label in wanted
        ]

    def amounts(self, labels: Iterable[str]) -> dict[str, float]:
        """Of each of these files how much is without the labels, in units."""
        wanted = set(labels)
        return {str(file.path): _free(file, wanted) / SIZES[self.signal][1] for file in self.known(wanted)}

    def found(self, labels: Iterable[str]) -> list[Located]:
        """The detections in these files."""
        wanted = set(labels)
        known = {str(file.path) for file in self.known(wanted)}
        return [each for each in self.detections if each.file in known and each.label in wanted]

    def measures(
        self, thresholds: Mapping[str, float], rule: Rule, *, repeats: int = 1000
    ) -> tuple[EventMeasures, ...]:
        """Of every label, each in the files where its places are known, and of all together if there are several.

        A label that could be anywhere in every file has none.
        """
        groups: list[tuple[str, ...]] = [(name,) for name in self.names]
        if len(groups) > 1:
            groups.append(self.names)
        measured = []
        for group in groups:
            amounts = self.amounts(group)
            if any(amounts.values()):
                each = measure_events(
                    self.found(group),
                    self.events(group),
                    amounts,
                    group,
                    rule=rule,
                    thresholds=thresholds,
                    repeats=repeats,
                )
                measured.append(each[0] if len(group) == 1 else each[-1])
        return tuple(measured)


def scan_files(
    model: Model,
    collection: Collection,
    *,
    step: int | None = None,
    low: float | None = None,
    unlabelled: bool = False,
    on_error: OnError = "fatal",
    progress: Callable[[int, int], None] | None = None,
) -> Scanned:
    """Scan labelled files one after the other, as `detect` does; what is shorter than a window is filled up with zeros.

    Args:
        model: that gives probabilities.
        collection: what `open_labels` gives.
        step, low: as `detect` takes them.
        unlabelled: whether files of which nothing is said count as background.
        on_error: "fatal" raises at the first file that cannot be read; "skip" leaves it out.
        progress: is called with (files scanned, files in all).

    Raises:
        DataError: no file can be used, or it has labels that the model does not know.
        ArgumentError, ArgumentTypeError: `step` or `low` is not as stated.
    """
    check_files(model, collection, on_error, unlabelled, progress)
    reading = Reading.of(model)
    if low is not None:
        arguments.number("scan_files", "low", low)
    threshold = floor_with(low)
    Selection(threshold, low=low).check(reading, len(model.input_shape) - 1)
    reported = [k for k, name in enumerate(reading.names) if name != reading.background]
    kind = kind_of(model.input_shape, whole_rate(model))
    options = as_taken(model)
    files, skipped = usable_files(collection, reading.names, kind, unlabelled=unlabelled, on_error=on_error)
    scanned: list[AnnotatedFile] = []
    detections: list[Located] = []
    presence: list[NDArray[np.float64]] = []
    for done, file in enumerate(files, 1):
        try:
            signal = open_signal(file.path, **options)
            edge = "valid" if is_longer(file, model) else "pad"
            findings = detect(model, signal, threshold=threshold, low=low, step=step, edge=edge)
        except DataError as error:
            if on_error == "fatal":
                raise
            skipped.append(Skipped(str(file.path), str(error)))
        else:
            scanned.append(file)
            detections += [_located(file, each) for each in findings.detections]
            presence.append(findings.presence[reported])
        if progress is not None:
            progress(done, len(files))
    if not scanned:
        raise DataError(f"{collection.source} must hold at least one file that can be read. Got none.")
    names = tuple(reading.names[k] for k in reported)
    return Scanned(names, kind, tuple(scanned), tuple(detections), np.stack(presence), tuple(skipped))


def check_files(model: object, data: object, on_error: object, unlabelled: object, progress: object) -> None:
    """Raise ArgumentError or ArgumentTypeError unless labelled files can be scanned so."""
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    if not isinstance(data, Collection):
        raise ArgumentTypeError(f"collection must be what open_labels gives. Got {type(data).__name__}.")
    check_options(on_error=on_error)
    arguments.boolean("scan_files", "unlabelled", unlabelled)
    if progress is not None and not callable(progress):
        raise ArgumentTypeError(f"progress must be a function. Got {progress!r}.")


def floor_with(low: float | None) -> float:
    """The lowest threshold that is looked at where events go on through `low`."""
    return FLOOR if low is None else max(FLOOR, low)


def is_longer(file: AnnotatedFile, model: Model) -> bool:
    """Whether a file has more than one window, along any axis, and at least one along all."""
    scale = model.sample_rate / file.sample_rate if model.sample_rate and file.sample_rate else 1.0
    extent = [round(length * scale) for length in file.extent]
    window = model.input_shape[1:]
    fits = all(n >= size for n, size in zip(extent, window, strict=True))
    return fits and tuple(extent) != tuple(window)


def rule_of(model: Model, tolerance: float | None, overlap: float | None) -> Tolerance | Overlap:
    """The rule that is asked for, at most one of them, or the default.

    Raises:
        ArgumentError: both are given, or one is out of range.
    """
    if tolerance is not None and overlap is not None:
        raise ArgumentError(
            f"only one of tolerance and overlap may be given. Got {tolerance:g} and {overlap:g}."
        )
    if overlap is not None:
        return Overlap(overlap)
    return default_rule(model) if tolerance is None else Tolerance(tolerance)


def default_rule(model: Model) -> Tolerance:
    """The middle of a detection lies in the event, or at most a quarter of a window beside it: a window whose middle is
    farther from a short event than that holds it at its very edge, or not at all.
    """
    smallest = min(model.input_shape[1:])
    return Tolerance(smallest / 4 / (model.sample_rate or 1.0))


def _located(file: AnnotatedFile, found: Detection) -> Located:
    start, stop = found.seconds or (found.start, found.stop)
    return Located(str(file.path), found.label, start, stop, found.score)


def _place(values: Sequence[float]) -> float | tuple[float, float]:
    return values[0] if len(values) == 1 else (values[0], values[1])


def _is_told(file: AnnotatedFile) -> bool:
    labels = {event.label for event in file.events}
    return not any(map(is_background, labels)) or _free(file, labels) <= 1e-3 * _free(file, set())


def _free(file: AnnotatedFile, labels: set[str]) -> float:
    """Seconds, pixels or elements of a file that no event of these labels covers."""
    extent = file.extent if file.seconds is None else (file.seconds,)
    boxes = [(event.start, event.stop) for event in file.events if event.label in labels]
    ends = np.array(boxes, np.float64).reshape(-1, 2, len(extent)).clip(0, extent)
    # Between neighbouring edges of events, along every axis, all is covered or nothing.
    edges = [np.unique(ends[..., axis]) for axis in range(len(extent))]
    covered = np.zeros([max(len(each) - 1, 0) for each in edges], np.bool_)
    for box in ends:
        cells = [np.searchsorted(each, box[:, axis]) for axis, each in enumerate(edges)]
        covered[tuple(slice(first, last) for first, last in cells)] = True
    sizes = np.ones(())
    for each in edges:
        sizes = np.multiply.outer(sizes, np.diff(each))
    return max(math.prod(map(float, extent)) - float((sizes * covered).sum()), 0.0)
