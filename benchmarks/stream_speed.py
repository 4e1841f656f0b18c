"""Streams: how long 20 ms of audio take, and what a hop costs beside the whole window."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

import scanwise as sw
from benchmarks import contenders
from benchmarks.figure import Figure
from benchmarks.report import Section, time_text
from benchmarks.scan_cases import AUDIO, RATE, ScanCase
from benchmarks.setting import Setting
from scanwise import shapes

__all__ = ["streams"]

CHUNK = RATE // 50
"""Samples of 20 ms."""

MOST_MILLISECONDS = 1.0
"""That a stream may take for them, in the median."""
LEAST_CHEAPER = {"ds-cnn": 35.0}
"""Times that a hop costs less than the whole window. The window of a second is 50 hops long."""

_FEED, _HOP, _WINDOW = "20 ms fed to a stream", "a hop fed to a stream", "the whole window"
_LONG = "a hop, a second at a time"
_TEXT = (
    "Medians of calls in turns. A hop is the network's stride: as much audio as leads to one more score. Costs of hop "
    'and window are compared on one thread; "{feed}" has {threads}. Of a hop fed by itself most is Python; in longer '
    "chunks that is shared out."
)


def streams(setting: Setting) -> Iterator[Section]:
    """The audio networks that do not pad: others have no work to share between hops but that of their front end."""
    rows: list[list[str]] = []
    found: list[Figure] = []
    for case in AUDIO:
        if shapes.has_padding(case.network, case.input_shape) is None:
            seconds = _seconds(case, setting)
            rows += [[case.name, call, time_text(taken)] for call, taken in seconds.items()]
            found += figures(case.name, seconds)
    text = _TEXT.format(feed=_FEED, threads=setting.threads)
    yield Section("Streams", text, ["network", "call", "one call"], rows, found)


def figures(name: str, seconds: Mapping[str, float]) -> Iterator[Figure]:
    """What is held against minimums."""
    taken = 1e3 * seconds[_FEED]
    yield Figure(f"{name}: {_FEED}", taken, "ms", MOST_MILLISECONDS, direction="smaller")
    for hop, minimum in ((_HOP, LEAST_CHEAPER.get(name)), (_LONG, None)):
        ratio = seconds[_WINDOW] / seconds[hop]
        yield Figure(f"{name}: times that {hop} costs less than the whole window", ratio, minimum=minimum)


def _seconds(case: ScanCase, setting: Setting) -> dict[str, float]:
    """Of one call, by what is called."""
    model, signals = case.model(), case.signals(quick=setting.quick)
    hop = case.steps[0][0]
    turns = 20 if setting.quick else 1000
    contenders.set_threads(setting.threads)
    found = _medians({_FEED: _fed(model, signals[0], CHUNK)}, turns)
    windows = np.stack([signal[:, : case.input_shape[1]] for signal in signals])
    contenders.set_threads(1)
    hops = RATE // hop
    calls = {
        _HOP: _fed(model, signals[0], hop),
        _LONG: _fed(model, signals[0], hops * hop),
        _WINDOW: lambda i: model(windows[i % len(windows)][None]),
    }
    found |= _medians(calls, turns)
    found[_LONG] /= hops
    contenders.set_threads(setting.threads)
    return found


def _fed(
    model: sw.Model, signal: np.ndarray[tuple[int, ...], np.dtype[np.float32]], samples: int
) -> Callable[[int], object]:
    """Feeds the next samples; the signal over and over."""
    stream = sw.Stream(model)
    chunks = signal.shape[1] // samples
    for i in range(chunks):  # compiles, and fills the window
        stream.feed(signal[:, i * samples : (i + 1) * samples])

    def feed(turn: int) -> object:
        start = turn % chunks * samples
        return stream.feed(signal[:, start : start + samples])

    return feed


def _medians(calls: Mapping[str, Callable[[int], object]], turns: int) -> dict[str, float]:
    """Of single calls in turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns):
        for name, call in calls.items():
            started = time.perf_counter()
            call(turn)
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in taken.items()}
