"""Whole networks: training steps, throughput and latency of every contender."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import contenders
from benchmarks.figure import Figure
from benchmarks.networks import Case
from benchmarks.report import Section, time_text
from benchmarks.setting import Setting
from benchmarks.timing import Work, interleaved


@dataclass(frozen=True)
class Timing:
    """One network, one kind of work, all contenders.

    Attributes:
        case: the network.
        batch: samples in a call.
        seconds: median seconds of one call, by contender.
    """

    case: Case
    batch: int
    seconds: dict[str, float]

    def ratio(self, other: str) -> float | None:
        """How many times as long `other` takes; for PyTorch, in its better memory layout."""
        theirs = [value for name, value in self.seconds.items() if name.startswith(other)]
        return min(theirs) / self.seconds[contenders.SCANWISE] if theirs else None


def training(setting: Setting) -> Iterator[Section]:
    """One step of stochastic gradient descent, batch by batch."""
    yield _section("Training step", setting, lambda case: case.batch, contenders.training)


def inference(setting: Setting) -> Iterator[Section]:
    """Throughput: one batch a call."""
    yield _section(
        "Inference",
        setting,
        lambda case: case.batch,
        lambda case: contenders.inference(case, case.batch, setting.threads),
    )


def latency(setting: Setting) -> Iterator[Section]:
    """One sample a call."""
    yield _section(
        "Latency", setting, lambda _: 1, lambda case: contenders.inference(case, 1, setting.threads)
    )


def _section(
    title: str,
    setting: Setting,
    batch_of: Callable[[Case], int],
    works_of: Callable[[Case], dict[str, Work]],
) -> Section:
    contenders.set_threads(setting.threads)
    rows, figures = [], []
    for case in setting.cases:
        taken = interleaved(works_of(case), rounds=setting.rounds, seconds=setting.seconds)
        timing = Timing(case, batch_of(case), taken)
        for name, seconds in taken.items():
            rate = f"{timing.batch / seconds:,.0f}"
            rows.append([case.name, str(timing.batch), name, time_text(seconds), rate])
        for other in ("PyTorch", "ONNX Runtime"):
            ratio = timing.ratio(other)
            if ratio is not None:
                figures.append(Figure(f"{case.name}: {title.lower()}, times faster than {other}", ratio))
    head = ["network", "batch", "contender", "one call", "samples/s"]
    return Section(title, "", head, rows, figures)
