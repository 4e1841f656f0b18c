"""What commands print: messages, tables, JSON, progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from scanwise.errors import ArgumentError

if TYPE_CHECKING:
    from scanwise.data import Dataset

# Seconds of work before a progress bar shows: what ends sooner needs none.
PATIENCE = 1.0


class Progress(Protocol):
    """Called with how much is done, how much there is in all (None while that is not known), and, if that is of
    interest, how fast it goes.
    """

    def __call__(self, done: float, total: int | None, pace: str = "") -> None: ...


def say(message: str) -> None:
    """A message to whoever watches, on standard error."""
    if sys.stderr is not None:  # closed by whoever started the command; print would turn to standard output
        print(message, file=sys.stderr, flush=True)


def print_json(result: Any) -> None:
    """The result as JSON on standard output."""
    print(as_json(result))


def as_json(result: Any, *, indent: int | None = 2) -> str:
    """JSON text with letters as they are; half of a surrogate pair (from a file name that is no text) is escaped."""
    text = json.dumps(result, indent=indent, ensure_ascii=False, allow_nan=False)
    if (
        sys.stdout is not None
        and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        and _is_text(text)
    ):
        return text
    return json.dumps(result, indent=indent, allow_nan=False)


def plain(text: str) -> str:
    """A label or file name for a table: control characters, which would break it, are escaped."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of cells, the first one the heads, as aligned columns; those numbered in `right` end together.

    Example:
        >>> print(table([["label", "n"], ["yes", "10"], ["no", "7"]], right=[1]))
        label   n
        yes    10
        no      7
    """
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def say_skipped(dataset: Dataset) -> None:
    """Name and count the files or rows that were left out."""
    if not dataset.skipped:
        return
    for skipped in dataset.skipped:
        say(f"skipped {skipped.source}: {skipped.reason}")
    say(f"{len(dataset.skipped)} skipped, {len(dataset)} used")


def parse_extent(text: str, option: str) -> tuple[int, ...] | float:
    """`"0.7"`, `"100"` or `"28x28"` as a number or whole numbers."""
    try:
        if "x" in text:
            return tuple(int(part) for part in text.split("x"))
        return float(text)
    except ValueError:
        raise ArgumentError(
            f"{option} must be a number, or whole numbers such as 28x28. Got {text!r}."
        ) from None


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A bar on standard error, if that is a terminal, for work that takes longer than `PATIENCE`."""
    start = time.monotonic()
    bar: Any = None
    task: Any = None

    def show(done: float, total: int | None, pace: str = "") -> None:
        nonlocal bar, task
        if (
            bar is None
            and sys.stderr is not None
            and sys.stderr.isatty()
            and time.monotonic() - start > PATIENCE
        ):
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn(what),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[pace]}"),
            )
            bar = Progress(*columns, console=Console(stderr=True))
            task = bar.add_task(what, total=total, pace=pace)
            bar.start()
        if bar is not None:
            bar.update(task, completed=done, total=total, pace=pace)

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()
