"""`scan`: the scores of a trained window network at all windows of a signal of any size."""

from __future__ import annotations

from typing import Any

from scanwise.model import Model
from scanwise.scanning.opening import opened
from scanwise.scanning.output import checked_path, opened_output
from scanwise.scanning.reading import Reading
from scanwise.scanning.result import ScanResult
from scanwise.scanning.source import ArraySource
from scanwise.scanning.support import SupportFinder, window_reader
from scanwise.scanning.work import Progress, Work, check_arguments


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
    reaches is named in `.coverage`. Work that overlapping windows have in common is done once (lecture 3.5), up to the
    first layer that pads inside the window. Memory beyond the scores does not grow with the signal's length or height,
    and with `out` not with the scores either.

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
            stride. Any other step, also a finer one, gives the same scores as far as windows coincide.
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
    check_arguments(model, edge, nan, progress)
    if out is not None:
        checked_path(out)
    with opened(signal) as source:
        work = Work.of(model, source, step, edge, nan)
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
        thresholds=reading.thresholds,
        temperature=reading.temperature,
        replaced=work.finite.replaced,
        # What is in memory, or mapped, can be looked at again.
        find_support=SupportFinder(model, window_reader(source, nan))
        if isinstance(source, ArraySource)
        else None,
    )
