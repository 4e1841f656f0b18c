"""Interleaved timing: every contender runs in every round, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Work = Callable[[int], object]
"""Runs this many calls; what it returns is not looked at."""


def calls_for(work: Work, seconds: float) -> int:
    """How many calls take about this long, once the contender has compiled all that it compiles in its first calls."""
    _count(work, seconds)
    return _count(work, seconds)


def _count(work: Work, seconds: float) -> int:
    work(1)  # not timed: compiles, allocates, wakes threads
    calls = 1
    while True:
        started = time.perf_counter()
        work(calls)
        taken = time.perf_counter() - started
        if taken >= 0.3 * seconds:
            return max(1, round(calls * seconds / taken))
        calls *= 2 if taken > 0.05 * seconds else 8


def interleaved(contenders: Mapping[str, Work], *, rounds: int, seconds: float) -> dict[str, float]:
    """Median seconds of one call, for each contender.

    In each round every contender runs for about `seconds`; who begins rotates. Before each timing the contender runs
    once untimed and the others' waiting threads get time to fall asleep.

    Args:
        contenders: name to work.
        rounds: timings of each contender.
        seconds: length of one timing.
    """
    names = list(contenders)
    calls = {name: calls_for(contenders[name], seconds) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            time.sleep(0.01)
            contenders[name](1)
            started = time.perf_counter()
            contenders[name](calls[name])
            taken[name].append((time.perf_counter() - started) / calls[name])
    return {name: statistics.median(taken[name]) for name in names}
