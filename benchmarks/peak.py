"""The machine's measured peak: fused multiply-adds on registers alone, from an emitted loop."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.timing import Work
from scanwise.codegen.emitter import Emitter, Value
from scanwise.codegen.jit import address
from scanwise.codegen.target import host_target

PEAK = "measured peak"
"""Runs in turns with the contenders, so that a machine that slows down does so for its peak too."""

# Chains that do not wait for each other: two units of latency four need eight; twelve leave room, and with the two
# operands they fit the sixteen registers of AVX2.
CHAINS = 12
STEPS_PER_TURN = 8


@dataclass(frozen=True)
class PeakKernel:
    """`n` turns of `CHAINS * STEPS_PER_TURN` fused multiply-adds on vectors of `lanes` floats."""

    lanes: int

    @property
    def pointers(self) -> int:
        return 1

    def emit(self, e: Emitter) -> None:
        (memory,) = e.arguments
        factor = e.load(memory, 0, self.lanes)
        addend = e.load(memory, self.lanes, self.lanes)
        sums = [e.load(memory, (2 + chain) * self.lanes, self.lanes) for chain in range(CHAINS)]

        def turn(_: object, *chains: Value) -> list[Value]:
            values = list(chains)
            for _step in range(STEPS_PER_TURN):
                values = [e.fma(value, factor, addend) for value in values]
            return values

        for chain, value in enumerate(e.loop(e.n, turn, sums)):
            e.store(value, memory, (2 + chain) * self.lanes)


def _seconds(function: Callable[[int, int], None], turns: int, threads: int, lanes: int) -> float:
    def work(memory: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        function(memory.ctypes.data, turns)

    # 0.5 x + 1 stays near 2: neither overflow nor denormals.
    memories = [np.full((2 + CHAINS) * lanes, 2.0, np.float32) for _ in range(threads)]
    for memory in memories:
        memory[:lanes], memory[lanes : 2 * lanes] = 0.5, 1.0
    workers = [threading.Thread(target=work, args=(memory,)) for memory in memories]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started


@functools.cache
def peak_gflops(threads: int = 1) -> float:
    """Billions of float32 operations a second, a multiply-add being two; the best of several runs."""
    function, lanes = _function()
    turns = _turns(threads)
    best = min(_seconds(function, turns, threads, lanes) for _ in range(7))
    return _operations(turns, threads) / best / 1e9


def peak_work(threads: int) -> tuple[Work, float]:
    """The same loop as work to time beside others, on all threads, and the operations of one call."""
    function, lanes = _function()
    turns = _turns(threads)

    def work(calls: int) -> None:
        for _ in range(calls):
            _seconds(function, turns, threads, lanes)

    return work, _operations(turns, threads)


@functools.cache
def _function() -> tuple[Callable[[int, int], None], int]:
    """The compiled loop and its lanes."""
    lanes = max(4, host_target().vector_bits // 32)
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address(PeakKernel(lanes))), lanes


@functools.cache
def _turns(threads: int) -> int:
    """As many as take longer by far than starting the threads."""
    function, lanes = _function()
    turns = 1000
    while _seconds(function, turns, threads, lanes) < 0.02:
        turns *= 4
    return turns


def _operations(turns: int, threads: int) -> float:
    return 2.0 * _function()[1] * CHAINS * STEPS_PER_TURN * turns * threads
