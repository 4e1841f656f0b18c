"""The forms in which `scanwise scan` tells what it found."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from scanwise.cli.console import as_json, table
from scanwise.cli.results import FailedFile, FileResult
from scanwise.scanning import Detection

__all__ = ["FORMS"]

# What came of each file, in their order; at least one could be scanned.
Outcomes = Sequence[FileResult | FailedFile]


def _table(outcomes: Outcomes) -> str:
    heads = _heads(outcomes)
    rows = [["file", "label", *heads, "score"]]
    for one in outcomes:
        if isinstance(one, FailedFile):
            rows.append([one.file, "not scanned", *("-" for _ in heads), "-"])
            continue
        for found in one.detections:
            rows.append([one.file, found.label, *_place(found), f"{found.score:.3f}"])
        if not one.detections:
            rows.append([one.file, "nothing", *("-" for _ in heads), "-"])
    return table(rows, right=range(2, len(heads) + 3)) + "\n"


def _csv(outcomes: Outcomes) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = _heads(outcomes)
    writer.writerow(["file", "label", *heads, "score"])
    for one in outcomes:
        if isinstance(one, FailedFile):  # a row without a place, which no detection has
            writer.writerow([one.file, "", *("" for _ in heads), ""])
            continue
        for found in one.detections:
            writer.writerow([one.file, found.label, *_place(found), f"{found.score:.6f}"])
    return text.getvalue()


def _json(outcomes: Outcomes) -> str:
    return as_json([one.as_json() for one in outcomes]) + "\n"


def _heads(outcomes: Outcomes) -> list[str]:
    first = next(one for one in outcomes if isinstance(one, FileResult))
    if len(first.extent) == 2:
        return ["top", "left", "bottom", "right"]
    return ["start", "stop"] if first.sample_rate is None else ["start_seconds", "stop_seconds"]


def _place(detection: Detection) -> list[str]:
    seconds = detection.seconds
    return [f"{t:.3f}" for t in seconds] if seconds is not None else [str(value) for value in detection.box]


# By the name that `--format` takes.
FORMS: dict[str, Callable[[Outcomes], str]] = {"table": _table, "csv": _csv, "json": _json}
