"""Whether a file can be written, asked before the work that it is to hold."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from scanwise.data.folder import kind_by_name
from scanwise.errors import ArgumentError, FileError

_OF_LABELS = (".csv", ".json", ".npz", ".parquet", ".tsv", ".txt", ".xml")


def require_writable(path: Path, *inputs: Path, name: str = "output") -> None:
    """Raise FileError now rather than after minutes of training; also where a file that is read would be replaced."""
    folder = path.parent
    for source in inputs:
        with contextlib.suppress(OSError):  # that one of them is missing is found where it is read
            if source.samefile(path) or _is_data_in(source, path):
                raise ArgumentError(f"{name} must be another file than those that are read. Got {path}.")
    if path.is_dir():
        raise FileError(f"{name} must be a file. Got {path}, which is a folder.")
    if path.exists() and not path.is_file():
        raise FileError(f"{name} must be an ordinary file. Got {path}, which is a device or pipe.")
    if not folder.is_dir():
        raise FileError(f"{name} must be in a folder that exists. Got {path}.")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{name} must be in a folder that can be written to. Got {path}.")


def _is_data_in(folder: Path, path: Path) -> bool:
    """Whether `path` is a file of data or labels, by its ending, in a folder that is read."""
    is_data = kind_by_name(path) is not None or path.suffix.lower() in _OF_LABELS
    return is_data and path.is_file() and folder.resolve() in path.resolve().parents
