"""A folder with one sub-folder per label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.data import array, audio, image
from scanwise.data.clips import ClipRule, Clips, Surveyed, settled_mode
from scanwise.data.dataset import Dataset, ImageMode, Kind, OnError, Skipped, encode_labels, require_kind
from scanwise.data.options import check_options
from scanwise.data.window import Window, empty_windows, place
from scanwise.errors import DataError, FileError
from scanwise.paths import is_folder, require_path

# Written into folders by the systems that show them; hidden files (.DS_Store) are left out by their dot.
NOT_DATA = ("thumbs.db", "desktop.ini")


class Reader(Protocol):
    """How the files of one kind become windows."""

    @property
    def kind(self) -> Kind: ...

    @property
    def sample_rate(self) -> int | None: ...

    @property
    def image_mode(self) -> ImageMode | None: ...

    @property
    def extents(self) -> tuple[tuple[int, ...], ...]: ...

    def survey(self, path: Path) -> None:
        """Take note of one file's header, or raise DataError."""

    def settle(self, window: Window | None) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Fix what was left open from the headers seen; the shape and type of a sample."""

    def read(self, path: Path) -> NDArray[Any]:
        """One whole file (C, ...), or raise DataError."""


def load_folder(
    path: str | Path,
    *,
    kind: Kind | None = None,
    window: Window | None = None,
    sample_rate: int | None = None,
    image_mode: ImageMode | None = None,
    labels: tuple[str, ...] | None = None,
    clips: ClipRule = "windows",
    on_error: OnError = "fatal",
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Load a folder with one sub-folder per label, each holding files of one kind (at any depth).

    WAV, FLAC and OGG are audio; PNG, JPEG and TIFF images; `.npy` a series (T,) or (C, T), or an image
    (C, H, W). Hidden files are left out. Files of unequal size follow the
    window rule (`scanwise.data.window`).

    Args:
        path: the folder.
        kind: "audio", "image" or "series" that a model takes; other kinds are refused.
        window: seconds of audio, elements of a series, (rows, columns) of an image; None chooses it.
        sample_rate: Hz that audio is resampled to; None takes that of most files.
        image_mode: "L" or "RGB"; None takes RGB if any file has colour.
        labels: a model's labels; None takes the sub-folders' names.
        clips: "windows" crops and pads files to the window; "whole" (here the same as "mixed") leaves them as long as
            they are, for a network that takes any extent. Or a function that decides when lengths are known.
        on_error: "fatal" raises at the first file that cannot be read; "skip" leaves it out and says so in
            `Dataset.skipped`.
        progress: is called with (files read, files in all) as they are read.

    Returns:
        The data set, files in the order of label and name.

    Raises:
        FileError: no such folder, or one that must not be read.
        ArgumentError, ArgumentTypeError: an option is not as stated.
        DataError: no labels, a label without files, mixed kinds, a file that cannot be read.
    """
    check_options(
        kind=kind,
        window=window,
        sample_rate=sample_rate,
        image_mode=image_mode,
        labels=labels,
        on_error=on_error,
    )
    folder = require_path(path, "path")
    members = _members(folder)
    reader = reader_for(folder, [file for _, file in members], sample_rate, image_mode)
    skipped: list[Skipped] = []
    usable = _surveyed(reader, members, on_error, skipped)
    _require_usable(folder, usable, skipped)
    require_kind(reader.kind, kind, str(folder))
    shape, dtype = reader.settle(window)
    mode = settled_mode(clips, Surveyed(shape, reader.sample_rate, reader.extents))
    whole = Clips(shape, dtype, reader.read)
    x = empty_windows(len(usable) if mode == "windows" else 0, shape, dtype)
    kept: list[tuple[str, Path]] = []
    for done, (name, file) in enumerate(usable, 1):
        try:
            clip = reader.read(file)
        except DataError as error:
            _leave_out(file, error, on_error, skipped)
        else:
            if mode == "windows":
                place(clip, x[len(kept)])
            else:
                whole.add_file(file, clip)
            kept.append((name, file))
        if progress is not None:
            progress(done, len(usable))
    _require_usable(folder, kept, skipped)
    y, labels = encode_labels([name for name, _ in kept], labels, str(folder))
    return Dataset(
        x=x[: len(kept)] if mode == "windows" else whole,
        y=y,
        labels=labels,
        kind=reader.kind,
        sample_rate=reader.sample_rate,
        image_mode=reader.image_mode if reader.kind == "image" else None,
        files=tuple(str(file) for _, file in kept),
        skipped=tuple(skipped),
    )


def _surveyed(
    reader: Reader, members: Sequence[tuple[str, Path]], on_error: OnError, skipped: list[Skipped]
) -> list[tuple[str, Path]]:
    """The members that can be read, as far as their heads say."""
    usable = []
    for name, file in members:
        try:
            reader.survey(file)
        except DataError as error:
            _leave_out(file, error, on_error, skipped)
        else:
            usable.append((name, file))
    return usable


def _members(folder: Path) -> list[tuple[str, Path]]:
    """Label and path of every file, sorted."""
    if not is_folder(folder):
        raise FileError(f"DATA must be a folder with one sub-folder per label. Got {folder}, which is none.")
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        stray = [e for e in entries if not e.is_dir() and kind_by_name(e) is not None]
        if stray:
            raise DataError(
                f"{stray[0]} must lie in the sub-folder of its label. Got it directly in {folder}."
            )
        members: list[tuple[str, Path]] = []
        for label in (entry for entry in entries if entry.is_dir()):
            files = sorted(files_within(label, ()))
            if not files:
                raise DataError(f"{label} must hold at least one file. Got none.")
            members += [(label.name, file) for file in files]
    except OSError as error:
        raise FileError(f"{error.filename or folder} must be readable. Got: {error.strerror}.") from None
    if not members:
        raise DataError(f"{folder} must hold one sub-folder per label. Got none.")
    return members


def files_within(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """What lies in a folder at any depth; also links that lead nowhere, so that they are not passed over in silence."""
    here = folder.resolve()
    if here in above:
        raise DataError(f"{folder} must be a folder of its own. Got a link to a folder that it lies in.")
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name.lower() in NOT_DATA:
            continue
        if entry.is_dir():
            yield from files_within(entry, (*above, here))
        else:
            yield entry


def kind_by_name(file: Path) -> str | None:
    """What a file is by its ending, "audio", "image" or ".npy"; None for any other."""
    suffix = file.suffix.lower()
    for name, module in (("audio", audio), ("image", image), (".npy", array)):
        if suffix in module.EXTENSIONS:
            return name
    return None


def reader_for(
    folder: Path, files: list[Path], sample_rate: int | None, image_mode: ImageMode | None
) -> Reader:
    """The reader of files, which must be of one kind, in `folder`."""
    first: dict[str, Path] = {}
    for file in files:
        name = kind_by_name(file)
        if name is not None:
            first.setdefault(name, file)
    if len(first) > 1:
        (a, file_a), (b, file_b) = list(first.items())[:2]
        raise DataError(f"{folder} must hold files of one kind. Got {a} ({file_a}) and {b} ({file_b}).")
    if not first:
        raise DataError(
            f"{folder} must hold WAV, FLAC or OGG, PNG, JPEG or TIFF, or .npy files. "
            f"Got {files[0]} and no such file."
        )
    if "audio" in first:
        return audio.AudioReader(sample_rate)
    return image.ImageReader(image_mode) if "image" in first else array.ArrayReader(image_mode)


def _leave_out(file: Path, error: DataError, on_error: OnError, skipped: list[Skipped]) -> None:
    if on_error == "fatal":
        raise error
    skipped.append(Skipped(str(file), str(error)))


def _require_usable(folder: Path, usable: list[tuple[str, Path]], skipped: list[Skipped]) -> None:
    if not usable:
        raise DataError(
            f"{folder} must hold at least one file that can be read. Got {len(skipped)} that cannot; "
            f"first: {skipped[0].reason}"
        )
