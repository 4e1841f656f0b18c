"""The forms in which `scanwise scan` tells what it found."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from scanwise.cli.console import as_json, table
from scanwise.cli.exchange import audacity, coco, geojson, raven
from scanwise.cli.results import FileResult, detection_json
from scanwise.errors import ArgumentError
from scanwise.model import Model
from scanwise.scanning import Detection

__all__ = ["ENDINGS", "FORMS", "require_form_fits"]


def _table(results: Sequence[FileResult]) -> str:
    heads = _heads(results)
    rows = [["file", "label", *heads, "score"]]
    for one in results:
        for found in one.detections:
            rows.append([one.file, found.label, *_place(found, 3), f"{found.score:.3f}"])
        if not one.detections:
            rows.append([one.file, "nothing", *("-" for _ in heads), "-"])
    return table(rows, right=range(2, len(heads) + 3)) + "\n"


def _csv(results: Sequence[FileResult]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", *_heads(results), "score"])
    for one in results:
        for found in one.detections:
            writer.writerow([one.file, found.label, *_place(found, 6), f"{found.score:.6f}"])
    return text.getvalue()


def _json(results: Sequence[FileResult]) -> str:
    return as_json([one.as_json() for one in results]) + "\n"


def _json_lines(results: Sequence[FileResult]) -> str:
    """One line a detection."""
    lines = [
        as_json({"file": one.file, **detection_json(found)}, indent=None) + "\n"
        for one in results
        for found in one.detections
    ]
    return "".join(lines)


def _heads(results: Sequence[FileResult]) -> list[str]:
    first = results[0]
    if len(first.extent) == 2:
        return ["top", "left", "bottom", "right"]
    return ["start", "stop"] if first.sample_rate is None else ["start_seconds", "stop_seconds"]


def _place(detection: Detection, digits: int) -> list[str]:
    if detection.seconds is not None:
        return [f"{time:.{digits}f}" for time in detection.seconds]
    return [str(value) for value in detection.box]


# By the name that `--format` takes: from the results of all files, in their order, to text.
FORMS: dict[str, Callable[[Sequence[FileResult]], str]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "jsonl": _json_lines,
    "audacity": audacity,
    "raven": raven,
    "coco": coco,
    "geojson": geojson,
}

# The form that the ending of an output file stands for; any other is a table.
ENDINGS = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".geojson": "geojson"}


def require_form_fits(form: str, model: Model, files: int) -> None:
    """Raise ArgumentError if a form cannot tell what this model finds in so many files."""
    if form in ("audacity", "raven") and model.sample_rate is None:
        raise ArgumentError(
            f"format must be one without seconds for a model without a sample rate. Got {form}."
        )
    if form in ("coco", "geojson") and len(model.input_shape) != 3:
        raise ArgumentError(f"format must be one without boxes for a model of signals. Got {form}.")
    if form == "audacity" and files > 1:
        raise ArgumentError(f"format must be one that names files for {files} of them. Got audacity.")
