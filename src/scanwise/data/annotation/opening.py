"""Opening labels of any kind: found out by looking."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from scanwise.data.annotation import boxes, table, tracks
from scanwise.data.annotation.assembling import assemble
from scanwise.data.annotation.collection import Collection
from scanwise.data.annotation.places import Places, data_files
from scanwise.data.annotation.reading import Reading, Row
from scanwise.data.folder import files_within, kind_by_name
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError, FileError
from scanwise.paths import is_folder, require_file, require_path

__all__ = ["KINDS", "kind_of_labels", "open_labels"]

KINDS = ("folder", "table", "audacity", "raven", "coco", "voc")


def open_labels(
    path: str | Path,
    *,
    kind: str | None = None,
    folder: str | Path | None = None,
    column: str | None = None,
    encoding: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Collection:
    r"""Read what labels say of recordings, images or series, and what is wrong with them.

    - "folder": one sub-folder per label, each holding the files that contain it.
    - "table": a CSV or Parquet file (extra `parquet`), or the only one in a folder, with columns `file` and `label`, a
      row a label, so that a file with several labels has several rows; and `start_time` and `end_time` in seconds
      (elements, of series) where places are known. An empty label says that nothing occurs.
    - "audacity": label tracks `.txt` beside the recordings; "raven": selection tables beside them.
    - "coco": COCO's object annotations, `.json`; "voc": Pascal VOC's, an `.xml` a picture.

    Files are looked for beside the label file and in `folder`, and, by their last name, under it. Labels `background`
    and `none` say that none of the others occurs.

    Args:
        path: the folder or label file.
        kind: one of the above; None finds out by looking.
        folder: where the recordings or images are, if elsewhere.
        column: of a table or selection table, the column of labels, if it is called otherwise.
        encoding: of text files; None is UTF-8.
        progress: is called with (files looked at, files in all).

    Returns:
        The collection. Label files, rows and files that cannot be used are in its `findings`; nothing raises for them
        but a single label file that cannot be read at all.

    Raises:
        FileError: `path` or `folder` does not exist.
        ArgumentError, ArgumentTypeError: no such kind or encoding, or no labels of any kind in `path`.
        DataError: the label file cannot be read, is in another encoding, or lacks a column; none in a folder.

    Example:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.zeros(100))
        ...     _ = Path(folder, "labels.csv").write_text("file,start_time,end_time,label\na.npy,10,30,pulse\n")
        ...     collection = open_labels(folder)
        >>> collection.kind, collection.labels, collection.files[0].events[0].seconds
        ('table', ('pulse',), (10.0, 30.0))
    """
    if kind is not None and kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(map(repr, KINDS))}. Got {kind!r}.")
    for name, value in (("column", column), ("encoding", encoding)):
        if value is not None and not isinstance(value, str):
            raise ArgumentTypeError(f"{name} must be text. Got {value!r}.")
    path = require_path(path, "DATA")
    if not os.path.lexists(path):
        raise FileError(f"DATA must be an existing folder or file. Got {path}, which does not exist.")
    if not is_folder(path):
        require_file(path, "DATA")
    elsewhere = None if folder is None else require_path(folder, "folder")
    if elsewhere is not None and not is_folder(elsewhere):
        raise FileError(f"folder must be an existing folder. Got {elsewhere}.")
    try:
        kind = kind or kind_of_labels(path, folder=elsewhere, column=column, encoding=encoding)
        if kind is None:
            raise ArgumentError(
                f"DATA must be a folder with one sub-folder per label, a table of labels (.csv, .parquet), label "
                f"tracks beside recordings (.txt), COCO (.json) or Pascal VOC (.xml). Got {path}."
            )
        reading = _read(path, kind, elsewhere, column, encoding)
        roots = [*([elsewhere] if elsewhere is not None else []), *([path] if is_folder(path) else [])]
        near = [] if is_folder(path) else [path.parent]
        if kind == "voc":  # Annotations and JPEGImages lie side by side
            near += [(path if is_folder(path) else path.parent).parent / "JPEGImages"]

        def others(labelled: Sequence[Path]) -> list[Path]:
            return [
                *data_files(roots, deep=True),
                *data_files(sorted({file.parent for file in labelled}), deep=False),
            ]

        return assemble(path, kind, reading, Places(roots, near), others, progress)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{error.filename or path} must be readable. Got: {error.strerror}.") from None


def kind_of_labels(
    path: Path, *, folder: Path | None = None, column: str | None = None, encoding: str | None = None
) -> str | None:
    """What kind of labels a file or folder holds; None for a file of any other kind.

    In a folder, label files are looked for in this order: Pascal VOC's, selection tables, label tracks, one table or
    COCO file directly in it; a folder without any has sub-folders that are labels.
    """
    if not is_folder(path):
        if not path.is_file():
            return None
        return _kind_of_file(path, column, encoding)
    files = sorted(files_within(path, ()))
    if any(boxes.is_voc(file) for file in files):
        return "voc"
    texts = [file for file in files if file.suffix.lower() == tracks.EXTENSION]
    if any(tracks.is_raven(file) for file in texts):
        return "raven"
    if any(tracks.is_track_of_recording(file, folder) for file in texts):
        return "audacity"
    if texts and not any(kind_by_name(file) for file in files) and any(map(tracks.is_audacity, texts)):
        return "audacity"  # all recordings are missing, or elsewhere
    single = _label_files_in(path, column, encoding)
    return _kind_of_file(single[0], column, encoding) if len(single) == 1 else "folder"


def _kind_of_file(path: Path, column: str | None, encoding: str | None) -> str | None:
    if table.is_table(path, column=column, encoding=encoding):
        return "table"
    if path.suffix.lower() == ".json":
        return "coco"
    if path.suffix.lower() == ".xml":
        return "voc"
    if path.suffix.lower() == tracks.EXTENSION:
        return "raven" if tracks.is_raven(path) else "audacity"
    return None


def _label_files_in(folder: Path, column: str | None, encoding: str | None) -> list[Path]:
    """Tables and COCO files directly in a folder."""
    entries = sorted(
        entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_file()
    )
    return [
        entry
        for entry in entries
        if table.is_table(entry, column=column, encoding=encoding) or boxes.is_coco(entry)
    ]


def _read(path: Path, kind: str, folder: Path | None, column: str | None, encoding: str | None) -> Reading:
    if kind == "folder":
        return _read_folders(path)
    if kind in ("table", "coco"):
        if is_folder(path):
            single = [
                file
                for file in _label_files_in(path, column, encoding)
                if (kind == "coco") == boxes.is_coco(file)
            ]
            if len(single) != 1:
                found = ", ".join(file.name for file in single) or "none"
                raise DataError(f"{path} must hold one label file of kind {kind}, or be one. Got {found}.")
            path = single[0]
        if kind == "coco":
            return boxes.read_coco(path, encoding)
        return table.read_table(path, column=column, encoding=encoding)
    files = [path]
    if is_folder(path):
        files = [file for file in sorted(files_within(path, ())) if _belongs(file, kind, folder)]
        if not files:
            raise DataError(f"{path} must hold label files of kind {kind}. Got none.")
    reading = Reading()
    for file in files:
        try:
            if kind == "audacity":
                reading.add(tracks.read_audacity(file, folder, encoding))
            elif kind == "raven":
                reading.add(tracks.read_raven(file, folder, column, encoding))
            else:
                reading.add(boxes.read_voc(file, encoding))
        except DataError as error:
            if not is_folder(path):
                raise
            reading.find("unreadable-labels", file, str(error))
    return reading


def _belongs(file: Path, kind: str, folder: Path | None) -> bool:
    """Whether a file in a folder is a label file of this kind."""
    if kind == "voc":
        return file.suffix.lower() == ".xml"
    if kind == "raven":
        return tracks.is_raven(file)
    return tracks.is_audacity(file) or tracks.has_recording(file, folder)


def _read_folders(path: Path) -> Reading:
    """One sub-folder per label; a sub-folder without files is a label that never occurs."""
    if not is_folder(path):
        raise FileError(f"DATA must be a folder with one sub-folder per label. Got {path}, which is none.")
    reading = Reading()
    for label in sorted(
        entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    ):
        reading.labels.add(label.name)
        for file in sorted(files_within(label, ())):
            reading.rows.append(Row(file.name, label.name, str(label), file.parent))
    if not reading.labels:
        raise DataError(f"{path} must hold one sub-folder per label. Got none.")
    return reading
