"""`scanwise scan`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from scanwise.cli.console import parse_extent, progress_bar, say
from scanwise.cli.evaluation import whole_rate
from scanwise.cli.forms import FORMS, require_form_fits
from scanwise.cli.picture import draw, require_plot
from scanwise.cli.results import FileResult
from scanwise.cli.training import require_writable
from scanwise.data import read_signal
from scanwise.data.dataset import ImageMode
from scanwise.errors import ArgumentError, DataError, ShapeError
from scanwise.model import Model, load
from scanwise.model_file import write_beside
from scanwise.scanning import scan as scan_signal
from scanwise.scanning.probability import activation_of
from scanwise.scanning.selection import Selection


@dataclass(frozen=True)
class ScanRequest:
    """What `scanwise scan` was asked for."""

    model: Path
    files: Sequence[Path]
    threshold: float
    low: float | None
    merge: str | None
    min_extent: str | None
    max_extent: str | None
    support: bool
    form: str
    output: Path | None
    plot: Path | None
    backend: str


def run_scan(request: ScanRequest) -> None:
    """Scan whole files and print, or write, what was found where."""
    if not 0 <= request.threshold <= 1:
        raise ArgumentError(f"threshold must be between 0 and 1. Got {request.threshold:g}.")
    for written in (request.output, request.plot):
        if written is not None:
            require_writable(written, request.model, *request.files)
    if request.plot is not None:
        require_plot(request.plot, len(request.files))
        if request.output is not None and request.plot.resolve() == request.output.resolve():
            raise ArgumentError(f"plot must be another file than output. Got {request.plot}.")
    model = load(request.model, backend=request.backend)
    require_form_fits(request.form, model, len(request.files))
    selection = _selection(model, request)
    text = FORMS[request.form]([_scan(model, path, selection, request) for path in request.files])
    if request.output is None:
        print(text, end="")
    else:
        write_beside(request.output, text.encode(errors="backslashreplace"))
        say(f"saved {request.output}")


def _selection(model: Model, request: ScanRequest) -> Selection:
    selection = Selection(
        request.threshold,
        low=request.low,
        merge=_samples(model, request.merge, "merge"),
        min_extent=_samples(model, request.min_extent, "min_extent"),
        max_extent=_samples(model, request.max_extent, "max_extent"),
    )
    selection.check(activation_of(model), len(model.input_shape) - 1)
    return selection


def _samples(model: Model, text: str | None, option: str) -> int | tuple[int, int] | None:
    """Seconds of audio, elements of a series, pixels or rows x columns of an image, in samples or pixels."""
    if text is None:
        return None
    value = parse_extent(text, option)
    if isinstance(value, tuple):
        return cast("tuple[int, int]", value)  # `Selection.check` looks how many there are
    if not math.isfinite(value):
        raise ArgumentError(f"{option} must be finite. Got {text}.")
    if model.sample_rate is not None:
        return round(value * model.sample_rate)
    if not value.is_integer():
        raise ArgumentError(f"{option} must be a whole number. Got {text}.")
    return int(value)


def _scan(model: Model, path: Path, selection: Selection, request: ScanRequest) -> FileResult:
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
    found = result.detections(**vars(selection))
    if request.plot is not None:
        draw(request.plot, signal, result, found, title=path.name)
        say(f"saved {request.plot}")
    return FileResult.of(path, result, found, support=request.support)


def _extent(model: Model, extent: tuple[int, ...]) -> str:
    return str(extent) if model.sample_rate is None else f"{extent[0] / model.sample_rate:g} s"
