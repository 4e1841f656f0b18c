"""How the time of a training step and of inference grows: channels, extent, batch, threads, one at a time.

The network is small and plain: two 3 x 3 convolutions, pooling, and a `Linear` layer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import scanwise as sw
from benchmarks.contenders import ScanwiseTraining
from benchmarks.networks import Case
from benchmarks.report import Section, time_text
from benchmarks.timing import Work, interleaved
from scanwise import shapes

__all__ = ["Growing", "Point", "figures", "section"]

CLASSES = 10


@dataclass(frozen=True)
class Growing(Case):
    """The network that grows."""

    channels: int = 32
    threads: int = 1

    def network(self) -> sw.Sequential:
        return sw.Sequential(
            sw.Conv2d(self.channels, 3, padding=1),
            sw.ReLU(),
            sw.Conv2d(self.channels, 3, padding=1),
            sw.ReLU(),
            sw.MaxPool2d(2),
            sw.Flatten(),
            sw.Linear(CLASSES),
        )

    @property
    def operations(self) -> tuple[int, int]:
        """Of inference and of training, for a batch. The first layer needs no input gradient."""
        rows = shapes.walk(self.network(), self.input_shape)
        forward = sum(row.operations for row in rows)
        return self.batch * forward, self.batch * (3 * forward - rows[0].operations)


BASE = Growing("growing", (3, 32, 32), CLASSES, 32)


def points(most_threads: int) -> list[tuple[str, int, Growing]]:
    """What grows, its value, and the network with it."""
    threads = sorted({1, 2, 4, 8, most_threads})
    return [
        *(("channels", c, replace(BASE, channels=c)) for c in (8, 16, 32, 64, 128)),
        *(("extent", e, replace(BASE, input_shape=(3, e, e))) for e in (8, 16, 32, 48, 64)),
        *(("batch", n, replace(BASE, batch=n)) for n in (1, 8, 32, 64, 128)),
        *(("threads", t, replace(BASE, threads=t)) for t in threads if t <= most_threads),
    ]


@dataclass(frozen=True)
class Point:
    """One point of the curves: seconds, and seconds for one operation, of a batch of inference and a training step."""

    grows: str
    value: int
    inference: float
    inference_operation: float
    training: float
    training_operation: float


def figures(*, rounds: int, seconds: float) -> list[Point]:
    """All points. All but those of `threads` are on one thread."""
    found = []
    for grows, value, case in points(os.cpu_count() or 1):
        sw.set_threads(case.threads)
        taken = interleaved(_works(case), rounds=rounds, seconds=seconds)
        operations = case.operations
        times = taken["inference"], taken["training"]
        found.append(
            Point(grows, value, times[0], times[0] / operations[0], times[1], times[1] / operations[1])
        )
    return found


def _works(case: Growing) -> dict[str, Work]:
    model = case.model()
    x, _ = case.samples(case.batch)

    def infer(calls: int) -> None:
        for _ in range(calls):
            model(x)

    return {"inference": infer, "training": ScanwiseTraining(case, *case.samples(16 * case.batch)).run}


def section(points: list[Point]) -> Section:
    """The table of the report."""
    rows = [
        [
            point.grows,
            str(point.value),
            time_text(point.inference),
            f"{point.inference_operation * 1e12:.1f} ps",
            time_text(point.training),
            f"{point.training_operation * 1e12:.1f} ps",
        ]
        for point in points
    ]
    note = (
        f"Two 3x3 convolutions of {BASE.channels} channels on {BASE.input_shape[1]}x{BASE.input_shape[2]}, a batch of "
        f"{BASE.batch}, one thread, but for what grows; operations of the direct formula."
    )
    head = ["grows", "to", "inference", "an operation", "training step", "an operation"]
    return Section("How time grows", note, head, rows)
