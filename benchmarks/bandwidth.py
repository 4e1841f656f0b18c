"""The machine's bandwidth on one thread: loads from the first-level cache, copies in the second-level and in memory."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from benchmarks.timing import Work
from scanwise.codegen.emitter import I32, Emitter, Index, Value
from scanwise.codegen.jit import address
from scanwise.codegen.target import host_target

__all__ = ["FAR", "NEAR", "LoadKernel", "cache_work", "copy_work"]

VECTORS = 16  # that a turn reads
TURNS = 16  # until the first vector again: with vectors of 64 bytes 16 KB, which any first-level cache holds
CHAINS = 8  # results that do not wait for each other
NEAR = 1 << 16  # floats that are copied within the second-level cache
FAR = 1 << 25  # floats that are copied through memory: several times a large third-level cache


@dataclass(frozen=True)
class LoadKernel:
    """`n` turns of `VECTORS` loads. Arguments: memory, result.

    What is loaded is joined by exclusive or, of which every processor does more in a cycle than loads.
    """

    lanes: int
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        memory, result = e.arguments
        b = e.builder
        whole = ir.VectorType(I32, self.lanes)

        def turn(i: Index, *chains: Value) -> list[Value]:
            joined = list(chains)
            start = e.mul(b.and_(e.integer(i), e.integer(TURNS - 1)), VECTORS * self.lanes)
            for vector in range(VECTORS):
                value = e.load(memory, e.add(start, vector * self.lanes), self.lanes)
                chain = vector % CHAINS
                joined[chain] = b.xor(joined[chain], b.bitcast(value, whole))
            return joined

        zero = e.integers([0] * self.lanes)
        for chain, value in enumerate(e.loop(e.n, turn, [zero] * CHAINS)):
            e.store(value, result, chain * self.lanes)


def cache_work() -> tuple[Work, int]:
    """Loads from the first-level cache as work to time beside a kernel, and the bytes of one call of it."""
    lanes = max(4, host_target().vector_bits // 32)
    memory = np.ones(TURNS * VECTORS * lanes + 16, np.float32)
    start = memory[(-memory.ctypes.data // 4) % 16 :]  # on a cache line, so that no load crosses one
    result = np.zeros(CHAINS * lanes, np.float32)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    function = kind(address(LoadKernel(lanes)))
    turns = 50_000

    def work(calls: int) -> None:
        for _ in range(calls):
            function(start.ctypes.data, result.ctypes.data, turns)

    return work, 4 * lanes * VECTORS * turns


def copy_work(floats: int) -> tuple[Work, int]:
    """A copy as work to time beside a kernel, and the bytes that one call of it reads and writes."""
    source, goal = np.ones(floats, np.float32), np.ones(floats, np.float32)

    def work(calls: int) -> None:
        for _ in range(calls):
            np.copyto(goal, source)

    return work, 2 * source.nbytes
