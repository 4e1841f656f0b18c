"""`scanwise scan`."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from scanwise.cli.console import parse_extent, plain, progress_bar, say
from scanwise.cli.forms import FORMS, require_form_fits
from scanwise.cli.journal import Journal, Work, stamp_of
from scanwise.cli.pace import Pace
from scanwise.cli.picture import draw, require_plot
from scanwise.cli.results import FailedFile, FileResult
from scanwise.cli.thresholds import say_thresholds
from scanwise.cli.writable import require_writable
from scanwise.data import open_signal, read_signal, signal_files
from scanwise.data.for_model import as_taken, whole_rate
from scanwise.data.opening import kind_of, signal_endings
from scanwise.data.signal_file import SignalFile
from scanwise.errors import ArgumentError, DataError, FileError, ShapeError
from scanwise.model import Model, load
from scanwise.paths import is_folder, write_beside
from scanwise.scanning import Detection, Findings, ScanResult, detect, scan
from scanwise.scanning.reading import Reading
from scanwise.scanning.selection import Selection

# Fields of a request that what is found in a file does not depend on.
_NO_OPTIONS = ("model", "files", "form", "output", "restart", "plot")


@dataclass(frozen=True)
class ScanRequest:
    """What `scanwise scan` was asked for."""

    model: Path
    files: Sequence[Path]
    threshold: float | None
    low: float | None
    merge: str | None
    min_extent: str | None
    max_extent: str | None
    support: bool
    form: str
    output: Path | None
    restart: bool
    plot: Path | None
    backend: str
    step: int | None
    edge: str
    nan: str

    @property
    def options(self) -> dict[str, Any]:
        """By name, those that what is found in a file depends on."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _NO_OPTIONS}


def run_scan(request: ScanRequest) -> int:
    """Scan whole files and print, or write, what was found where; 1 if a file could not be scanned, else 0."""
    if request.threshold is not None and not 0 <= request.threshold <= 1:
        raise ArgumentError(f"threshold must be between 0 and 1. Got {request.threshold:g}.")
    model = load(request.model, backend=request.backend)
    files = signal_files(request.files, input_shape=model.input_shape, sample_rate=whole_rate(model))
    _require_outputs(request, model, files)
    require_form_fits(request.form, model, len(files))
    selection = _selection(model, request)
    if request.threshold is None:
        say_thresholds(model, step=request.step, low=request.low, merged=request.merge is not None)
    thresholds = selection.thresholds(Reading.of(model)).tolist()
    with _journal(request, files, thresholds) as journal:
        outcomes = _scan_all(model, files, selection, request, journal)
        failed = sum(isinstance(outcome, FailedFile) for outcome in outcomes)
        if failed < len(files):
            _tell(FORMS[request.form](outcomes), request.output)
    if failed and len(files) > 1:
        unwritten = f": {request.output} is not written" if request.output and failed == len(files) else ""
        say(f"{failed:,} of {len(files):,} files could not be scanned{unwritten}")
    return 1 if failed else 0


def _require_outputs(request: ScanRequest, model: Model, files: Sequence[Path]) -> None:
    """Raise ArgumentError unless all that is to be written can be, and is nothing that is read."""
    for written in (request.output, request.plot):
        if written is not None:
            _require_apart(written, request, model)
            require_writable(written, request.model, *files)
    if request.plot is not None:
        require_plot(request.plot, len(files))
        if request.output is not None and request.plot.resolve() == request.output.resolve():
            raise ArgumentError(f"plot must be another file than output. Got {request.plot}.")


def _require_apart(output: Path, request: ScanRequest, model: Model) -> None:
    """Raise ArgumentError for an output that would be among the signals of its folder the next time."""
    place = Path(os.path.realpath(output.parent))
    if output.suffix.lower() in signal_endings(kind_of(model.input_shape, whole_rate(model))):
        for folder in filter(is_folder, request.files):
            if place.is_relative_to(os.path.realpath(folder)):
                raise ArgumentError(
                    "output must lie outside the folders that are scanned, or it would be taken for a signal. "
                    f"Got {output}."
                )


def _tell(text: str, output: Path | None) -> None:
    if output is None:
        print(text, end="")
    else:
        write_beside(output, text.encode(errors="backslashreplace"))
        say(f"saved {output}")


@contextmanager
def _journal(
    request: ScanRequest, files: Sequence[Path], thresholds: list[float]
) -> Iterator[Journal | None]:
    """The journal of a scan, beside its output; None where there is nothing to go on with."""
    if request.output is None or len(files) == 1:
        yield None
        return
    path = request.output.with_name(request.output.name + ".journal")
    require_writable(path, request.model, *files)
    threshold = thresholds[0] if len(set(thresholds)) == 1 else thresholds
    with request.model.open("rb") as model:
        digest = hashlib.file_digest(model, "sha256").hexdigest()
    work = Work(digest, {**request.options, "threshold": threshold}, files)
    journal = Journal(path, work, restart=request.restart)
    for remark in journal.remarks:
        say(remark)
    if journal.results:
        say(f"going on after {len(journal.results):,} of {len(files):,} files")
    try:
        yield journal
    except BaseException:  # Ctrl-C too
        if journal.results:
            journal.close()
            say(
                f"{len(journal.results):,} of {len(files):,} files are done: the same command goes on from there"
            )
        else:
            journal.remove()
        raise
    journal.remove()


@dataclass(frozen=True)
class _Job:
    """What is the same for all files.

    Attributes:
        rates: sample rates that have been said to be resampled.
    """

    model: Model
    request: ScanRequest
    selection: Selection
    pace: Pace
    rates: set[int] = field(default_factory=set)


def _scan_all(
    model: Model,
    files: Sequence[Path],
    selection: Selection,
    request: ScanRequest,
    journal: Journal | None,
) -> list[FileResult | FailedFile]:
    """What comes of each file; what the journal has of an earlier run is not scanned again."""
    outcomes: list[FileResult | FailedFile] = []
    finished = {} if journal is None else journal.results
    with progress_bar("scanning files") as show:
        job = _Job(model, request, selection, Pace(show, model, len(files), request.step))
        for path in files:
            outcome: FileResult | FailedFile | None = finished.get(str(path))
            if outcome is None:
                stamp = stamp_of(path)  # before the file is read, so that a change from then on is noticed
                outcome = _try_scan(job, path)
                if journal is not None and isinstance(outcome, FileResult):
                    journal.add(outcome, stamp)
            outcomes.append(outcome)
            job.pace.file_done()
    return outcomes


def _try_scan(job: _Job, path: Path) -> FileResult | FailedFile:
    try:
        signal = open_signal(path, **as_taken(job.model))
        if signal.file_rate not in (None, signal.sample_rate, *job.rates):
            job.rates.add(cast("int", signal.file_rate))
            say(f"{path}: resampled from {signal.file_rate} Hz to the model's {signal.sample_rate} Hz")
        result, found = _scan(job, signal)
    except (DataError, FileError) as error:
        say(f"error: {plain(str(error))}")
        return FailedFile(str(path), str(error))
    except ShapeError as error:
        raise ShapeError(f"{job.model.network!r} cannot scan {path}: {error}") from None
    if result.replaced:
        say(f"{path}: {result.replaced:,} values that are not finite taken as zero")
    if not result.coverage.complete or any(result.coverage.padding):
        say(f"{path}: {result.coverage}")
    if job.request.plot is not None:
        assert isinstance(result, ScanResult)
        shown = read_signal(path, **as_taken(job.model), finite=False)
        draw(job.request.plot, shown, result, found, title=path.name)
        say(f"saved {job.request.plot}")
    return FileResult.of(path, result, found, support=job.request.support)


def _scan(job: _Job, signal: SignalFile) -> tuple[Findings | ScanResult, list[Detection]]:
    """What was found in a file; a picture of it needs the scores of all windows."""
    request, chosen = job.request, vars(job.selection)
    step, edge, nan = request.step, request.edge, request.nan
    findings = None
    if request.plot is None or request.support:
        findings = detect(
            job.model,
            signal,
            **chosen,
            support=request.support,
            step=step,
            edge=edge,
            nan=nan,
            progress=job.pace,
        )
        if request.plot is None:
            return findings, findings.detections
    result = scan(job.model, signal, step=step, edge=edge, nan=nan, progress=job.pace)
    return result, result.detections(**chosen) if findings is None else findings.detections


def _selection(model: Model, request: ScanRequest) -> Selection:
    selection = Selection(
        request.threshold,
        low=request.low,
        merge=_samples(model, request.merge, "merge"),
        min_extent=_samples(model, request.min_extent, "min_extent"),
        max_extent=_samples(model, request.max_extent, "max_extent"),
    )
    selection.check(Reading.of(model), len(model.input_shape) - 1)
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
