"""The machine's measured peak: fused multiply-adds on registers alone, from an emitted loop."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Work
from scanwise.codegen.emitter import Emitter, Value
from scanwise.codegen.jit import address
from scanwise.codegen.target import host_target

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


def _loop() -> tuple[int, Callable[[int, int], None]]:
    """Lanes and the compiled loop."""
    lanes = max(4, host_target().vector_bits // 32)
    return lanes, ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address(PeakKernel(lanes)))


def _memory(lanes: int) -> NDArray[np.float32]:
    # 0.5 x + 1 stays near 2: neither overflow nor denormals.
    memory = np.full((2 + CHAINS) * lanes, 2.0, np.float32)
    memory[:lanes], memory[lanes : 2 * lanes] = 0.5, 1.0
    return memory


def _seconds(function: Callable[[int, int], None], turns: int, threads: int, lanes: int) -> float:
    def work(memory: NDArray[np.float32]) -> None:
        function(memory.ctypes.data, turns)

    memories = [_memory(lanes) for _ in range(threads)]
    workers = [threading.Thread(target=work, args=(memory,)) for memory in memories]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started


def peak_work() -> tuple[Work, int]:
    """The loop on one thread as work to time beside a kernel, and the operations of one call of it."""
    lanes, function = _loop()
    memory = _memory(lanes)
    turns = 20_000  # half a millisecond: the way through Python is nothing beside it

    def work(calls: int) -> None:
        for _ in range(calls):
            function(memory.ctypes.data, turns)

    return work, 2 * lanes * CHAINS * STEPS_PER_TURN * turns


@functools.cache
def peak_gflops(threads: int = 1) -> float:
    """Billions of float32 operations a second, a multiply-add being two; the best of several runs."""
    lanes, function = _loop()
    operations = 2 * lanes * CHAINS * STEPS_PER_TURN
    turns = 1000
    while _seconds(function, turns, threads, lanes) < 0.02:
        turns *= 4
    best = min(_seconds(function, turns, threads, lanes) for _ in range(7))
    return operations * turns * threads / best / 1e9
