"""Labels that lie beside recordings: Audacity's label tracks and Raven's selection tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from scanwise.data import audio
from scanwise.data.annotation.reading import Reading, Row, head_of, number, plural, read_text
from scanwise.errors import DataError

__all__ = [
    "has_recording",
    "is_audacity",
    "is_raven",
    "is_track_of_recording",
    "read_audacity",
    "read_raven",
]

EXTENSION = ".txt"

_BEGIN, _END = "Begin Time (s)", "End Time (s)"
_LABEL_COLUMNS = ("Species", "Annotation", "Label")
_TABLE_NAME = re.compile(r"(\.table\.\d+)?(\.selections)?\.txt$", re.IGNORECASE)


def is_raven(path: Path) -> bool:
    """Whether a text file begins with the head of a selection table."""
    return path.suffix.lower() == EXTENSION and any(_BEGIN in line for line in _first_lines(path)[:1])


def is_audacity(path: Path) -> bool:
    """Whether a text file begins with two times, or is empty and lies beside a recording of its name."""
    if path.suffix.lower() != EXTENSION:
        return False
    lines = [line for line in _first_lines(path) if not line.startswith("\\")]
    if not lines:
        return _recording_of(path, path.stem) is not None
    cells = lines[0].split("\t")
    try:
        return len(cells) >= 2 and number(cells[0], "") <= number(cells[1], "")
    except DataError:
        return False


def has_recording(path: Path, folder: Path | None = None) -> bool:
    """Whether there is a recording, beside a text file or in `folder`, that is called as the file is."""
    return path.suffix.lower() == EXTENSION and _recording_of(path, path.stem, folder) is not None


def is_track_of_recording(path: Path, folder: Path | None = None) -> bool:
    """Whether a text file is a label track, and its recording is there."""
    return is_audacity(path) and has_recording(path, folder)


def read_audacity(path: Path, folder: Path | None, encoding: str | None) -> Reading:
    """Read one label track: a line a label, start, stop and text with tabs between, in seconds.

    Lines that begin with a backslash, which hold frequencies, are left out. The recording lies beside the track or in
    `folder` and has its name with another ending (`a.wav` and `a.txt`, or `a.wav.txt`). A track without labels says
    that nothing occurs.

    Source: Audacity's manual, "Importing and Exporting Labels".

    Raises:
        DataError: not such a file, or in another encoding.
    """
    text = read_text(path, encoding, "an Audacity label file") if path.stat().st_size else ""
    reading = Reading()
    recording = _recording_of(path, path.stem, folder)
    if recording is None:
        reading.find("missing-file", path, f"{path} must lie beside the recording that it labels. Got none.")
        return reading
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip() or content.startswith("\\"):
            continue
        cells = content.split("\t")
        source = f"{path}:{line}"
        if len(cells) < 2:
            reading.find(
                "bad-place", source, f"{path}, line {line}, must be start, stop and label. Got no tab in it."
            )
            continue
        _take(reading, path, line, (cells[0], cells[1]), "\t".join(cells[2:]), recording)
    if not reading.rows and not reading.findings:
        reading.rows.append(Row(recording.name, None, str(path), recording.parent))
    return reading


def read_raven(path: Path, folder: Path | None, column: str | None, encoding: str | None) -> Reading:
    """Read one selection table.

    A selection is of the file in `Begin File`, from `File Offset (s)` on if that is given, since `Begin Time (s)`
    counts from the start of the first of several files; without `Begin File`, of the recording that the table lies
    beside (`a.wav` and `a.Table.1.selections.txt`). The label is in the column `Species`, `Annotation` or `Label`, or
    in the one that is given. Frequencies and measurements are left out; a selection that is there once a view counts
    once.

    Source: Cornell Lab of Ornithology, "Raven Pro User's Manual", on selection tables and on measurements.

    Raises:
        DataError: not such a file, in another encoding, or without a column that it needs.
    """
    text = read_text(path, encoding, "a Raven selection table")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    heads = [cell.strip() for cell in rows[0]] if rows else []
    wanted = (column,) if column is not None else _LABEL_COLUMNS
    label = next((heads.index(name) for name in wanted if name in heads), None)
    if _BEGIN not in heads or _END not in heads or label is None:
        raise DataError(
            f"{path} must have the columns {_BEGIN}, {_END} and {' or '.join(wanted)}. Got {plural(heads, 12)}."
        )
    reading = Reading()
    beside = _recording_of(path, _TABLE_NAME.sub("", path.name), folder)
    seen: set[str] = set()
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = {head: cell.strip() for head, cell in zip(heads, row, strict=False)}
        if cells.get("View") and cells.get("Selection"):
            if cells["Selection"] in seen:
                continue
            seen.add(cells["Selection"])
        named = cells.get("Begin File") or cells.get("Begin Path")
        file = path.parent / named if named else beside
        if file is None:
            reading.find(
                "missing-file",
                f"{path}:{line}",
                f"{path}, line {line}, must name a Begin File, or lie beside its recording. Got neither.",
            )
            continue
        text_label = row[label] if label < len(row) else ""
        _take(
            reading,
            path,
            line,
            (cells[_BEGIN], cells.get(_END, "")),
            text_label,
            file,
            cells.get("File Offset (s)"),
        )
    if not reading.rows and not reading.findings and beside is not None:
        reading.rows.append(Row(beside.name, None, str(path), beside.parent))
    return reading


def _take(
    reading: Reading,
    path: Path,
    line: int,
    times: Sequence[str],
    label: str,
    file: Path,
    offset: str | None = None,
) -> None:
    """Add one label of a track, or what is wrong with it."""
    source, what = f"{path}:{line}", f"{path}, line {line}"
    try:
        start, stop = number(times[0], f"{what}: the start"), number(times[1], f"{what}: the end")
        if offset:
            begin = number(offset, f"{what}: File Offset (s)")
            start, stop = begin, begin + stop - start
    except DataError as error:
        reading.find("bad-place", source, str(error))
        return
    if not label.strip():
        reading.find("bad-place", source, f"{what}, must have a label. Got none.")
        return
    reading.rows.append(Row(file.name, label.strip(), source, file.parent, (start, stop)))


def _recording_of(track: Path, name: str, folder: Path | None = None) -> Path | None:
    """The recording called `name`, with the ending of a recording or with one already in it."""
    for place in (track.parent, *([] if folder is None else [folder])):
        if Path(name).suffix.lower() in audio.EXTENSIONS and (place / name).is_file():
            return place / name
        for ending in audio.EXTENSIONS:
            for candidate in (place / f"{name}{ending}", place / f"{name}{ending.upper()}"):
                if candidate.is_file():
                    return candidate
    return None


def _first_lines(path: Path) -> list[str]:
    """The first lines that are not blank, whatever the encoding."""
    head = head_of(path)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return [line for line in head.decode(encoding, "replace").splitlines() if line.strip()]
