"""`scanwise scan`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from scanwise.cli.console import as_json, progress_bar, say, table
from scanwise.cli.evaluation import whole_rate
from scanwise.cli.training import require_writable
from scanwise.data import read_signal
from scanwise.data.dataset import ImageMode
from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.model import Model, load
from scanwise.model_file import write_beside
from scanwise.scanning import Detection, ScanResult
from scanwise.scanning import scan as scan_signal


@dataclass(frozen=True)
class Scanned:
    """One file and what was found in it."""

    path: Path
    result: ScanResult
    detections: list[Detection]


def run_scan(
    model_path: Path, files: Sequence[Path], *, threshold: float, form: str, output: Path | None, backend: str
) -> None:
    """Scan whole files and print, or write, what was found where."""
    if not 0 <= threshold <= 1:
        raise ArgumentError(f"threshold must be between 0 and 1. Got {threshold:g}.")
    if output is not None:
        require_writable(output, model_path, *files)
    model = load(model_path, backend=backend)
    scanned = [_scan(model, path, threshold) for path in files]
    text = {"table": _table, "csv": _csv, "json": _json}[form](scanned)
    if output is None:
        print(text, end="")
    else:
        write_beside(output, text.encode(errors="backslashreplace"))
        say(f"saved {output}")


def _scan(model: Model, path: Path, threshold: float) -> Scanned:
    signal = read_signal(
        path,
        input_shape=model.input_shape,
        sample_rate=whole_rate(model),
        image_mode=cast("ImageMode | None", model.image_mode),
    )
    window = model.input_shape[1:]
    if any(have < need for have, need in zip(signal.shape[1:], window, strict=True)):
        raise DataError(
            f"{path} must be at least as large as the window {_extent(model, window)}. "
            f"Got {_extent(model, signal.shape[1:])}."
        )
    try:
        with progress_bar(f"scanning {path.name}") as show:
            result = scan_signal(model, signal, progress=show)
    except ShapeError as error:
        raise ShapeError(f"{model.network!r} cannot scan {path}: {error}") from None
    if not result.coverage.complete:
        say(f"{path}: {result.coverage}")
    return Scanned(path, result, result.detections(threshold))


def _extent(model: Model, extent: tuple[int, ...]) -> str:
    return str(extent) if model.sample_rate is None else f"{extent[0] / model.sample_rate:g} s"


def _heads(scanned: Sequence[Scanned]) -> list[str]:
    first = scanned[0].result
    if len(first.axes) == 2:
        return ["top", "left", "bottom", "right"]
    return ["start", "stop"] if first.sample_rate is None else ["start_seconds", "stop_seconds"]


def _place(detection: Detection) -> list[str]:
    seconds = detection.seconds
    return [f"{t:.3f}" for t in seconds] if seconds is not None else [str(value) for value in detection.box]


def _table(scanned: Sequence[Scanned]) -> str:
    heads = _heads(scanned)
    rows = [["file", "label", *heads, "score"]]
    for one in scanned:
        for found in one.detections:
            rows.append([str(one.path), found.label, *_place(found), f"{found.score:.3f}"])
        if not one.detections:
            rows.append([str(one.path), "nothing", *("-" for _ in heads), "-"])
    return table(rows, right=range(2, len(heads) + 3)) + "\n"


def _csv(scanned: Sequence[Scanned]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", *_heads(scanned), "score"])
    for one in scanned:
        for found in one.detections:
            writer.writerow([str(one.path), found.label, *_place(found), f"{found.score:.6f}"])
    return text.getvalue()


def _json(scanned: Sequence[Scanned]) -> str:
    return as_json([_as_json(one) for one in scanned]) + "\n"


def _as_json(one: Scanned) -> dict[str, Any]:
    result = one.result
    labels = result.labels or tuple(str(k) for k in range(len(result.scores)))
    return {
        "file": str(one.path),
        "extent": list(result.coverage.extent),
        "sample_rate": result.sample_rate,
        "window": result.window,
        "step": result.step,
        "method": result.method,
        "reason": result.reason,
        "uncovered": result.coverage.uncovered,
        "presence": {label: float(p) for label, p in zip(labels, result.presence, strict=True)},
        "detections": [
            {
                "label": found.label,
                "score": found.score,
                "start": found.start,
                "stop": found.stop,
                "seconds": found.seconds,
            }
            for found in one.detections
        ],
    }
