"""Series from CSV files: one labelled series per row, or one long trace to scan."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scanwise.data.dataset import Dataset, OnError, Skipped, encode_labels, finite_as_float32
from scanwise.data.decoding import decoding, shown
from scanwise.data.options import check_options
from scanwise.data.window import Window, choose_extent, empty_windows, place, series_window
from scanwise.errors import DataError
from scanwise.paths import require_file, require_path


def load_csv(
    path: str | Path,
    *,
    window: Window | None = None,
    labels: tuple[str, ...] | None = None,
    on_error: OnError = "fatal",
) -> Dataset:
    """Load a CSV file with one labelled series per row.

    - The separator is the comma; a semicolon or a tab where the first line has no comma.
    - The first row is a header if one of its cells is `label`, or if none of its cells is a number.
    - The label is in the column headed `label`, and else in the last one; every other cell is the series.
    - Empty cells at the end of a series end it, so rows may differ in length; the window rule applies
      (`scanwise.data.window`).

    Args:
        path: the file, UTF-8.
        window: elements; None chooses it by the window rule.
        labels: a model's labels; None takes those that occur.
        on_error: "skip" leaves out rows that do not hold a series.

    Returns:
        The data set, x (N, 1, T) float32.

    Raises:
        FileError: no such file.
        ArgumentError, ArgumentTypeError: an option is not as stated.
        DataError: no rows, or a cell that is not a finite number; it names row and column, counted from 1.
    """
    check_options(window=window, labels=labels, on_error=on_error)
    path = require_path(path, "path")
    require_file(path, "path")
    rows = _rows(path)
    column = -1
    first_line, first = rows[0]
    heads = [cell.strip().lower() for cell in first]
    if "label" in heads or not any(_is_number(cell) for cell in first):
        column = heads.index("label") if "label" in heads else -1
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path} must hold at least one series. Got a header in line {first_line} only.")
    names: list[str] = []
    series: list[NDArray[np.float32]] = []
    skipped: list[Skipped] = []
    for line, row in rows:
        try:
            name, values = _labelled(path, line, row, column)
        except DataError as error:
            if on_error == "fatal":
                raise
            skipped.append(Skipped(f"{path}:{line}", str(error)))
            continue
        names.append(name)
        series.append(values)
    if not series:
        raise DataError(f"{path} must hold at least one series. Got none; first: {skipped[0].reason}")
    y, labels = encode_labels(names, labels, str(path))
    extent = choose_extent([len(v) for v in series], 8) if window is None else series_window(window)
    x = empty_windows(len(series), (1, extent), np.dtype(np.float32))
    for values, sample in zip(series, x, strict=True):
        place(values[np.newaxis], sample)
    return Dataset(x, y, labels, "series", skipped=tuple(skipped))


def read_trace(path: Path, channels: int) -> NDArray[np.float32]:
    """Read one long signal (channels, T) from a CSV file.

    A column is a channel and a row a time step, with or without a header; where the columns do not match the
    channels but the rows do, a row is a channel.

    Raises:
        DataError: neither matches, or a cell is not a finite number.
    """
    rows = _rows(path)
    if not any(_is_number(cell) for cell in rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path} must hold numbers. Got a header only.")
    values = [_numbers(path, line, row) for line, row in rows]
    lengths = {len(row) for row in values}
    if lengths == {channels}:
        return np.ascontiguousarray(np.stack(values).T)
    if len(values) == channels and len(lengths) == 1:
        return np.stack(values)
    columns = str(min(lengths)) if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"
    raise DataError(
        f"{path} must have {channels} columns, or {channels} rows of equal length, one for each input "
        f"channel. Got {len(values)} rows of {columns} columns."
    )


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    with decoding(path, "a CSV file in UTF-8"), path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        file.seek(0)
        separator = next((sign for sign in ",;\t" if sign in head), ",")
        reader = csv.reader(file, delimiter=separator)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not rows:
        raise DataError(f"{path} must hold at least one row. Got blank lines only.")
    return rows


def _labelled(path: Path, line: int, row: list[str], column: int) -> tuple[str, NDArray[np.float32]]:
    if len(row) < 2 or column >= len(row):
        raise DataError(f"{path}, line {line}, must have a series and a label. Got {len(row)} cells.")
    name = row[column].strip()
    if not name:
        raise DataError(f"{path}, line {line}, must have a label. Got an empty cell.")
    cells = row[:-1] if column == -1 else row[:column] + row[column + 1 :]
    return name, _numbers(path, line, cells)


def _numbers(path: Path, line: int, cells: list[str]) -> NDArray[np.float32]:
    length = max((i + 1 for i, cell in enumerate(cells) if cell.strip()), default=0)
    if length == 0:
        raise DataError(f"{path}, line {line}, must hold at least one value. Got none.")
    try:
        values = np.array(cells[:length], dtype=np.float64)
    except ValueError:
        values = np.array([float(c) if _is_number(c) else np.nan for c in cells[:length]])
    finite = finite_as_float32(values)
    if not finite.all():
        place = int(np.flatnonzero(~finite)[0])
        got = shown(cells[place].strip()) or "an empty cell"
        raise DataError(f"{path}, line {line}, value {place + 1}, must be a finite number. Got {got}.")
    return values.astype(np.float32)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
