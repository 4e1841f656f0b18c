"""`scanwise scan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from scanwise.cli.console import progress_bar, say
from scanwise.cli.evaluation import whole_rate
from scanwise.cli.forms import FORMS
from scanwise.cli.results import FileResult
from scanwise.cli.training import require_writable
from scanwise.data import open_signal
from scanwise.data.dataset import ImageMode
from scanwise.errors import ArgumentError, ShapeError
from scanwise.model import Model, load
from scanwise.model_file import write_beside
from scanwise.scanning import detect


@dataclass(frozen=True)
class ScanRequest:
    """What `scanwise scan` was asked for."""

    model: Path
    files: Sequence[Path]
    threshold: float
    form: str
    output: Path | None
    backend: str
    step: int | None = None
    edge: str = "valid"
    nan: str = "error"


def run_scan(request: ScanRequest) -> None:
    """Scan whole files and print, or write, what was found where."""
    if not 0 <= request.threshold <= 1:
        raise ArgumentError(f"threshold must be between 0 and 1. Got {request.threshold:g}.")
    if request.output is not None:
        require_writable(request.output, request.model, *request.files)
    model = load(request.model, backend=request.backend)
    rates: set[int] = set()
    text = FORMS[request.form]([_scan(model, path, request, rates) for path in request.files])
    if request.output is None:
        print(text, end="")
    else:
        write_beside(request.output, text.encode(errors="backslashreplace"))
        say(f"saved {request.output}")


def _scan(model: Model, path: Path, request: ScanRequest, rates: set[int]) -> FileResult:
    """Scan one file. `rates` are those that have been said to be resampled."""
    signal = open_signal(
        path,
        input_shape=model.input_shape,
        sample_rate=whole_rate(model),
        image_mode=cast("ImageMode | None", model.image_mode),
    )
    if signal.file_rate not in (None, signal.sample_rate, *rates):
        rates.add(cast("int", signal.file_rate))
        say(f"{path}: resampled from {signal.file_rate} Hz to the model's {signal.sample_rate} Hz")
    try:
        with progress_bar(f"scanning {path.name}") as show:
            found = detect(
                model,
                signal,
                threshold=request.threshold,
                step=request.step,
                edge=request.edge,
                nan=request.nan,
                progress=show,
            )
    except ShapeError as error:
        raise ShapeError(f"{model.network!r} cannot scan {path}: {error}") from None
    if found.replaced:
        say(f"{path}: {found.replaced:,} values that are not finite taken as zero")
    if not found.coverage.complete or any(found.coverage.padding):
        say(f"{path}: {found.coverage}")
    return FileResult.of(path, found)
