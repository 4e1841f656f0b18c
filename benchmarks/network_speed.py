"""Whole networks: training steps, throughput and latency of every contender, held against the minimums."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import contenders, exactness
from benchmarks.contenders import Contender
from benchmarks.figure import Figure
from benchmarks.networks import Case
from benchmarks.peak import PEAK, peak_gflops, peak_work
from benchmarks.ratios import ratios
from benchmarks.report import Section, time_text
from benchmarks.setting import Setting
from benchmarks.timing import interleaved

_TEXT = (
    "Errors are the largest difference from float64, as a share of the largest value: {what}. Above {bound:g} nothing "
    "would be timed.\n\n"
    "The machine allows: the quickest peer's time, divided by the least time that the multiply-adds alone take at the "
    "measured peak of all threads. {algorithm} No engine with these algorithms can reach more here."
)
_OUTPUTS = "of the outputs of one batch"
_STEPS = f"of the losses of the first {exactness.STEPS} steps, and of the parameters after them"
_DIRECT = "All are counted."
_WINOGRAD = (
    "Of 3x3 convolutions a quarter is counted, as many as Winograd's F(4x4, 3x3) needs; the note says what the machine "
    "allows without Winograd's algorithm."
)


def training(setting: Setting) -> Iterator[Section]:
    """Steps of stochastic gradient descent with momentum."""
    text = _TEXT.format(what=_STEPS, bound=exactness.TRAINING_BOUND, algorithm=_WINOGRAD)
    yield _section(
        "Training step", text, "training", setting, lambda case: contenders.training(case, setting)
    )


def inference(setting: Setting) -> Iterator[Section]:
    """Throughput: one batch a call."""
    algorithm = f'{_DIRECT} With precision="fast": {_WINOGRAD[0].lower()}{_WINOGRAD[1:]}'
    text = _TEXT.format(what=_OUTPUTS, bound=exactness.OUTPUT_BOUND, algorithm=algorithm)
    yield _section(
        "Inference", text, "inference", setting, lambda case: contenders.inference(case, case.batch, setting)
    )


def latency(setting: Setting) -> Iterator[Section]:
    """One sample a call."""
    text = _TEXT.format(what=_OUTPUTS, bound=exactness.OUTPUT_BOUND, algorithm=_DIRECT)
    yield _section(
        "Latency of one sample", text, "latency", setting, lambda case: contenders.inference(case, 1, setting)
    )


def _section(
    title: str, text: str, work: str, setting: Setting, taking_part: Callable[[Case], dict[str, Contender]]
) -> Section:
    """All networks: their times, and their ratios with the minimums beside them."""
    rows: list[list[str]] = []
    figures: list[Figure] = []
    kinds: list[str] = []
    for case in setting.cases:
        batch = 1 if work == "latency" else case.batch
        part = taking_part(case)
        peak, operations = peak_work(setting.threads)
        works = {PEAK: peak, **{name: contender.work for name, contender in part.items()}}
        seconds = interleaved(works, rounds=setting.rounds, seconds=setting.seconds)
        gflops = max(peak_gflops(setting.threads), operations / seconds.pop(PEAK) / 1e9)
        for name, taken in seconds.items():
            kinds = list(part[name].errors)
            errors = [f"{part[name].errors[kind]:.1e}" for kind in kinds]
            cells = [case.name, str(batch), name, time_text(taken), f"{batch / taken:,.0f}", *errors]
            rows.append(cells)
        figures += ratios(case, work, batch, seconds, threads=setting.threads, gflops=gflops)
    head = ["network", "batch", "contender", "one call", "samples/s", *(f"error of {kind}" for kind in kinds)]
    return Section(title, text, head, rows, figures)
