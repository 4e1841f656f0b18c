"""Whatever holds labels, as a data set: for `train` and `eval`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scanwise.cli.console import plain, say
from scanwise.data import Collection, Dataset, open_dataset, open_labels, windows_from
from scanwise.data.annotation.collection import is_background
from scanwise.data.annotation.opening import kind_of_labels
from scanwise.data.clips import ClipRule
from scanwise.data.dataset import ImageMode, OnError
from scanwise.data.opening import require_input_shape, taken_by
from scanwise.data.window import Window
from scanwise.errors import ArgumentError
from scanwise.paths import is_folder

__all__ = ["LabelOptions", "open_collection", "open_labelled"]


@dataclass(frozen=True)
class LabelOptions:
    """How labels are read; `options.py` says what each means."""

    kind: str | None = None
    folder: Path | None = None
    column: str | None = None
    encoding: str | None = None
    background: float = 1.0
    unlabelled: bool = False
    cut: float = 0.0

    def open(
        self, path: Path, kind: str | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Collection:
        """What the labels say; `kind` where it is known already."""
        return open_labels(
            path,
            kind=kind or self.kind,
            folder=self.folder,
            column=self.column,
            encoding=self.encoding,
            progress=progress,
        )


def open_labelled(
    path: Path,
    options: LabelOptions,
    *,
    presence: bool | None,
    seed: int = 0,
    input_shape: tuple[int, ...] | None = None,
    window: Window | None = None,
    sample_rate: int | None = None,
    image_mode: ImageMode | None = None,
    labels: tuple[str, ...] | None = None,
    clips: ClipRule = "windows",
    on_error: OnError = "fatal",
    part: str = "train",
    progress: Callable[[int, int], None] | None = None,
    collection: Collection | None = None,
) -> Dataset:
    """Open a data set, or labels of any kind.

    Args:
        path: what `open_dataset` or `open_labels` takes.
        options: how labels are read.
        presence: True gives one 0 or 1 for every label, False one label for every sample; None decides by the data:
            presence where places are known, files have several labels, or there is background.
        seed: of the choice of background windows.
        input_shape: a model's; see `open_dataset`, as for the others.
        collection: what `open_collection` gave for the same; None opens it.

    Raises:
        ArgumentError: one label for every sample is asked for, and the data are not so.
    """
    if collection is None:
        collection = open_collection(path, options, presence=presence)
    if collection is None:
        return open_dataset(
            path,
            input_shape=input_shape,
            window=window,
            sample_rate=sample_rate,
            image_mode=image_mode,
            labels=labels,
            clips=clips,
            on_error=on_error,
            part=part,
            progress=progress,
        )
    taken = None
    if input_shape is not None:
        taken, window, mode = taken_by(input_shape, sample_rate)
        image_mode = image_mode or mode
    presence = _is_presence(collection) if presence is None else presence
    dataset = windows_from(
        collection,
        window,
        background=options.background,
        cut=options.cut,
        unlabelled=options.unlabelled,
        seed=seed,
        kind=taken,
        sample_rate=sample_rate,
        image_mode=image_mode,
        labels=labels,
        clips=clips,
        on_error=on_error,
        progress=progress,
    )
    if input_shape is not None:
        require_input_shape(dataset, input_shape, path)
    return dataset if presence else _as_classes(dataset, path)


def open_collection(path: Path, options: LabelOptions, *, presence: bool | None) -> Collection | None:
    """The labels of files; None for a data set that has none beside it, which `open_dataset` reads.

    Args:
        path, options, presence: as `open_labelled` takes them.

    Raises:
        ArgumentError: options of labels are given for a data set that has none beside it.
    """
    kind = _kind(path, options)
    if kind is None or (kind == "folder" and not _wants_presence(path, presence)):
        if options != LabelOptions() and kind is None:
            raise ArgumentError(
                f"options of labels must be left out for data that are no label files. Got {path}."
            )
        return None
    collection = options.open(path, kind)
    for finding in collection.findings:
        if finding.kind == "unknown-columns":  # a misspelt start_time turns events into clips
            say(plain(finding.message))
    return collection


def _kind(path: Path, options: LabelOptions) -> str | None:
    """The kind of labels, or None for what only `open_dataset` reads or refuses."""
    if options.kind is not None:
        return options.kind
    if path.suffix.lower() == ".npz":
        return None
    try:
        return kind_of_labels(path, folder=options.folder, column=options.column, encoding=options.encoding)
    except OSError:  # not readable: the reader's own message says so
        return None


def _wants_presence(folder: Path, presence: bool | None) -> bool:
    """Whether a folder with one sub-folder per label gives presence: if asked for, or if one is the background."""
    if presence is not None or not is_folder(folder):
        return bool(presence)
    return any(entry.is_dir() and is_background(entry.name) for entry in folder.iterdir())


def _is_presence(collection: Collection) -> bool:
    several = any(len(file.all_labels) != 1 for file in collection.files if file.source)
    return collection.located or collection.has_background or several or len(collection.labels) < 2


def _as_classes(dataset: Dataset, path: Path) -> Dataset:
    """One label for every sample; the background, if it is one of them, for those without another."""
    present = np.array(dataset.y)
    for k, label in enumerate(dataset.labels):
        if is_background(label):
            present[~present.any(axis=1), k] = 1
    number = present.sum(axis=1)
    if (number != 1).any() or len(dataset.labels) < 2:
        raise ArgumentError(
            "every sample must have exactly one of several labels for cross_entropy; binary_cross_entropy also takes "
            f"none and several. {path} has {np.count_nonzero(number == 0):,} samples with none and "
            f"{np.count_nonzero(number > 1):,} with several."
        )
    return replace(dataset, y=present.argmax(axis=1).astype(np.int64))
