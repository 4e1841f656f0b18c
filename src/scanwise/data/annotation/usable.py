"""What of a collection can be trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scanwise.data.annotation.collection import AnnotatedFile, Collection, is_background
from scanwise.data.dataset import Kind, OnError, Skipped, require_kind
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError

__all__ = ["check_drawing", "require_both", "usable_files"]

# Findings that would train on something else than what was meant.
FATAL = ("unreadable-labels", "missing-file", "unreadable-file", "bad-place", "past-the-end", "contradiction")


def check_drawing(background: object, cut: object, seed: object) -> None:
    """Raise ArgumentError or ArgumentTypeError for a number of background windows, or a seed, that is none."""
    for name, value in (("background", background), ("cut", cut)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ArgumentTypeError(f"{name} must be a number of windows for every event. Got {value!r}.")
        if not 0 <= value < math.inf:
            raise ArgumentError(f"{name} must be at least 0 and finite. Got {value!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ArgumentTypeError(f"seed must be a whole number. Got {seed!r}.")
    if seed < 0:
        raise ArgumentError(f"seed must be at least 0. Got {seed}.")


def usable_files(
    collection: Collection, names: tuple[str, ...], kind: Kind | None, *, unlabelled: bool, on_error: OnError
) -> tuple[list[AnnotatedFile], list[Skipped]]:
    """The files that can be read and of which something is known, and what was left out.

    Args:
        collection: what `open_labels` gives.
        names: the labels that there may be.
        kind: "audio", "image" or "series", which all must be; None takes what most are.
        unlabelled: whether files of which nothing is said count as background.
        on_error: "fatal" raises at the first label or file that cannot be used; "skip" leaves it out.

    Raises:
        DataError: there is none, the kind or a label is another; with "fatal", something cannot be used.
    """
    skipped = _faults_of(collection, unlabelled, on_error)
    files = [file for file in collection.files if not file.error and (file.source or unlabelled)]
    files = _of_one_kind(collection, files, on_error, skipped)
    require_kind(files[0].signal, kind, collection.source)
    _require_known(collection, files, names)
    return files, skipped


def _faults_of(collection: Collection, unlabelled: bool, on_error: OnError) -> list[Skipped]:
    """What cannot be used, or the error for the first of it. Files that are not used may be damaged."""
    unused = {str(file.path) for file in collection.files if not file.source and not unlabelled}
    faults = [
        finding
        for finding in collection.findings
        if finding.kind in FATAL and not (finding.kind == "unreadable-file" and finding.about in unused)
    ]
    for file in collection.files:
        background = [label for label in file.labels if is_background(label)]
        if background and len(file.all_labels) > len(background) and on_error == "fatal":
            raise DataError(
                f"{file.path} must not be {background[0]} and contain something. Got {', '.join(file.all_labels)}."
            )
    if faults and on_error == "fatal":
        raise DataError(faults[0].message)
    return [Skipped(finding.about, finding.message) for finding in faults]


def _of_one_kind(
    collection: Collection, files: list[AnnotatedFile], on_error: OnError, skipped: list[Skipped]
) -> list[AnnotatedFile]:
    """The files of the kind that most have; others are left out, or an error."""
    if not files:
        raise DataError(
            f"{collection.source} must hold at least one labelled file that can be read. Got none."
        )
    kind = collection.signal
    other = [file for file in files if file.signal != kind]
    if other and on_error == "fatal":
        raise DataError(
            f"{collection.source} must hold files of one kind. Got {kind} and {other[0].signal} ({other[0].path})."
        )
    skipped += [Skipped(str(file.path), f"it holds {file.signal}, not {kind}") for file in other]
    return [file for file in files if file.signal == kind]


def _require_known(collection: Collection, files: Sequence[AnnotatedFile], names: tuple[str, ...]) -> None:
    """Raise DataError for a label that is not among `names`, or if there are none."""
    occurring = {label for file in files for label in file.all_labels if not is_background(label)}
    unknown = sorted(occurring - set(names))
    if unknown:
        raise DataError(
            f"{collection.source} must hold only the model's labels ({', '.join(names)}). Got {', '.join(unknown[:5])}"
            f"{' and others' if len(unknown) > 5 else ''}."
        )
    if not names:
        raise DataError(f"{collection.source} must hold a label beside background. Got none.")


def require_both(source: str, targets: NDArray[np.float32], names: tuple[str, ...]) -> None:
    """Nothing can be learned of a label that is always there, or never."""
    for label, column in zip(names, targets.T, strict=True):
        if not column.any() or column.all():
            what = "every sample has it" if column.all() else "no sample has it"
            raise DataError(
                f"{source} must have samples with and without label {label!r}. Got {len(column)}, and {what}."
            )
