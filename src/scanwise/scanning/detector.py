"""`detect`: what a trained window network finds in a signal of any size, without the scores of all windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.model import Model
from scanwise.scanning.detection import Detection
from scanwise.scanning.grid import Axis, Coverage, Region, one_or_pair
from scanwise.scanning.opening import opened
from scanwise.scanning.reading import Reading
from scanwise.scanning.search import Presence, Search
from scanwise.scanning.selection import Extent, Selection, Threshold
from scanwise.scanning.support import SupportFinder, window_reader
from scanwise.scanning.work import Progress, Work, check_arguments


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
    threshold: Threshold = None,
    overlap: float = 0.2,
    low: float | None = None,
    merge: Extent = None,
    min_extent: Extent = None,
    max_extent: Extent = None,
    support: bool = False,
    step: int | tuple[int, int] | None = None,
    edge: str = "valid",
    nan: str = "error",
    progress: Progress | None = None,
) -> Findings:
    """What was found where in a signal: `scan(...).detections(...)`, without ever holding the scores of all windows.

    Which windows stay is decided as the signal is passed: memory grows with what is found, not with the signal; with
    `low` or `merge`, with the windows that are joined.

    Args:
        model, signal, step, edge, nan, progress: as `scan` takes them.
        threshold, overlap, low, merge, min_extent, max_extent: as `ScanResult.detections` takes them.
        support: whether to find `Detection.support`. The signal is read once more for it, so that it may not be an
            iterator.

    Raises:
        ShapeError, ArgumentError, ArgumentTypeError, DataError: as `scan` and `ScanResult.detections` do.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 4), sw.Aggregate("max")), (1, 8), seed=3)
    >>> signal = np.sin(np.arange(200.0) ** 2)[None]
    >>> sw.detect(model, signal).detections == sw.scan(model, signal).detections()
    True
    """
    check_arguments(model, edge, nan, progress)
    reading = Reading.of(model)
    selection = Selection(threshold, overlap, low, merge, min_extent, max_extent)
    selection.check(reading, len(model.input_shape) - 1)
    if support and isinstance(signal, Iterator):
        raise ArgumentError("support must be left out for an iterator, which can be read but once.")
    with opened(signal) as source:
        work = Work.of(model, source, step, edge, nan)
        presence = Presence(reading)
        search = Search(reading, selection, work.axes)

        def write(windows: Region, scores: NDArray[np.float32]) -> None:
            presence.add(scores)
            search.add([first for first, _ in windows], scores)

        axes = work.run(write, progress)
    return Findings(
        detections=_found(model, signal, search, axes, nan) if support else search.found(axes),
        presence=presence.best,
        coverage=work.coverage(axes),
        method=work.evaluator.method,
        reason=work.evaluator.reason,
        window=one_or_pair([axis.window for axis in axes]),
        step=one_or_pair([axis.step for axis in axes]),
        labels=reading.labels,
        sample_rate=reading.sample_rate,
        replaced=work.finite.replaced,
    )


def _found(model: Model, signal: Any, search: Search, axes: tuple[Axis, ...], nan: str) -> list[Detection]:
    """The detections with their supports, for which the signal is gone through again."""
    with opened(signal) as source:
        find = SupportFinder(model, window_reader(source, nan))
        return search.found(axes, lambda event, start: find(event.label, start))
