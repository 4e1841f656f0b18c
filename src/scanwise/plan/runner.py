"""Runs a compiled plan: the context that threads share, their arenas, and the threads."""

from __future__ import annotations

import ctypes
import functools
import operator
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.codegen.target import Target
from scanwise.kernels.optimizer import StepRow
from scanwise.memory import require
from scanwise.plan.attended import Attended
from scanwise.plan.compiled import Compiled
from scanwise.plan.driver import Driver, Field
from scanwise.plan.graph import Graph
from scanwise.plan.parameters import ParameterLayout, aligned_zeros
from scanwise.plan.records import Base
from scanwise.plan.workers import run_together, yield_address

__all__ = ["Runner", "driver_function"]


class Runner:
    """A compiled plan with its memory, ready to run on any number of threads.

    Not safe for use from several threads at once: the caller holds a lock.
    """

    def __init__(
        self,
        graph: Graph,
        compiled: Compiled,
        layout: ParameterLayout,
        parameters: NDArray[np.float32],
        target: Target,
    ) -> None:
        self.graph = graph
        self.compiled = compiled
        self.parameters = parameters
        self.derived = aligned_zeros(compiled.derived_floats)
        self.constants = layout.constants
        self.version = -1  # of the parameters that `derived` was computed from
        self.target = target
        self.function = driver_function(Driver(), target)
        self._attended: Attended | None = None
        self._arenas: list[NDArray[np.float32]] = []
        self._bases: list[NDArray[np.int64]] = []
        self.context = np.zeros(Field.SIZE, np.int64)
        self.step_rows = np.zeros((1, StepRow.SIZE), np.float32)
        self.statistics = np.zeros((1, 2), np.float64)
        self._kept: dict[str, NDArray[np.generic]] = {}  # arrays that native pointers lead to
        c = self.context
        c[Field.RECORDS], c[Field.RECORD_COUNT] = _pointer(compiled.records), len(compiled.records)
        c[Field.DERIVED], c[Field.DERIVED_COUNT] = (
            _pointer(compiled.derived_records),
            len(compiled.derived_records),
        )
        c[Field.ZEROED], c[Field.ZEROED_COUNT] = _pointer(compiled.zeroed), len(compiled.zeroed)
        c[Field.MICRO] = compiled.samples
        c[Field.STEP_ROW_BYTES] = 4 * StepRow.SIZE
        c[Field.YIELD] = yield_address()
        self.set_step_rows(self.step_rows, self.statistics)

    def set_step_rows(self, rows: NDArray[np.float32], statistics: NDArray[np.float64]) -> None:
        self.step_rows, self.statistics = rows, statistics
        self.context[Field.STEP_ROWS], self.context[Field.STATISTICS] = _pointer(rows), _pointer(statistics)

    def set_data(self, base: Base, array: NDArray[np.generic]) -> None:
        """What samples, targets or cotangents are read from."""
        self._kept[base.name] = array
        address = _pointer(array)
        for bases in self._bases:
            bases[base] = address

    def set_updates(self, records: NDArray[np.int64]) -> None:
        """What a training step does when its loss is known to be finite."""
        self._updates = records
        self.context[Field.UPDATES], self.context[Field.UPDATE_COUNT] = _pointer(records), len(records)

    def set_order(self, order: NDArray[np.int64]) -> None:
        self._kept["order"] = order
        self.context[Field.ORDER] = _pointer(order)

    def set_output(self, output: NDArray[np.float32]) -> None:
        self._kept["output"] = output
        self.context[Field.OUTPUT] = _pointer(output)
        self.context[Field.OUTPUT_BYTES] = output[0].nbytes

    def let_go(self) -> None:
        """Forget the caller's arrays, which may be large; the next run is given its own."""
        self._kept.clear()

    def refresh(self, version: int) -> None:
        """Derive again if the parameters have changed since."""
        if self.version != version:
            self.derive()
            self.version = version

    def derive(self) -> None:
        """Compute what is derived from the parameters, on this thread. Training does so natively after each step."""
        if len(self.compiled.derived_records) == 0:
            return
        self.run_records(self.compiled.derived_records, 1)

    def run_records(
        self, records: NDArray[np.int64], samples: int, gradients: NDArray[np.float32] | None = None
    ) -> None:
        """Run other calls than the plan's, on this thread and the first arena; they add to `gradients`."""
        c = self.context
        saved = c.copy()
        c[Field.RECORDS], c[Field.RECORD_COUNT] = _pointer(records), len(records)
        c[Field.GRADIENT_FLOATS] = c[Field.ZEROED_COUNT] = c[Field.CHECKED] = 0
        if gradients is not None:
            c[Field.GRADIENTS] = _pointer(gradients)
        self.run_samples(samples, 1, 1)
        c[:] = saved

    def run_samples(self, samples: int, shards: int, threads: int) -> None:
        """One pass over `samples` samples in `shards` shards, without updates."""
        c = self.context
        c[Field.SAMPLES] = c[Field.BATCH] = samples
        c[Field.SHARDS] = shards
        c[Field.STEP], c[Field.STEP_END] = 0, 1
        c[Field.UPDATE_COUNT] = 0
        threads = min(threads, shards)
        standing = Attended.threads_for(samples * self.graph.cost, threads)
        if standing > 1:
            self._run_attended(standing)
        else:
            self.run(standing or threads)

    def _run_attended(self, threads: int) -> None:
        self._grow(threads)
        if self._attended is None or self._attended.threads != threads:
            driver = jit.address(Driver(), self.target)
            self._attended = Attended(driver, _pointer(self.context), self._bases[:threads])
        self.context[Field.NEXT_SHARD : Field.SIZE] = 0
        self._attended.run()

    def run(self, threads: int) -> None:
        """Let `threads` threads run what the context says. They are woken for it, and all of them come."""
        self._grow(threads)
        c = self.context
        c[Field.NEXT_SHARD : Field.SIZE] = 0
        address = _pointer(c)
        run_together(
            [
                functools.partial(self.function, address, _pointer(bases), thread)
                for thread, bases in enumerate(self._bases[:threads])
            ],
            functools.partial(operator.setitem, c, Field.THREADS),
        )

    def arena_of(self, thread: int) -> NDArray[np.float32]:
        """The memory of one thread's values and scratch."""
        self._grow(thread + 1)
        return self._arenas[thread]

    def bases_of(self, thread: int) -> NDArray[np.int64]:
        """The bases of one thread, its arena among them."""
        self._grow(thread + 1)
        return self._bases[thread]

    def _grow(self, threads: int) -> None:
        """Give every thread an arena of its own."""
        while len(self._arenas) < threads:
            missing = threads - len(self._arenas)
            require(
                4 * self.floats * missing, f"the values of all layers of a window, for {missing} more threads"
            )
            arena, bases = self.new_arena()
            for name, array in self._kept.items():
                if name in Base.__members__:
                    bases[Base[name]] = _pointer(array)
            self._arenas.append(arena)
            self._bases.append(bases)

    @property
    def floats(self) -> int:
        """Of an arena and the scratch behind it."""
        return self.compiled.arena_floats + self.compiled.scratch_floats

    def new_arena(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Memory for the values of all layers, and the bases with which calls find it and the parameters."""
        arena = aligned_zeros(self.floats)
        bases = np.zeros(len(Base), np.int64)
        bases[Base.ARENA] = _pointer(arena)
        bases[Base.SCRATCH] = _pointer(arena) + 4 * self.compiled.arena_floats
        bases[Base.PARAMETERS] = _pointer(self.parameters)
        bases[Base.DERIVED] = _pointer(self.derived)
        bases[Base.CONSTANTS] = _pointer(self.constants)
        return arena, bases


def _pointer(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


@functools.cache
def driver_function(driver: Driver, target: Target) -> Callable[[int, int, int], None]:
    """A compiled driver."""
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    return kind(jit.address(driver, target))
