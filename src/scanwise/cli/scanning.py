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
from scanwise.data import read_signal
from scanwise.data.dataset import ImageMode
from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.model import Model, load
from scanwise.model_file import write_beside
from scanwise.scanning import scan as scan_signal


@dataclass(frozen=True)
class ScanRequest:
    """What `scanwise scan` was asked for."""

    model: Path
    files: Sequence[Path]
    threshold: float
    form: str
    output: Path | None
    backend: str


def run_scan(request: ScanRequest) -> None:
    """Scan whole files and print, or write, what was found where."""
    if not 0 <= request.threshold <= 1:
        raise ArgumentError(f"threshold must be between 0 and 1. Got {request.threshold:g}.")
    if request.output is not None:
        require_writable(request.output, request.model, *request.files)
    model = load(request.model, backend=request.backend)
    text = FORMS[request.form]([_scan(model, path, request) for path in request.files])
    if request.output is None:
        print(text, end="")
    else:
        write_beside(request.output, text.encode(errors="backslashreplace"))
        say(f"saved {request.output}")


def _scan(model: Model, path: Path, request: ScanRequest) -> FileResult:
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
    return FileResult.of(path, result, request.threshold)


def _extent(model: Model, extent: tuple[int, ...]) -> str:
    return str(extent) if model.sample_rate is None else f"{extent[0] / model.sample_rate:g} s"
