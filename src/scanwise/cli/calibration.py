"""`scanwise calibrate`, and what `scan`, `stream` and `inspect` say of a model's thresholds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from scanwise.cli.console import plain, print_json, progress_bar, say, table
from scanwise.cli.labels import LabelOptions, open_collection, open_labelled
from scanwise.cli.measures import interval_json, shown, shown_share
from scanwise.cli.writable import require_writable
from scanwise.data import Collection, Dataset
from scanwise.data.dataset import OnError
from scanwise.data.for_model import as_taken
from scanwise.evaluation.calibrating import CalibrationReport, calibrate
from scanwise.evaluation.promised import CalibratedLabel
from scanwise.evaluation.scanned import rule_of
from scanwise.model import Model, load
from scanwise.model_file import with_calibration
from scanwise.paths import write_beside
from scanwise.scanning.reading import THRESHOLD, Reading

__all__ = ["CalibrateRequest", "run_calibrate"]

BAD_DATA = 1


@dataclass(frozen=True)
class CalibrateRequest:
    """What `scanwise calibrate` was asked for."""

    model: Path
    data: Path
    options: LabelOptions
    false_alarms_per_hour: float | None
    false_alarms_per_megapixel: float | None
    precision: float | None
    output: Path | None
    tolerance: float | None
    overlap: float | None
    step: int | None
    low: float | None
    level: float
    temperature: bool
    on_error: str
    backend: str
    as_json: bool


def run_calibrate(request: CalibrateRequest) -> int:
    """Set thresholds and store them; 1 if there is a label that the data is too little for, else 0."""
    model = load(request.model, backend=request.backend)
    written = request.output or request.model
    require_writable(written, request.data)
    data = _opened(request, model)
    asked = request.tolerance is not None or request.overlap is not None
    rule = rule_of(model, request.tolerance, request.overlap) if asked else None
    with progress_bar("scanning files") as show:
        report = calibrate(
            model,
            data,
            false_alarms_per_hour=request.false_alarms_per_hour,
            false_alarms_per_megapixel=request.false_alarms_per_megapixel,
            precision=request.precision,
            rule=rule,
            level=request.level,
            temperature=request.temperature,
            step=request.step,
            low=request.low,
            unlabelled=request.options.unlabelled,
            on_error=cast("OnError", request.on_error),
            name=request.data.resolve().name,
            progress=show,
        )
    write_beside(written, with_calibration(request.model, report.calibration))
    for skipped in report.skipped:
        say(f"skipped {skipped.source}: {skipped.reason}")
    for label in report.labels:
        _say_label(label, request)
    if request.as_json:
        print_json(_as_json(report, written))
    else:
        print(_text(report))
    say(f"saved {written}")
    return BAD_DATA if any(label.threshold is None for label in report.labels) else 0


def _opened(request: CalibrateRequest, model: Model) -> Collection | Dataset:
    collection = open_collection(request.data, request.options, presence=True)
    if collection is not None:
        return collection
    return open_labelled(
        request.data,
        request.options,
        presence=True,
        labels=Reading.of(model).names,
        on_error=cast("OnError", request.on_error),
        part="test",
        **as_taken(model),
    )


def _say_label(found: CalibratedLabel, request: CalibrateRequest) -> None:
    if found.threshold is None:
        say(f"label {plain(found.label)!r} keeps {THRESHOLD:g}, without a promise: {found.reason}")
    if found.left_out and request.precision is None:
        say(
            f"{found.left_out:,} files are only said to contain {plain(found.label)!r} somewhere: no false alarms of "
            "it are counted in them"
        )


def _as_json(report: CalibrationReport, written: Path) -> dict[str, Any]:
    return {
        "model": str(written),
        "files": report.files,
        "calibration": {
            name: value for name, value in report.calibration.to_json().items() if name != "thresholds"
        },
        "labels": {
            found.label: {
                "threshold": None if found.threshold is None else asdict(found.threshold),
                "reason": found.reason or None,
                "events": found.events,
                "hits": found.hits,
                "recall": interval_json(found.recall),
                "files_left_out": found.left_out,
            }
            for found in report.labels
        },
        "skipped": [skipped.source for skipped in report.skipped],
    }


def _text(report: CalibrationReport) -> str:
    first = next(found.threshold for found in report.labels if found.threshold is not None)
    what = f"false alarms per {first.unit}" if first.kind == "false alarms" else f"precision of {first.unit}s"
    rows = [["label", "threshold", "promised", what, "found", "recall"]]
    for found in report.labels:
        promised, hits = ["-", "-", "-"], "-"
        if found.threshold is not None:
            bound = "at most" if found.threshold.kind == "false alarms" else "at least"
            promised = [
                f"{found.threshold.value:.4f}",
                f"{bound} {found.threshold.promised:g}",
                shown(found.threshold.expected, found.threshold.low, found.threshold.high),
            ]
            hits = f"{found.hits:,}"
        recall = shown_share(found.recall)
        rows.append([found.label, *promised, f"{hits} of {found.events:,}", recall])
    text = table(rows, right=(1,))
    if report.calibration.temperature != 1:
        text = f"temperature {report.calibration.temperature:.4g}\n\n{text}"
    return text
