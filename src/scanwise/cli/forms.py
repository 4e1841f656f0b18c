"""The forms in which `scanwise scan` tells what it found."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from scanwise.cli.console import as_json, table
from scanwise.cli.exchange import audacity, coco, geojson, raven
from scanwise.cli.results import FailedFile, FileResult, detection_json
from scanwise.errors import ArgumentError
from scanwise.model import Model
from scanwise.scanning import Detection

__all__ = ["ENDINGS", "FORMS", "require_form_fits"]

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
            rows.append([one.file, found.label, *_place(found, 3), f"{found.score:.3f}"])
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
            writer.writerow([one.file, found.label, *_place(found, 6), f"{found.score:.6f}"])
    return text.getvalue()


def _json(outcomes: Outcomes) -> str:
    return as_json([one.as_json() for one in outcomes]) + "\n"


def _json_lines(results: Sequence[FileResult]) -> str:
    """One line a detection."""
    lines = [
        as_json({"file": one.file, **detection_json(found)}, indent=None) + "\n"
        for one in results
        for found in one.detections
    ]
    return "".join(lines)


def _without_failures(form: Callable[[Sequence[FileResult]], str]) -> Callable[[Outcomes], str]:
    """A form that has no word for a file that could not be scanned."""
    return lambda outcomes: form([one for one in outcomes if isinstance(one, FileResult)])


def _heads(outcomes: Outcomes) -> list[str]:
    first = next(one for one in outcomes if isinstance(one, FileResult))
    if len(first.extent) == 2:
        return ["top", "left", "bottom", "right"]
    return ["start", "stop"] if first.sample_rate is None else ["start_seconds", "stop_seconds"]


def _place(detection: Detection, digits: int) -> list[str]:
    if detection.seconds is not None:
        return [f"{time:.{digits}f}" for time in detection.seconds]
    return [str(value) for value in detection.box]


# By the name that `--format` takes: from the results of all files, in their order, to text.
FORMS: dict[str, Callable[[Outcomes], str]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "jsonl": _without_failures(_json_lines),
    "audacity": _without_failures(audacity),
    "raven": _without_failures(raven),
    "coco": coco,
    "geojson": _without_failures(geojson),
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
