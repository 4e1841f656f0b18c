"""`detect`: what a trained window network finds in a signal of any size, without the scores of all windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.model import Model
from scanwise.scanning.detection import Detection
from scanwise.scanning.grid import Coverage, Region
from scanwise.scanning.opening import opened
from scanwise.scanning.result import plain
from scanwise.scanning.search import Presence, Reading, Search, check_threshold
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
    check_arguments(model, edge, nan, progress)
    reading = Reading.of(model)
    check_threshold(threshold, overlap, reading.activation)
    with opened(signal) as source:
        work = Work.of(model, source, step, edge, nan)
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
