"""Scans of long signals: against the windows one by one, against PyTorch, and in real time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import scanwise as sw
from benchmarks import contenders, exactness
from benchmarks.figure import Figure
from benchmarks.peak import PEAK, peak_gflops, peak_work
from benchmarks.protocol import PYTORCH, SCANWISE, Array
from benchmarks.report import Section, time_text
from benchmarks.scan_cases import CASES, RATE, ScanCase
from benchmarks.scan_operations import ideal_ratio, least_scan_seconds
from benchmarks.setting import Setting
from benchmarks.timing import Work, interleaved
from benchmarks.torch_scan import ways
from benchmarks.torch_twin import twin_of

WINDOWS = "Scanwise, windows"

LEAST_SHARE = 70.0
"""Per cent of the ideal ratio to the windows one by one."""
LEAST_RATIO = 2.0
"""Times faster than PyTorch."""
LEAST_REAL_TIME = {"ds-cnn": 2000.0}
"""Times real time at the network's own stride, on two cores."""

_CHECKED = 48  # windows whose scores are compared with float64
_BATCH = 64  # windows one by one come in batches, which is quicker
_TEXT = (
    "Scans at the network's own stride, which stands first, and at finer steps. The contender {windows!r} runs "
    "batches of {batch} windows that are cut out beforehand, and is given for as many windows as the scan has. "
    "PyTorch: each layer once over the whole signal, with dilation for finer steps; once for each shift; or "
    "windows by `unfold` in batches, where a layer pads; the quickest counts. The machine allows its time over that of "
    "the multiply-adds alone at the measured peak. The ideal ratio is of operations: "
    "all windows one by one, over each shared value once. Errors are the largest difference from float64 at "
    "{checked} windows, as a share of the largest score; Scanwise's scores there must be those of the windows bit "
    "for bit."
)


@dataclass(frozen=True)
class Timed:
    """One case at one step.

    Attributes:
        case: the network.
        step: between windows.
        windows: of one scan.
        ideal: ratio of operations.
        seconds: of one scan, by contender.
        errors: against float64, by contender.
        extent: of the signal.
        least: seconds that the multiply-adds alone take at the machine's measured peak.
    """

    case: ScanCase
    step: tuple[int, ...]
    windows: int
    ideal: float
    seconds: dict[str, float]
    errors: dict[str, float]
    extent: tuple[int, ...]
    least: float

    @property
    def name(self) -> str:
        return f"{self.case.name}, step {'x'.join(map(str, self.step))}"

    def speed(self, seconds: float) -> float:
        """Times real time, or megapixels a second."""
        return math.prod(self.extent) / seconds / (RATE if len(self.extent) == 1 else 1e6)


def scan(setting: Setting) -> Iterator[Section]:
    """Every case at every step."""
    timed = [timed_scan(case, step, setting) for case in CASES for step in case.steps]
    rows = [
        [
            each.name,
            f"{each.windows:,}",
            name,
            time_text(taken),
            f"{each.speed(taken):,.3g} {'x real time' if len(each.extent) == 1 else 'MP/s'}",
            f"{each.errors[name]:.1e}" if name in each.errors else "",
        ]
        for each in timed
        for name, taken in each.seconds.items()
    ]
    head = ["network", "windows", "contender", "one scan", "speed", "error"]
    text = _TEXT.format(windows=WINDOWS, batch=_BATCH, checked=_CHECKED)
    yield Section("Scans", text, head, rows, [figure for each in timed for figure in figures(each)])


def figures(timed: Timed) -> Iterator[Figure]:
    """What is held against minimums."""
    ours = timed.seconds[SCANWISE]
    ratio = timed.seconds[WINDOWS] / ours
    yield Figure(
        f"{timed.name}: share of the ideal ratio to windows one by one",
        100 * ratio / timed.ideal,
        "%",
        LEAST_SHARE,
        note=f"{ratio:,.1f} of {timed.ideal:,.1f}",
    )
    theirs = {name: taken for name, taken in timed.seconds.items() if name.startswith(PYTORCH)}
    quickest = min(theirs, key=lambda name: theirs[name])
    yield Figure(
        f"{timed.name}: times faster than PyTorch",
        theirs[quickest] / ours,
        minimum=LEAST_RATIO,
        limit=theirs[quickest] / timed.least,
        note=f"against {quickest}",
    )
    if len(timed.extent) == 1:
        own = timed.step == timed.case.steps[0]
        least = LEAST_REAL_TIME.get(timed.case.name) if own else None
        yield Figure(f"{timed.name}: times real time", timed.speed(ours), minimum=least)
    else:
        yield Figure(f"{timed.name}: megapixels a second", timed.speed(ours))


def timed_scan(case: ScanCase, step: tuple[int, ...], setting: Setting) -> Timed:
    """Checks and times all contenders, and in turns with them the machine's peak."""
    contenders.set_threads(setting.threads)
    model, signals = case.model(), case.signals(quick=setting.quick)
    extent = signals[0].shape[1:]
    counts = tuple((e - w) // s + 1 for e, w, s in zip(extent, case.input_shape[1:], step, strict=True))
    functions = _functions(model, step, signals)
    errors = _errors(case, model, step, signals[0], counts, functions)
    works = {name: _rotating(function, len(signals)) for name, function in functions.items()}
    batches = _cut(signals[0], case.input_shape[1:], step, counts, 2 * _BATCH)
    works[WINDOWS] = _rotating(lambda i: model(batches[i % 2 * _BATCH :][:_BATCH]), 2)
    works[PEAK], operations = peak_work(setting.threads)
    seconds = interleaved(works, rounds=setting.rounds, seconds=setting.seconds)
    windows = math.prod(counts)
    seconds[WINDOWS] *= windows / _BATCH
    gflops = max(peak_gflops(setting.threads), operations / seconds.pop(PEAK) / 1e9)
    least = least_scan_seconds(model, step, counts, gflops)
    return Timed(case, step, windows, ideal_ratio(model, step, counts), seconds, errors, extent, least)


def _functions(
    model: sw.Model, step: tuple[int, ...], signals: list[Array]
) -> dict[str, Callable[[int], NDArray[np.float32]]]:
    """By name: the scores of signal number i."""
    plain = step[0] if len(step) == 1 else (step[0], step[1])
    tensors = [torch.from_numpy(signal) for signal in signals]

    def scanned(i: int) -> NDArray[np.float32]:
        return sw.scan(model, signals[i], step=plain).scores

    def in_torch(way: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[int], NDArray[np.float32]]:
        def run(i: int) -> NDArray[np.float32]:
            with torch.inference_mode():
                scores: NDArray[np.float32] = way(tensors[i]).numpy()
            return scores

        return run

    return {SCANWISE: scanned} | {
        f"{PYTORCH} {name}": in_torch(way) for name, way in ways(model, step).items()
    }


def _errors(
    case: ScanCase,
    model: sw.Model,
    step: tuple[int, ...],
    signal: Array,
    counts: tuple[int, ...],
    functions: dict[str, Callable[[int], NDArray[np.float32]]],
) -> dict[str, float]:
    """Of every contender at some windows, the last among them."""
    chosen = np.unique(np.linspace(0, math.prod(counts) - 1, _CHECKED).astype(int))
    windows = _windows(signal, case.input_shape[1:], step, counts, chosen)
    with torch.inference_mode():
        expected = twin_of(model).double().eval()(torch.from_numpy(windows).double()).numpy()
    errors = {}
    for name, function in functions.items():
        scores = function(0)
        if scores.shape != (len(expected[0]), *counts):
            raise exactness.ExactnessError(f"{case.name}, {name}: {scores.shape} scores for {counts} windows")
        found = scores.reshape(len(scores), -1)[:, chosen].T
        errors[name] = exactness.relative_error(found, expected)
        exactness.check(f"{case.name}, {name}", {"scores": errors[name]}, exactness.OUTPUT_BOUND)
        if name == SCANWISE and not np.array_equal(found, model(windows)):
            raise exactness.ExactnessError(f"{case.name}: a scan must have the bits of its windows")
    return errors


def _cut(
    signal: Array, window: tuple[int, ...], step: tuple[int, ...], counts: tuple[int, ...], most: int
) -> Array:
    """Windows from the beginning of the signal; again from there where it has fewer."""
    return _windows(signal, window, step, counts, np.arange(most) % math.prod(counts))


def _windows(
    signal: Array,
    window: tuple[int, ...],
    step: tuple[int, ...],
    counts: tuple[int, ...],
    numbers: NDArray[np.integer],
) -> Array:
    """`(N, C, *window)` of numbered windows."""
    starts = np.stack(np.unravel_index(numbers, counts), axis=1) * step
    parts = [
        signal[(slice(None), *(slice(s, s + w) for s, w in zip(start, window, strict=True)))]
        for start in starts
    ]
    return np.stack(parts)


def _rotating(function: Callable[[int], object], signals: int) -> Work:
    position = 0

    def work(calls: int) -> None:
        nonlocal position
        for _ in range(calls):
            function(position)
            position = (position + 1) % signals

    return work
