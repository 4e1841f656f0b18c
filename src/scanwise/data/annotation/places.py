"""Where the files are that labels name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from scanwise.data.folder import files_within, kind_by_name

__all__ = ["Places", "data_files"]


class Places:
    """Finds files by the names that label files give them.

    A name is looked for beside the label file, then in the folders, then, by its last part alone, anywhere under the
    folders; there only if one file is called that.

    Args:
        folders: where to look, at any depth.
        near: where to look too, one level down: a label file's own folder, which may be somebody's home.
    """

    def __init__(self, folders: Sequence[Path], near: Sequence[Path] = ()) -> None:
        self._folders, self._near = tuple(folders), tuple(near)

    def find(self, name: str, base: Path) -> Path | None:
        """The file, or None. `base` is the folder of the label file."""
        names = [name]
        if "\\" in name:  # written on Windows
            names.append(name.replace("\\", "/"))
        for candidate in names:
            for folder in (base, *self._folders, *self._near):
                path = folder / candidate
                if _is_file(path):
                    return path
        found = self._by_name.get(names[-1].rpartition("/")[2], [])
        return found[0] if len(found) == 1 else None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        index: defaultdict[str, list[Path]] = defaultdict(list)
        paths: dict[str, Path] = {}
        for folder in self._folders:
            for path in files_within(folder, ()):
                paths.setdefault(os.path.realpath(path), path)
        for folder in self._near:
            for inner in (folder, *_folders_in(folder)):
                for path in _entries(inner):
                    if _is_file(path):
                        paths.setdefault(os.path.realpath(path), path)
        for path in paths.values():
            index[path.name].append(path)
        return index


def data_files(folders: Iterable[Path], *, deep: bool) -> list[Path]:
    """Recordings, images and arrays in folders, sorted; with `deep`, also in their sub-folders."""
    found: set[Path] = set()
    for folder in folders:
        paths = files_within(folder, ()) if deep else _entries(folder)
        found.update(path for path in paths if kind_by_name(path) is not None)
    return sorted(found)


def _folders_in(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or one with a null character
        return False
