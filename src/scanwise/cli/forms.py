"""The forms in which `scanwise scan` tells what it found."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from scanwise.cli.console import as_json, table
from scanwise.cli.results import FileResult
from scanwise.scanning import Detection

__all__ = ["FORMS"]


def _table(results: Sequence[FileResult]) -> str:
    heads = _heads(results)
    rows = [["file", "label", *heads, "score"]]
    for one in results:
        for found in one.detections:
            rows.append([one.file, found.label, *_place(found), f"{found.score:.3f}"])
        if not one.detections:
            rows.append([one.file, "nothing", *("-" for _ in heads), "-"])
    return table(rows, right=range(2, len(heads) + 3)) + "\n"


def _csv(results: Sequence[FileResult]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", *_heads(results), "score"])
    for one in results:
        for found in one.detections:
            writer.writerow([one.file, found.label, *_place(found), f"{found.score:.6f}"])
    return text.getvalue()


def _json(results: Sequence[FileResult]) -> str:
    return as_json([one.as_json() for one in results]) + "\n"


def _heads(results: Sequence[FileResult]) -> list[str]:
    first = results[0]
    if len(first.extent) == 2:
        return ["top", "left", "bottom", "right"]
    return ["start", "stop"] if first.sample_rate is None else ["start_seconds", "stop_seconds"]


def _place(detection: Detection) -> list[str]:
    seconds = detection.seconds
    return [f"{t:.3f}" for t in seconds] if seconds is not None else [str(value) for value in detection.box]


# By the name that `--format` takes: from the results of all files, in their order, to text.
FORMS: dict[str, Callable[[Sequence[FileResult]], str]] = {"table": _table, "csv": _csv, "json": _json}
