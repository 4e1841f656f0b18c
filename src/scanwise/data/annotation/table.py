"""Tables of labels, CSV or Parquet: one row a statement.

`file,label` says that a file contains something; a file with several labels has several rows. With `start_time` and
`end_time`, in seconds (in elements, of series), it says where. Both empty: somewhere. An empty label, or `background`,
or `none`: nothing occurs there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scanwise.data.annotation.reading import Reading, Row, head_of, number, plural, read_text
from scanwise.data.decoding import decoding
from scanwise.errors import DataError
from scanwise.identities.extra import require_extra

__all__ = ["EXTENSIONS", "is_table", "read_table"]

EXTENSIONS = (".csv", ".tsv", ".parquet")

COLUMNS = {
    "file": ("file", "filename", "file_name", "path"),
    "label": ("label", "labels", "event_label"),
    "start": ("start_time", "start", "onset"),
    "stop": ("end_time", "end", "stop_time", "stop", "offset"),
}
"""The names under which a column is known; the first is the one that messages use."""

_SEPARATORS = ",;\t"


def is_table(path: Path, *, column: str | None = None, encoding: str | None = None) -> bool:
    """Whether a CSV or Parquet file has the columns of a table of labels; `column` is that of labels, if given."""
    if path.suffix.lower() == ".parquet":
        return True
    if path.suffix.lower() not in EXTENSIONS:
        return False
    head = head_of(path)
    for tried in (encoding, "utf-8-sig", "utf-16", "latin-1"):
        try:
            lines = head.decode(tried or "utf-8-sig", "ignore").splitlines()
        except (LookupError, UnicodeError):
            continue
        heads = _heads(next(csv.reader(lines[:1], delimiter=_separator(lines[0])), [])) if lines else []
        if _place(heads, "file") is not None and _label_place(heads, column) is not None:
            return True
    return False


def read_table(path: Path, *, column: str | None, encoding: str | None) -> Reading:
    """Read a table of labels.

    Args:
        path: a `.csv`, `.tsv` or `.parquet` file.
        column: the column of labels, where it is called otherwise.
        encoding: of a text file; None is UTF-8.

    Raises:
        DataError: not readable, or without the columns that it needs; it names those that there are.
    """
    if path.suffix.lower() == ".parquet":
        heads, rows = _parquet(path)
    else:
        heads, rows = _csv(path, encoding)
    names = _heads(heads)
    places = {name: _place(names, name) for name in COLUMNS}
    places["label"] = _label_place(names, column)
    for name in ("file", "label"):
        if places[name] is None:
            wanted = column if name == "label" and column is not None else COLUMNS[name][0]
            raise DataError(f"{path} must have a column {wanted!r}. Got {plural(heads) or 'none'}.")
    if (places["start"] is None) != (places["stop"] is None):
        missing = "end_time" if places["stop"] is None else "start_time"
        raise DataError(f"{path} must have both start_time and end_time, or none. It has no {missing}.")
    reading = Reading()
    unknown = [head for i, head in enumerate(heads) if i not in places.values()]
    if unknown:
        reading.find(
            "unknown-columns",
            path,
            f"{path} must have the columns file, label, start_time and end_time. Got also {plural(unknown)}: not used.",
        )
    for line, row in rows:
        if any(cell not in (None, "") for cell in row[len(heads) :]):
            reading.find(
                "unreadable-labels",
                f"{path}:{line}",
                f"{path}, line {line}, must have at most {len(heads)} cells, as its head. Got {len(row)}: a label with "
                "commas stands in quotes.",
            )
            continue
        _take(reading, path, line, row, places)
    if not reading.rows and not reading.findings:
        raise DataError(f"{path} must have at least one row below its head. Got none.")
    return reading


def _take(reading: Reading, path: Path, line: int, row: Sequence[Any], places: dict[str, int | None]) -> None:
    def cell(name: str) -> Any:
        place = places[name]
        value = row[place] if place is not None and place < len(row) else None
        return value.strip() if isinstance(value, str) else value

    source = f"{path}:{line}"
    file, label = cell("file"), cell("label")
    if file in (None, ""):
        reading.find("missing-file", source, f"{path}, line {line}, must name a file. Got an empty cell.")
        return
    seconds = None
    if cell("start") not in (None, "") or cell("stop") not in (None, ""):
        try:
            seconds = (
                number(cell("start"), f"{path}, line {line}: start_time"),
                number(cell("stop"), f"{path}, line {line}: end_time"),
            )
        except DataError as error:
            reading.find("bad-place", source, str(error))
            return
    name = None if label in (None, "") else str(label)
    reading.rows.append(Row(str(file), name, source, path.parent, seconds))


def _csv(path: Path, encoding: str | None) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    text = read_text(path, encoding, "a CSV file")
    separator = _separator(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path} must be a CSV file. Got one that cannot be read: {error}.") from None
    if not rows:
        raise DataError(f"{path} must have a head and rows. Got blank lines only.")
    return rows[0][1], iter(rows[1:])


def _parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, Sequence[Any]]]]:
    require_extra("pyarrow", "a .parquet file", "parquet")
    from pyarrow import parquet

    with decoding(path, "a Parquet file"):
        table = parquet.ParquetFile(path).read()
        heads = [str(name) for name in table.column_names]
        columns = [column.to_pylist() for column in table.columns]
    return heads, iter(enumerate(zip(*columns, strict=True), 1))


def _separator(line: str) -> str:
    return next((sign for sign in _SEPARATORS if sign in line), ",")


def _heads(row: Sequence[str]) -> list[str]:
    return [cell.strip().strip('"').lower() for cell in row]


def _label_place(heads: Sequence[str], column: str | None) -> int | None:
    if column is None:
        return _place(heads, "label")
    wanted = column.strip().lower()
    return heads.index(wanted) if wanted in heads else None


def _place(heads: Sequence[str], name: str) -> int | None:
    return next((heads.index(known) for known in COLUMNS[name] if known in heads), None)
