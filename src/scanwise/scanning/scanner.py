"""`scan`: a trained window network over a signal of any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise import shapes
from scanwise.errors import ArgumentTypeError, ShapeError
from scanwise.inputs import check_finite, number_array
from scanwise.model import Model
from scanwise.scanning.evaluation import Region, evaluate
from scanwise.scanning.evaluators import evaluator_for
from scanwise.scanning.grid import Axis, Coverage, per_axis
from scanwise.scanning.probability import activation_of, exclusive
from scanwise.scanning.result import ScanResult
from scanwise.scanning.support import SupportFinder

Progress = Callable[[int, int], None]

_LONGEST_STEP = (
    1 << 62
)  # beyond every signal, so that a longer one leaves a single window too, and a 64-bit number
_PIECE = 1 << 22  # samples checked for NaN in one go


def scan(
    model: Model,
    signal: ArrayLike,
    *,
    step: int | tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> ScanResult:
    """Run the model at every window of a signal.

    `scores[:, p]` equals `model(window at p)` bit for bit. Windows start at 0, `step`, 2 `step`, ... as long as
    they fit; what the last one does not reach is named in `.coverage`. Work that overlapping windows have in common is
    done once (lecture 3.5), up to the first layer that pads inside the window. Memory beyond the scores does not grow
    with the signal, which may be a memory map.

    Args:
        model: a model for windows `(C, T)` or `(C, H, W)` that gives one vector of scores per window.
        signal: `(C, T)` or `(C, H, W)`, any real dtype (uint8 is taken as 0..1), at least as large as the window.
        step: between neighbouring windows, in samples or pixels; a pair is (rows, columns). None: the network's own
            stride. Any other step, also a finer one, gives the same scores as far as windows coincide.
        progress: is called with (windows finished, windows in all) now and then.

    Raises:
        ShapeError: the signal has other axes or channels than the window, or is smaller.
        ArgumentError, ArgumentTypeError: the signal holds NaN or infinity or is not real, or `step` is not positive.

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
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    if progress is not None and not callable(progress):
        raise ArgumentTypeError(f"progress must be a function. Got {progress!r}.")
    labels = _score_count(model)
    array = _checked_signal(model, signal)
    stride = shapes.receptive_field(model.network, model.input_shape)[1]
    steps = stride if step is None else per_axis("step", step, len(stride), 1)
    axes = tuple(
        Axis(extent, window, min(each, _LONGEST_STEP), own)
        for extent, window, each, own in zip(
            array.shape[1:], model.input_shape[1:], steps, stride, strict=True
        )
    )
    evaluator = evaluator_for(model, axes)
    scores = np.empty((labels, *(axis.count for axis in axes)), np.float32)

    def read(region: Region) -> NDArray[Any]:
        return array[(slice(None), *(slice(start, stop) for start, stop in region))]

    def write(windows: Region, values: NDArray[np.float32]) -> None:
        scores[(slice(None), *(slice(first, stop) for first, stop in windows))] = values

    evaluate(read, axes, evaluator, write, _Report(progress, math.prod(scores.shape[1:])))
    return ScanResult(
        scores=scores,
        axes=axes,
        coverage=Coverage.of(axes),
        method=evaluator.method,
        reason=evaluator.reason,
        labels=model.labels,
        background=model.background,
        sample_rate=model.sample_rate,
        activation=activation_of(model),
        exclusive=exclusive(model),
        find_support=SupportFinder(model, read),
    )


class _Report:
    """Adds up finished windows and passes them on."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, windows: int) -> None:
        # The last tile of an axis repeats some windows.
        self._done = min(self._done + windows, self._total)
        if self._progress is not None:
            self._progress(self._done, self._total)


def _score_count(model: Model) -> int:
    if len(model.input_shape) not in (2, 3):
        raise ShapeError(f"model's input_shape must be (C, T) or (C, H, W) to scan. Got {model.input_shape}.")
    if math.prod(model.output_shape[1:]) != 1:
        raise ShapeError(
            f"model must give one vector of scores per window to scan. Got output shape {model.output_shape}; "
            "end the network in Aggregate(...), or in Flatten() and Linear(...)."
        )
    return model.output_shape[0]


def _checked_signal(model: Model, signal: ArrayLike) -> NDArray[Any]:
    array = number_array(signal, "signal")
    wanted = model.input_shape
    names = "(C, T)" if len(wanted) == 2 else "(C, H, W)"
    if array.ndim != len(wanted):
        hint = "; add the channel axis: signal[None]" if array.ndim == len(wanted) - 1 else ""
        raise ShapeError(f"signal must have shape {names} for this model. Got {array.shape}{hint}.")
    if array.shape[0] != wanted[0]:
        raise ShapeError(
            f"signal must have {wanted[0]} channels, first. Got {array.shape[0]}, shape {array.shape}."
        )
    if any(have < need for have, need in zip(array.shape[1:], wanted[1:], strict=True)):
        raise ShapeError(
            f"signal must be at least as large as the window {wanted[1:]}. Got {array.shape[1:]}."
        )
    if array.dtype.kind == "f":
        _check_signal_finite(array)
    return array


def _check_signal_finite(signal: NDArray[Any]) -> None:
    """Look for NaN and infinity in bounded pieces along the longest axis, so that a memory map stays on disk."""
    axis = 1 + int(np.argmax(signal.shape[1:]))
    size = max(1, _PIECE // max(1, math.prod(signal.shape) // signal.shape[axis]))
    for start in range(0, signal.shape[axis], size):
        piece = signal[(slice(None),) * axis + (slice(start, start + size),)]
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(piece, np.float32)
        if not math.isfinite(np.vdot(values, values)):
            origin = [0] * signal.ndim
            origin[axis] = start
            check_finite(values, "signal", tuple(origin))
