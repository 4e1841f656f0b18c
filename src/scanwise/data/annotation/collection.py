"""What was understood of somebody's labels: files, what occurs in them, and what is wrong with that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from scanwise.data.dataset import ImageMode, Kind
from scanwise.errors import ArgumentTypeError
from scanwise.model import BACKGROUND_NAMES

__all__ = ["AnnotatedFile", "Collection", "Event", "Finding", "is_background", "require_collection"]

Box = tuple[float, float, float, float]

FINDINGS = {
    "unreadable-labels": "label files that cannot be read",
    "missing-file": "labels for files that are missing",
    "unreadable-file": "files that cannot be read",
    "unknown-columns": "columns that are not known",
    "bad-place": "times or boxes that are none",
    "past-the-end": "times or boxes past the end",
    "repeated-label": "labels given twice",
    "contradiction": "labels that contradict each other",
    "overlap": "events of different labels that overlap",
    "no-positive": "labels that never occur",
    "no-negative": "labels that are never absent",
    "mixed-kinds": "files of different kinds",
    "mixed-sizes": "images of different sizes",
    "mixed-modes": "images grey and in colour",
    "silence": "recordings that are silent",
    "duplicate": "files with the same content",
    "train-and-validation": "files in train and validation",
    "unlabelled": "files without labels",
}
"""Every kind of finding, with its title, in the order in which they are told."""

NOTES = ("unlabelled",)
"""Findings that are no fault: they may be meant."""


def is_background(label: str) -> bool:
    """Whether a label says that none of the others occurs: `background` or `none`, in any case."""
    return label.lower() in BACKGROUND_NAMES


def require_collection(value: object) -> None:
    """Raise ArgumentTypeError unless a value is a collection."""
    if not isinstance(value, Collection):
        raise ArgumentTypeError(f"collection must be what open_labels gives. Got {type(value).__name__}.")


@dataclass(frozen=True)
class Event:
    """Something at a known place in a file.

    Attributes:
        label: its name.
        seconds: (start, stop) in a recording; of a series, which has no rate, in elements. None in images.
        box: (top, left, bottom, right) in an image, in pixels from its top left corner. None elsewhere.
        source: where the label came from, such as `labels.csv:3`.

    Example:
        >>> Event("wren", seconds=(1.5, 2.0)).length
        (0.5,)
    """

    label: str
    seconds: tuple[float, float] | None = None
    box: Box | None = None
    source: str = ""

    @property
    def start(self) -> tuple[float, ...]:
        """Where it begins: (seconds,), or (row, column)."""
        return self.box[:2] if self.box is not None else (self.seconds or (0.0,))[:1]

    @property
    def stop(self) -> tuple[float, ...]:
        """Where it ends: (seconds,), or (row, column)."""
        return self.box[2:] if self.box is not None else (self.seconds or (0.0,))[-1:]

    @property
    def length(self) -> tuple[float, ...]:
        """How long it is in seconds, or how high and wide in pixels."""
        return tuple(stop - start for start, stop in zip(self.start, self.stop, strict=True))


@dataclass(frozen=True)
class AnnotatedFile:
    """One recording, image or series, and what its labels say of it.

    Attributes:
        path: of the file.
        labels: what it contains somewhere: labels without a place, sorted.
        events: what it contains at known places, in the order of their starts.
        signal: "audio" | "image" | "series".
        extent: (samples,) at the file's own rate, or (rows, columns); empty if the file cannot be read.
        sample_rate: of a recording, in Hz; None otherwise.
        image_mode: of an image, "L" or "RGB"; None otherwise.
        source: where its labels came from; empty for a file that nothing is said about.
        error: why it cannot be read; empty if its header can be.
    """

    path: Path
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    signal: Kind = "audio"
    extent: tuple[int, ...] = ()
    sample_rate: int | None = None
    image_mode: ImageMode | None = None
    source: str = ""
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long a recording is; None for what has no sample rate, or cannot be read."""
        return self.extent[0] / self.sample_rate if self.extent and self.sample_rate else None

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Every label that occurs in it, with a place or without, sorted."""
        return tuple(sorted({*self.labels, *(event.label for event in self.events)}))


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or that one should know.

    Attributes:
        kind: one of `FINDINGS`, such as "missing-file".
        about: the file or label.
        message: what is the matter, in one sentence.
    """

    kind: str
    about: str
    message: str

    @property
    def wrong(self) -> bool:
        """Whether it is a fault, not only a note."""
        return self.kind not in NOTES


@dataclass(frozen=True)
class Collection:
    """Annotated files, as `open_labels` understood them.

    Attributes:
        source: the path that was opened.
        kind: how the labels are kept: "folder" | "table" | "audacity" | "raven" | "coco" | "voc".
        labels: all labels, sorted, those that never occur too; `background` and `none`, which say that none of
            the others occurs, are not among them.
        files: sorted by path.
        findings: what was wrong on the way.

    Example:
        >>> wren = AnnotatedFile(Path("a.wav"), events=(Event("wren", seconds=(1.0, 2.0)),), source="a.txt:1")
        >>> collection = Collection("recordings", "audacity", ("wren",), (wren,))
        >>> collection.located, collection.counts()
        (True, {'wren': (1, 1)})
    """

    source: str
    kind: str
    labels: tuple[str, ...]
    files: tuple[AnnotatedFile, ...]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def located(self) -> bool:
        """Whether places are known: some label has one."""
        return any(file.events for file in self.files)

    @property
    def has_background(self) -> bool:
        """Whether some file is said to contain none of the labels."""
        return any(
            file.source and all(is_background(label) for label in file.all_labels) for file in self.files
        )

    @property
    def signal(self) -> Kind | None:
        """What most labelled files are, "audio", "image" or "series"; None without any."""
        most = Counter(sorted(file.signal for file in self.files if file.source)).most_common(1)
        return most[0][0] if most else None

    def counts(self) -> dict[str, tuple[int, int]]:
        """For every label, the number of files that contain it, and of events."""
        files = dict.fromkeys(self.labels, 0)
        events = dict.fromkeys(self.labels, 0)
        for file in self.files:
            for label in file.all_labels:
                if label in files:
                    files[label] += 1
            for event in file.events:
                if event.label in events:
                    events[event.label] += 1
        return {label: (files[label], events[label]) for label in self.labels}
