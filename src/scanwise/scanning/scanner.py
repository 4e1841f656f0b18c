"""`scan` and `detect`: a trained window network over a signal of any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.model import Model
from scanwise.scanning.detection import Detection
from scanwise.scanning.evaluation import ENDLESS, evaluate, settle
from scanwise.scanning.evaluators import Evaluator, evaluator_for
from scanwise.scanning.finite import RULES, FiniteValues
from scanwise.scanning.grid import EDGES, Axis, Coverage, Region
from scanwise.scanning.output import checked_path, opened_output
from scanwise.scanning.result import ScanResult, plain
from scanwise.scanning.search import Presence, Reading, Search, check_threshold
from scanwise.scanning.source import Source, opened

# Windows finished, and windows in all: None as long as the end of the signal is not known.
Progress = Callable[[int, int | None], None]


def scan(
    model: Model,
    signal: Any,
    *,
    step: int | tuple[int, int] | None = None,
    edge: str = "valid",
    nan: str = "error",
    out: Any = None,
    progress: Progress | None = None,
) -> ScanResult:
    """Run the model at every window of a signal.

    `scores[:, p]` equals `model(window at p)` bit for bit. Windows start at 0, `step`, 2 `step`, ...; what no window
    reaches is named in `.coverage`. Where the network does not pad inside its window, work that overlapping windows
    have in common is done once (lecture 3.5). Memory beyond the scores does not grow with the signal's length or
    height, and with `out` not with the scores either.

    Args:
        model: a model for windows `(C, T)` or `(C, H, W)` that gives one vector of scores per window.
        signal: `(C, T)` or `(C, H, W)`, any real dtype (uint8 is taken as 0..1), not empty. One of

            - an array, or what NumPy makes one of; a `numpy.memmap` is read as needed;
            - an array kept elsewhere that has `shape`, NumPy's `dtype` and gives parts of itself when indexed, such as
              zarr's (its `chunks` are decoded once each where a row of them fits into 128 MiB);
            - an iterator of chunks `(C, n)`, or rows of an image `(C, n, W)`, of one dtype and any n. Its length need
              not be known;
            - a file opened with `scanwise.data.open_signal`.
        step: between neighbouring windows, in samples or pixels; a pair is (rows, columns). None: the network's own
            stride. Any other step gives the same scores as far as windows coincide.
        edge: which window is the last along an axis. `"valid"`: the last that fits. `"pad"`: where that leaves an end,
            one more window is filled up with zeros; so is a signal shorter than the window. `"extend"`: where that
            leaves an end, one more window ends with the signal, less than a step after the one before.
        nan: what a value that is not finite as float32 does. `"error"`: it is named. `"zero"`: it is taken as zero,
            and counted in `.replaced`. `"skip"`: the windows that hold it get NaN for scores, are never detections, and
            are counted in `.coverage`, which also says where the values are. Values that no window holds do nothing.
        out: None keeps scores in memory. A path that ends in `.npy`, or `.zarr` (needs `scanwise[zarr]`): they are
            written there as they come, and are there when all are.
        progress: is called with (windows finished, windows in all) now and then; the second is None as long as the
            length of the signal is not known.

    Raises:
        ShapeError: the signal has other axes or channels than the window, is empty, or is smaller than the window
            where `edge` is not `"pad"`.
        ArgumentError, ArgumentTypeError: the signal holds NaN or infinity or is not real, or another argument is not as
            stated.
        DataError: a file or stored array is damaged, or has changed while it was read.
        FileError: `out` cannot be written.

    Source: lecture parts 1 to 4.

    >>> import numpy as np, scanwise as sw
    >>> net = sw.Sequential(sw.Conv1d(2, 3), sw.ReLU(), sw.Flatten(), sw.Linear(2))
    >>> model = sw.Model(net, input_shape=(1, 8), backend="reference")
    >>> signal = np.sin(np.arange(20.0))[None]
    >>> result = sw.scan(model, signal)
    >>> result.scores.shape, result.method
    ((2, 13), 'shared')
    >>> np.array_equal(result.scores[:, 5], model(signal[None, :, 5:13])[0])
    True
    >>> sw.scan(model, signal, step=5, edge="extend").positions
    array([ 0,  5, 10, 12])
    >>> chunks = iter([signal[:, :3], signal[:, 3:]])
    >>> np.array_equal(sw.scan(model, chunks).scores, result.scores)
    True
    """
    _check_arguments(model, edge, nan, progress)
    if out is not None:
        checked_path(out)
    with opened(signal) as source:
        work = _Work.of(model, source, step, edge, nan)
        open_end = source.extent[0] is None
        counts = tuple(axis.count for axis in work.axes)
        known = (None, *counts[1:]) if open_end else counts
        with opened_output(out, work.labels, known) as output:
            axes = work.run(output.write, progress)
            scores = output.finish(tuple(axis.count for axis in axes))
    reading = Reading.of(model)
    return ScanResult(
        scores=scores,
        axes=axes,
        coverage=work.coverage(axes),
        method=work.evaluator.method,
        reason=work.evaluator.reason,
        labels=reading.labels,
        background=reading.background,
        sample_rate=reading.sample_rate,
        activation=reading.activation,
        exclusive=reading.exclusive,
        replaced=work.finite.replaced,
    )


@dataclass(frozen=True)
class Findings:
    """What was found in a signal whose scores were not kept.

    Attributes:
        detections: what was found where, in the order of the places.
        presence: `(K,)`: for each label the largest probability of any window; NaN if no window has a score.
        coverage: which part of the signal lies in a window.
        method, reason: how windows were evaluated, and why.
        window, step: extent of a window, and between neighbouring ones: samples, or (rows, columns).
        labels: names of the K outputs, or None.
        sample_rate: samples per second, or None.
        replaced: values that were not finite and taken as zero (`nan="zero"`).
    """

    detections: list[Detection]
    presence: NDArray[np.float64]
    coverage: Coverage
    method: str
    reason: str
    window: int | tuple[int, ...]
    step: int | tuple[int, ...]
    labels: tuple[str, ...] | None
    sample_rate: float | None
    replaced: int


def detect(
    model: Model,
    signal: Any,
    *,
    threshold: float = 0.5,
    overlap: float = 0.2,
    step: int | tuple[int, int] | None = None,
    edge: str = "valid",
    nan: str = "error",
    progress: Progress | None = None,
) -> Findings:
    """What was found where in a signal: `scan(...).detections(...)`, without ever holding the scores of all windows.

    Which windows stay is decided as the signal is passed: memory grows with what is found, not with the signal.

    Args:
        model, signal, step, edge, nan, progress: as `scan` takes them.
        threshold, overlap: as `ScanResult.detections` takes them.

    Raises:
        ShapeError, ArgumentError, ArgumentTypeError, DataError: as `scan` and `ScanResult.detections` do.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 4), sw.Aggregate("max")), (1, 8), seed=3)
    >>> signal = np.sin(np.arange(200.0) ** 2)[None]
    >>> sw.detect(model, signal).detections == sw.scan(model, signal).detections()
    True
    """
    _check_arguments(model, edge, nan, progress)
    reading = Reading.of(model)
    check_threshold(threshold, overlap, reading.activation)
    with opened(signal) as source:
        work = _Work.of(model, source, step, edge, nan)
        presence = Presence(work.labels, reading.activation)
        search = Search(reading, threshold, overlap, work.axes)

        def write(windows: Region, scores: NDArray[np.float32]) -> None:
            presence.add(scores)
            search.add([first for first, _ in windows], scores)

        axes = work.run(write, progress)
    return Findings(
        detections=search.found(axes),
        presence=presence.best,
        coverage=work.coverage(axes),
        method=work.evaluator.method,
        reason=work.evaluator.reason,
        window=plain(tuple(axis.window for axis in axes)),
        step=plain(tuple(axis.step for axis in axes)),
        labels=reading.labels,
        sample_rate=reading.sample_rate,
        replaced=work.finite.replaced,
    )


@dataclass(frozen=True)
class _Work:
    """A model and a signal, checked against each other.

    Attributes:
        labels: scores of a window.
    """

    source: Source
    axes: tuple[Axis, ...]
    evaluator: Evaluator
    finite: FiniteValues
    labels: int

    @classmethod
    def of(cls, model: Model, source: Source, step: Any, edge: str, nan: str) -> _Work:
        labels = _score_count(model)
        _check_signal(model, source)
        stride = shapes.receptive_field(model.network, model.input_shape)[1]
        axes = tuple(
            Axis(ENDLESS if extent is None else extent, window, min(each, ENDLESS), own, edge)
            for extent, window, each, own in zip(
                source.extent, model.input_shape[1:], _checked_step(step, stride), stride, strict=True
            )
        )
        _check_extent(source, axes)
        # A tile has whole windows only, whatever the edge.
        evaluator = evaluator_for(model, tuple(replace(axis, edge="valid") for axis in axes))
        axes = settle(source, axes, evaluator.most)
        _check_extent(source, axes)
        return cls(source, axes, evaluator, FiniteValues(source, nan), labels)

    def run(
        self, write: Callable[[Region, NDArray[np.float32]], None], progress: Progress | None
    ) -> tuple[Axis, ...]:
        """Evaluate all windows; gives where they lie, now that the end of the signal is known."""
        done = 0

        def report(windows: int) -> None:
            nonlocal done
            done += windows
            if progress is not None:
                extent = self.source.extent[0]
                first = None if extent is None else replace(self.axes[0], extent=extent).count
                rest = math.prod(axis.count for axis in self.axes[1:])
                progress(done, None if first is None else first * rest)

        return evaluate(self.source, self.axes, self.evaluator, self.finite, write, report)

    def coverage(self, axes: tuple[Axis, ...]) -> Coverage:
        """What the scan looked at."""
        return Coverage(axes, self.finite.skipped, self.finite.runs)


def _check_arguments(model: object, edge: object, nan: object, progress: object) -> None:
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    for name, value, choices in (("edge", edge, EDGES), ("nan", nan, RULES)):
        if value not in choices:
            raise ArgumentError(f"{name} must be one of {', '.join(map(repr, choices))}. Got {value!r}.")
    if progress is not None and not callable(progress):
        raise ArgumentTypeError(f"progress must be a function. Got {progress!r}.")


def _score_count(model: Model) -> int:
    if len(model.input_shape) not in (2, 3):
        raise ShapeError(f"model's input_shape must be (C, T) or (C, H, W) to scan. Got {model.input_shape}.")
    if math.prod(model.output_shape[1:]) != 1:
        raise ShapeError(
            f"model must give one vector of scores per window to scan. Got output shape {model.output_shape}; "
            "end the network in Aggregate(...), or in Flatten() and Linear(...)."
        )
    return model.output_shape[0]


def _check_signal(model: Model, source: Source) -> None:
    name, error = source.origin.name, source.origin.shape_error
    wanted, shape = model.input_shape, (source.channels, *source.extent)
    shown = f"({', '.join('n' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"
    if len(shape) != len(wanted):
        names = "(C, T)" if len(wanted) == 2 else "(C, H, W)"
        hint = f"; add the channel axis: {name}[None]" if len(shape) == len(wanted) - 1 else ""
        raise error(f"{name} must have shape {names} for this model. Got {shown}{hint}.")
    if source.channels != wanted[0]:
        raise error(f"{name} must have {wanted[0]} channels, first. Got {source.channels}, shape {shown}.")


def _check_extent(source: Source, axes: tuple[Axis, ...]) -> None:
    if all(axis.count for axis in axes):
        return
    extent, window = tuple(axis.extent for axis in axes), tuple(axis.window for axis in axes)
    name, error = source.origin.name, source.origin.shape_error
    if axes[0].edge == "pad":
        raise error(f"{name} must not be empty. Got {extent}.")
    hint = '; only edge="pad" takes a smaller one' if axes[0].edge == "extend" and min(extent) else ""
    raise error(f"{name} must be at least as large as the window {window}. Got {extent}{hint}.")


def _checked_step(step: Any, stride: tuple[int, ...]) -> tuple[int, ...]:
    if step is None:
        return stride
    values = tuple(step) if isinstance(step, tuple | list) else (step,) * len(stride)
    what = "a whole number" if len(stride) == 1 else "a whole number or a pair of them"
    if len(values) != len(stride) or any(
        isinstance(value, bool) or not isinstance(value, int | np.integer) for value in values
    ):
        raise ArgumentTypeError(f"step must be {what}. Got {step!r}.")
    if any(value < 1 for value in values):
        raise ArgumentError(f"step must be at least 1. Got {step!r}.")
    return tuple(int(value) for value in values)
