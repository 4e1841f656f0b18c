"""Which files to scan: those that are named, and all under the folders that are named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from scanwise.data.opening import kind_of, signal_endings
from scanwise.errors import DataError, FileError
from scanwise.paths import is_folder, require_file, require_path


def signal_files(
    paths: Sequence[str | Path], *, input_shape: tuple[int, ...], sample_rate: int | None = None
) -> list[Path]:
    """List the signals that files and folders stand for, each once.

    A folder stands for all files under it, at any depth, whose endings say that the model can read them (see
    `read_signal`); a file that is named stands for itself. Hidden files and folders are left out. Of several ways to
    one file, such as links and files named twice, the first is taken.

    Args:
        paths: files and folders.
        input_shape: the model's (C, T) or (C, H, W).
        sample_rate: the model's, in Hz, for audio.

    Returns:
        Paths in the order of `paths`; those of a folder in the order of their names, before those of its sub-folders.
        A link that leads nowhere is among them, so that it is not passed over in silence.

    Raises:
        FileError: a file that is named does not exist or is a device or pipe, or a folder cannot be read.
        DataError: a folder holds no such file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.wav", "a.flac", "notes.txt", ".hidden.wav"):
        ...         (Path(folder) / name).touch()
        ...     [path.name for path in signal_files([folder], input_shape=(1, 400), sample_rate=8000)]
        ['a.flac', 'b.wav']
    """
    endings = signal_endings(kind_of(input_shape, sample_rate))
    files: dict[str, Path] = {}
    for path in (require_path(path, "FILE") for path in paths):
        if is_folder(path):
            found = [file for file in _files_under(path) if file.suffix.lower() in endings]
            if not found:
                raise DataError(
                    f"{path} must hold at least one file that the model reads ({', '.join(endings)}). Got none."
                )
        else:
            require_file(path, "FILE")
            found = [path]
        for file in found:
            files.setdefault(os.path.realpath(file), file)
    return list(files.values())


def _files_under(folder: Path) -> Iterator[Path]:
    """What lies in a folder at any depth; each folder once, so that links which lead back are no trap."""
    seen = set()
    for here, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        place = os.path.realpath(here)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here, name) for name in sorted(names) if not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise FileError(f"{error.filename} must be a folder that can be read. Got: {error.strerror}.") from None
