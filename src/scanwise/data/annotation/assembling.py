"""From what label files say to annotated files: files are looked up, their headers read, and places checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scanwise.data import array, audio, image
from scanwise.data.annotation.collection import AnnotatedFile, Collection, Event, Finding, is_background
from scanwise.data.annotation.places import Places
from scanwise.data.annotation.reading import Reading, Row
from scanwise.data.dataset import sort_labels
from scanwise.data.folder import kind_by_name
from scanwise.errors import DataError

__all__ = ["assemble"]

# Label files round: a time may lie this far behind the end, in seconds, or a box in pixels.
_TOLERANCE = {"audio": 0.005, "image": 1.0, "series": 1.0}


@dataclass
class _Statements:
    """What is said of one file."""

    path: Path
    source: str = ""
    labels: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    seen: set[tuple[object, ...]] = field(default_factory=set)


def assemble(
    source: Path,
    kind: str,
    reading: Reading,
    places: Places,
    others: Callable[[Sequence[Path]], Sequence[Path]],
    progress: Callable[[int, int], None] | None,
) -> Collection:
    """Make a collection.

    Args:
        source: what was opened.
        kind: of the labels.
        reading: what they say.
        places: where files are looked for.
        others: files beside those that are labelled, given these.
        progress: is called with (headers read, headers in all).
    """
    findings = list(reading.findings)
    statements = _by_file(reading.rows, places, findings)
    labelled = [one.path for one in statements.values()]
    for path in others(labelled):
        if os.path.realpath(path) not in statements:
            statements[os.path.realpath(path)] = _Statements(path)
            findings.append(Finding("unlabelled", str(path), f"{path} has no labels."))
    files = []
    for done, one in enumerate(sorted(statements.values(), key=lambda one: one.path), 1):
        files.append(_surveyed(one, findings))
        if progress is not None:
            progress(done, len(statements))
    names = reading.labels | {label for file in files for label in file.all_labels}
    labels = sort_labels({name for name in names if not is_background(name)})
    return Collection(str(source), kind, labels, tuple(files), tuple(findings))


def _by_file(rows: Sequence[Row], places: Places, findings: list[Finding]) -> dict[str, _Statements]:
    found: dict[tuple[str, Path], Path | None] = {}
    statements: dict[str, _Statements] = {}
    for row in rows:
        key = (row.file, row.base)
        if key not in found:
            found[key] = places.find(row.file, row.base)
            if found[key] is None:
                findings.append(
                    Finding(
                        "missing-file",
                        row.source,
                        f"{row.source} must label a file that exists. Got {row.file}.",
                    )
                )
        path = found[key]
        if path is None:
            continue
        one = statements.setdefault(os.path.realpath(path), _Statements(path))
        one.source = one.source or row.source
        if row.label is not None:
            _state(one, row, row.label, findings)
    return statements


def _state(one: _Statements, row: Row, label: str, findings: list[Finding]) -> None:
    """Add a label to a file, unless it is there already or its place is none."""
    event = Event(label, row.seconds, row.box, row.source)
    located = row.seconds is not None or row.box is not None
    if located and (min(event.length) < 0 or (row.box is not None and min(event.length) == 0)):
        findings.append(
            Finding("bad-place", row.source, f"{row.source} must end after it begins. Got {_place(event)}.")
        )
        return
    statement = (label, row.seconds, row.box)
    if statement in one.seen:
        findings.append(
            Finding("repeated-label", row.source, f"{row.source} says once more that {one.path} has {label}.")
        )
    elif located:
        one.events.append(event)
    else:
        one.labels.add(label)
    one.seen.add(statement)


def _surveyed(one: _Statements, findings: list[Finding]) -> AnnotatedFile:
    file = AnnotatedFile(one.path, tuple(sorted(one.labels)), source=one.source)
    try:
        file = _with_header(file)
    except DataError as error:
        findings.append(Finding("unreadable-file", str(one.path), str(error)))
        return replace(file, events=tuple(sorted(one.events, key=_order)), error=str(error))
    events = [kept for event in one.events if (kept := _within(event, file, findings)) is not None]
    return replace(file, events=tuple(sorted(events, key=_order)))


def _with_header(file: AnnotatedFile) -> AnnotatedFile:
    kind = kind_by_name(file.path)
    if kind == "audio":
        frames, rate = audio.audio_information(file.path)
        return replace(file, signal="audio", extent=(frames,), sample_rate=rate)
    if kind == "image":
        H, W, image_mode, _ = image.image_information(file.path)
        return replace(file, signal="image", extent=(H, W), image_mode=image_mode)
    if kind == ".npy":
        shape = array.as_signal(array.read_npy(file.path), str(file.path), None).shape
        if len(shape) == 2:
            return replace(file, signal="series", extent=tuple(shape[1:]))
        mode = array.image_mode_of(shape[0])
        return replace(file, signal="image", extent=tuple(shape[1:]), image_mode=mode)
    raise DataError(
        f"{file.path} must be WAV, FLAC or OGG, PNG, JPEG or TIFF, or .npy. Got {file.path.suffix or 'no ending'}."
    )


def _within(event: Event, file: AnnotatedFile, findings: list[Finding]) -> Event | None:
    """The part of an event that lies in its file; findings tell of the rest."""
    if (event.box is None) != (file.signal != "image"):
        wanted = "a box" if file.signal == "image" else "times"
        message = f"{event.source} must have {wanted}, since {file.path} is {_NAMES[file.signal]}. Got {_place(event)}."
        findings.append(Finding("bad-place", event.source, message))
        return None
    end: tuple[float, ...] = file.extent if file.seconds is None else (file.seconds,)
    slack = _TOLERANCE[file.signal]
    inside = min(event.start) >= -slack and all(
        stop <= last + slack for stop, last in zip(event.stop, end, strict=True)
    )
    if not inside:
        findings.append(
            Finding(
                "past-the-end",
                event.source,
                f"{event.source} must lie within {file.path}, which ends at {_numbers(end)}. Got {_place(event)}.",
            )
        )
    start = tuple(max(value, 0.0) for value in event.start)
    stop = tuple(min(value, float(last)) for value, last in zip(event.stop, end, strict=True))
    if any(a >= last or b < a for a, b, last in zip(start, stop, end, strict=True)):
        return None
    if event.box is not None:
        return replace(event, box=(start[0], start[1], stop[0], stop[1]))
    return replace(event, seconds=(start[0], stop[0]))


_NAMES = {"audio": "a recording", "image": "an image", "series": "a series"}


def _order(event: Event) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    return event.start, event.stop, event.label


def _place(event: Event) -> str:
    return f"{_numbers(event.start)} to {_numbers(event.stop)}"


def _numbers(values: Sequence[float]) -> str:
    text = ", ".join(f"{value:g}" for value in values)
    return text if len(values) == 1 else f"({text})"
