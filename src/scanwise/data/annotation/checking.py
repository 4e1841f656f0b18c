"""What is wrong with a collection: what labels, headers and contents tell together."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from scanwise.data import array, audio, image
from scanwise.data.annotation.collection import (
    FINDINGS,
    AnnotatedFile,
    Collection,
    Event,
    Finding,
    is_background,
    require_collection,
)
from scanwise.data.dataset import require_finite
from scanwise.data.folder import kind_by_name
from scanwise.errors import DataError

__all__ = ["check_labels"]

# The loudest sample of a silent recording: one step of 16 bits, which dither may leave.
SILENT = 1.0 / 32768

# Boxes of different labels that have this much of their union in common are about the same thing.
SAME_BOX = 0.5

_BLOCK = 1 << 20  # bytes hashed at a time


def check_labels(
    collection: Collection,
    *,
    validation: Collection | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Finding, ...]:
    r"""Find what is wrong with labels and the files that they are about; every labelled file is read whole.

    Args:
        collection: what `open_labels` gives.
        validation: of the data that are to be validated on; files that are in both are found.
        progress: is called with (files read, files in all).

    Returns:
        The collection's own findings and the further ones, in the order of `FINDINGS`.

    Raises:
        ArgumentTypeError: `collection` is none.

    Example:
        >>> import tempfile, numpy as np
        >>> from scanwise.data import open_labels
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.zeros(100))
        ...     _ = Path(folder, "labels.csv").write_text("file,label\na.npy,pulse\na.npy,none\n")
        ...     findings = check_labels(open_labels(folder))
        >>> [finding.kind for finding in findings]
        ['contradiction', 'no-negative']
    """
    require_collection(collection)
    findings = list(collection.findings)
    for file in collection.files:
        findings += _contradictions(file)
        findings += _overlaps(file)
    findings += _one_sided(collection)
    findings += _mixtures(collection)
    labelled = [file for file in collection.files if file.source and not file.error]
    for done, file in enumerate(labelled, 1):
        findings += _content(file)
        if progress is not None:
            progress(done, len(labelled))
    findings += _duplicates(labelled)
    if validation is not None:
        findings += _in_both(collection, validation)
    order = list(FINDINGS)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.kind)))


def _contradictions(file: AnnotatedFile) -> Iterator[Finding]:
    background = [label for label in file.labels if is_background(label)]
    others = [label for label in file.all_labels if not is_background(label)]
    if background and others:
        yield Finding(
            "contradiction",
            str(file.path),
            f"{file.path} must not be {background[0]} and contain {', '.join(others)}.",
        )


def _overlaps(file: AnnotatedFile) -> Iterator[Finding]:
    """The first overlap of every two labels of a file."""
    seen: set[tuple[str, str]] = set()
    for a, b in _overlapping(file.events):
        pair = (min(a.label, b.label), max(a.label, b.label))
        if pair in seen or a.label == b.label:
            continue
        seen.add(pair)
        contradicts = is_background(a.label) or is_background(b.label)
        yield Finding(
            "contradiction" if contradicts else "overlap",
            str(file.path),
            f"{file.path}: {_shown(a)} ({a.source}) overlaps {_shown(b)} ({b.source}).",
        )


def _overlapping(events: Sequence[Event]) -> Iterator[tuple[Event, Event]]:
    """Pairs that have something in common, and boxes most of it. Events come in the order of their starts."""
    going: list[Event] = []
    for event in events:
        going = [other for other in going if other.stop[0] > event.start[0]]
        for other in going:
            if event.box is None or _intersection_over_union(event, other) >= SAME_BOX:
                yield other, event
        going.append(event)


def _intersection_over_union(a: Event, b: Event) -> float:
    common = 1.0
    for start_a, stop_a, start_b, stop_b in zip(a.start, a.stop, b.start, b.stop, strict=True):
        common *= max(min(stop_a, stop_b) - max(start_a, start_b), 0.0)
    union = float(np.prod(a.length) + np.prod(b.length)) - common
    return common / union if union else 0.0


def _one_sided(collection: Collection) -> Iterator[Finding]:
    files = [file for file in collection.files if file.source]
    for label in collection.labels:
        containing = [file for file in files if label in file.all_labels]
        if not containing:
            yield Finding("no-positive", label, f"{label} must occur in some file. It occurs in none.")
        elif len(containing) == len(files) and not any(_leaves_gap(file, label) for file in files):
            yield Finding("no-negative", label, f"{label} must be absent somewhere. It is everywhere.")


def _leaves_gap(file: AnnotatedFile, label: str) -> bool:
    """Whether some part of a file that contains a label is known to be without it."""
    if label in file.labels or not file.extent:
        return False
    if file.signal == "image":
        return True
    reached = 0.0
    for event in file.events:  # in the order of their starts
        if event.label == label:
            if event.start[0] > reached:
                return True
            reached = max(reached, event.stop[0])
    return reached < (file.seconds if file.seconds is not None else file.extent[0])


def _mixtures(collection: Collection) -> Iterator[Finding]:
    files = [file for file in collection.files if file.source and not file.error]
    images = [file for file in files if file.signal == "image"]
    mixtures = [("mixed-kinds", "files of one kind", Counter(str(file.signal) for file in files))]
    if not collection.located:  # windows are cut from images with boxes, whatever their size
        sizes = Counter("x".join(map(str, file.extent)) for file in images)
        mixtures.append(("mixed-sizes", "images of one size, or they are cropped and padded", sizes))
    modes = Counter({"L": "grey", "RGB": "colour"}.get(file.image_mode or "", "other") for file in images)
    mixtures.append(("mixed-modes", "images in one mode, or grey is repeated as colour", modes))
    for kind, expected, number in mixtures:
        if len(number) > 1:
            most = number.most_common(3)
            got = ", ".join(f"{count:,} {name}" for name, count in most)
            more = f" and {len(number) - len(most):,} more" if len(number) > len(most) else ""
            yield Finding(
                kind, collection.source, f"{collection.source} must hold {expected}. Got {got}{more}."
            )


def _content(file: AnnotatedFile) -> Iterator[Finding]:
    """Reads a file whole: damage behind the header, values that are not finite, silence."""
    try:
        if file.signal == "audio":
            peak = 0.0
            for chunk in audio.audio_chunks(file.path):
                require_finite(chunk, str(file.path))
                peak = max(peak, float(np.abs(chunk).max(initial=0.0)))
            if peak <= SILENT:
                yield Finding(
                    "silence", str(file.path), f"{file.path} must hold sound. It is silent throughout."
                )
        elif kind_by_name(file.path) == "image":
            image.read_image(file.path, file.image_mode or "RGB")
        else:
            require_finite(array.read_npy(file.path), str(file.path))
    except DataError as error:
        yield Finding("unreadable-file", str(file.path), str(error))


def _duplicates(files: Sequence[AnnotatedFile]) -> Iterator[Finding]:
    for same in _same_content(files):
        first = same[0]
        for other in same[1:]:
            differ = first.all_labels != other.all_labels
            tail = f", and other labels ({_labels(first)}; {_labels(other)})" if differ else ""
            yield Finding(
                "duplicate", str(other.path), f"{other.path} has the content of {first.path}{tail}."
            )


def _in_both(collection: Collection, validation: Collection) -> Iterator[Finding]:
    training = [file for file in collection.files if file.source]
    held_out = [file for file in validation.files if file.source]
    known = {os.path.realpath(file.path) for file in training}
    for file in held_out:
        if os.path.realpath(file.path) in known:
            yield Finding("train-and-validation", str(file.path), f"{file.path} is in both.")
    others = [file for file in held_out if os.path.realpath(file.path) not in known]
    own = {id(file) for file in training}
    for same in _same_content([*training, *others]):
        if id(same[0]) in own:
            for file in same[1:]:
                if id(file) not in own:
                    message = f"{file.path} in validation has the content of {same[0].path}."
                    yield Finding("train-and-validation", str(file.path), message)


def _same_content(files: Sequence[AnnotatedFile]) -> list[list[AnnotatedFile]]:
    """Groups of at least two files with the same bytes; only files of the same size are read."""
    sizes: defaultdict[int, list[AnnotatedFile]] = defaultdict(list)
    for file in files:
        try:
            sizes[file.path.stat().st_size].append(file)
        except OSError:  # gone since
            continue
    groups: list[list[AnnotatedFile]] = []
    for alike in sizes.values():
        digests: defaultdict[bytes, list[AnnotatedFile]] = defaultdict(list)
        for file in alike if len(alike) > 1 else []:
            digests[_digest(file.path)].append(file)
        groups += [same for same in digests.values() if len(same) > 1]
    return groups


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        digest.update(f"{path}: {error}".encode())  # like no other
    return digest.digest()


def _labels(file: AnnotatedFile) -> str:
    return ", ".join(file.all_labels) or "none"


def _shown(event: Event) -> str:
    if event.box is not None:
        return f"{event.label} at ({event.box[0]:g}, {event.box[1]:g})"
    return f"{event.label} at {event.start[0]:g} to {event.stop[0]:g}"
