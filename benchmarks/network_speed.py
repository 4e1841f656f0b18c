"""Whole networks: training steps, throughput and latency of every contender, held against the minimums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks import contenders, exactness
from benchmarks.contenders import Contender
from benchmarks.figure import Figure
from benchmarks.least_time import least_seconds
from benchmarks.minimums import COMPARISONS, Comparison
from benchmarks.networks import Case
from benchmarks.report import Section, time_text
from benchmarks.setting import Setting
from benchmarks.timing import interleaved

_TEXT = (
    "Error: the largest difference from float64 as a share of the largest value, {error}; above {bound:g} nothing would be "
    "timed. Machine allows: the quickest peer's time over the least time in which the measured peak does the "
    "multiply-adds {algorithm}, no engine of these algorithms can reach more."
)
_DIRECT = "one by one"
_WINOGRAD = "(3x3 convolutions with a quarter of them, as Winograd's F(4x4, 3x3) needs)"


def training(setting: Setting) -> Iterator[Section]:
    """Steps of stochastic gradient descent with momentum."""
    text = _TEXT.format(
        error=f"of the first {exactness.STEPS} losses and the parameters after them",
        bound=exactness.TRAINING_BOUND,
        algorithm=_WINOGRAD,
    )
    measured = [
        _measured("training", case, case.batch, contenders.training(case, setting), setting)
        for case in setting.cases
    ]
    yield _section("Training step", text, measured)


def inference(setting: Setting) -> Iterator[Section]:
    """Throughput: one batch a call."""
    measured = [
        _measured("inference", case, case.batch, contenders.inference(case, case.batch, setting), setting)
        for case in setting.cases
    ]
    algorithm = f'{_DIRECT} or, with precision="fast", {_WINOGRAD}'
    yield _section("Inference", _outputs_text(algorithm), measured)


def latency(setting: Setting) -> Iterator[Section]:
    """One sample a call."""
    measured = [
        _measured("latency", case, 1, contenders.inference(case, 1, setting), setting)
        for case in setting.cases
    ]
    yield _section("Latency of one sample", _outputs_text(_DIRECT), measured)


def _outputs_text(algorithm: str) -> str:
    return _TEXT.format(error="of the outputs", bound=exactness.OUTPUT_BOUND, algorithm=algorithm)


_Measured = tuple[list[list[str]], list[Figure]]


def _measured(
    work: str, case: Case, batch: int, taking_part: Mapping[str, Contender], setting: Setting
) -> _Measured:
    """One network: rows of times, and its ratios."""
    works = {name: contender.work for name, contender in taking_part.items()}
    seconds = interleaved(works, rounds=setting.rounds, seconds=setting.seconds)
    contenders.set_threads(setting.threads)
    rows = [
        [
            case.name,
            str(batch),
            name,
            time_text(taken),
            f"{batch / taken:,.0f}",
            f"{taking_part[name].error:.1e}",
        ]
        for name, taken in seconds.items()
    ]
    figures = []
    for comparison in COMPARISONS:
        if comparison.work == work:
            figures += _figure(comparison, case, batch, seconds, setting.threads)
    return rows, figures


def _figure(
    comparison: Comparison, case: Case, batch: int, seconds: Mapping[str, float], threads: int
) -> Iterator[Figure]:
    """The ratio of one comparison, if its peer takes part."""
    theirs = {name: taken for name, taken in seconds.items() if name.startswith(comparison.peer)}
    if not theirs:
        return
    quickest = min(theirs, key=lambda name: theirs[name])
    training = comparison.work == "training"
    least = least_seconds(
        case, batch, threads, training=training, winograd=training or comparison.ours == contenders.FAST
    )
    minimum = comparison.minimums.get(case.name)
    yield Figure(
        name=f"{case.name}, {comparison.work}: {comparison.text}",
        value=theirs[quickest] / seconds[comparison.ours],
        minimum=minimum and minimum.least,
        stretch=minimum and minimum.stretch,
        limit=threads if comparison.peer == contenders.ONE_THREAD else theirs[quickest] / least,
        note="" if len(theirs) == 1 else f"against {quickest}",
    )


def _section(title: str, text: str, measured: list[_Measured]) -> Section:
    head = ["network", "batch", "contender", "one call", "samples/s", "error"]
    rows = [row for rows, _ in measured for row in rows]
    figures = [figure for _, figures in measured for figure in figures]
    return Section(title, text, head, rows, figures)
