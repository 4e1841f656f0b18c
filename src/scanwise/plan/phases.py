"""Training steps in phases, for networks in which a batch's samples come together: batch normalisation.

The calls of a step are cut where statistics of the whole batch are needed. In each phase every shard runs its calls up
to there; then the last thread to arrive runs the merges, which read all shards' sums, and the next phase begins. So
that a shard finds its values again, each has an arena of its own for all of its samples: memory grows with the batch,
as it does not where networks are trained depth first (docs/decisions/0030).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.codegen.target import Target
from scanwise.kernels.operation import Call, Merge
from scanwise.memory import require
from scanwise.plan.compiled import Compiled, Goal, records_of
from scanwise.plan.driver import Driver, Field, StepWriter
from scanwise.plan.graph import Graph, Node
from scanwise.plan.parameters import ParameterLayout, Place, aligned_zeros
from scanwise.plan.program import Program
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner, driver_function
from scanwise.plan.sample_steps import SampleStep

__all__ = ["Phases", "PhasedDriver", "PhasedRunner", "compile_phases"]

_PHASE_WORDS = 4  # first call, end of the calls, first merge, end of the merges


@dataclass(frozen=True)
class Phases:
    """A compiled plan in phases.

    Attributes:
        compiled: its calls.
        merges: records of all merges.
        commits: records of what else changes with the parameters.
        table: for each phase (first call, end of its calls, first merge, end of its merges).
    """

    compiled: Compiled
    merges: NDArray[np.int64]
    commits: NDArray[np.int64]
    table: NDArray[np.int64]


class _PhasedProgram(Program):
    """A plan whose calls are cut where all shards meet."""

    def __init__(
        self,
        graph: Graph,
        layout: ParameterLayout,
        dtype: str,
        goal: Goal,
        samples: int,
        steps: Sequence[SampleStep],
    ) -> None:
        super().__init__(graph, layout, dtype, goal, samples, steps=steps)
        self.merges: list[tuple[Merge, list[Place]]] = []
        self.commits: list[tuple[Call, list[Place]]] = []
        self.ends: list[tuple[int, int]] = []  # numbers of calls and of merges up to the end of each phase

    def _plan_forward(self) -> None:
        for node in self.graph.nodes:
            self._transform(node)
            maps = self.maps(node)
            self.reserve_scratch(node.operation.scratch(maps))
            merges = node.operation.merges()
            if merges:
                for call in node.operation.before_merges(maps):
                    self.call(call, node)
                self.meet(node, merges)
            for commit in node.operation.commits():
                self.commits.append((Call(commit.kernel(0), ()), self.places_of(commit.arguments, node)))
            for call in node.operation.forward(maps):
                self.call(call, node)
        self.close_stage()

    def meet(self, node: Node, merges: Sequence[Merge]) -> None:
        if not merges:
            return
        self.merges += [(merge, self.places_of(merge.arguments, node)) for merge in merges]
        self.ends.append((len(self.calls), len(self.merges)))

    def phases(self, target: Target) -> Phases:
        """Compile. The sums of two shards are an arena apart."""
        compiled = self.compiled(target)
        merges = [(Call(merge.kernel(self.arena_floats), ()), places) for merge, places in self.merges]
        ends = [*self.ends, (len(self.calls), len(self.merges))]
        starts = [(0, 0), *ends[:-1]]
        table = [
            (call, end, merge, merged) for (call, merge), (end, merged) in zip(starts, ends, strict=True)
        ]
        return Phases(
            compiled,
            records_of(merges, target),
            records_of(self.commits, target),
            np.array(table, np.int64),
        )


def compile_phases(
    graph: Graph,
    layout: ParameterLayout,
    dtype: str,
    goal: Goal,
    target: Target,
    samples: int,
    steps: Sequence[SampleStep] = (),
) -> Phases:
    """The native program of a training step.

    Args:
        graph: operations.
        layout: where parameters lie.
        dtype: of the caller's samples.
        goal: which results are wanted.
        target: instruction set.
        samples: most samples of a shard.
        steps: what happens to samples first.
    """
    program = _PhasedProgram(graph, layout, dtype, goal, samples, steps)
    program.plan()
    return program.phases(target)


@dataclass(frozen=True)
class PhasedDriver(Driver):
    """The driver for steps in phases. Arguments as of `Driver`."""

    def emit(self, e: Emitter) -> None:
        _PhaseWriter(e).emit()


class _PhaseWriter(StepWriter):
    def _shards(self, step: Value) -> None:
        """All phases but for the barrier after the last, which has no merges and which every step has."""
        b, e = self.b, self.e
        before_last = b.sub(self.get(Field.PHASE_COUNT), e.integer(1))

        def phase(i: Index) -> None:
            self._phase(step, i)
            self._barrier(lambda: self._merge(i))

        e.loop(before_last, phase)
        self._phase(step, before_last)

    def _row(self, phase: Index, column: int) -> Value:
        table = self.pointer(self.get(Field.PHASES))
        return self.read(table, self.e.affine((phase, _PHASE_WORDS), (column, 1)))

    def _phase(self, step: Value, phase: Index) -> None:
        """The calls of one phase, for every shard. A shard without samples runs them too, and adds nothing."""
        b, e = self.b, self.e
        first, count = self._samples_of_step(step)
        starting = b.icmp_signed("==", e.integer(phase), e.integer(0))

        def shard(s: Value) -> None:
            low, high, gradients = self._shard(s, count)
            arena = b.mul(s, self.get(Field.ARENA_BYTES))
            self.set_base(Base.ARENA, b.add(self.get(Field.ARENAS), arena))
            with b.if_then(starting):
                target, ranges = self.pointer(gradients), self.get(Field.ZEROED)
                e.loop(self.get(Field.ZEROED_COUNT), lambda i: self._zero_range(target, ranges, i))
            self.set_base(Base.TURN, e.integer(0))
            order = b.mul(b.add(first, low), e.integer(8))
            self.set_base(Base.ORDER, b.add(self.get(Field.ORDER), order))
            records, n = self.get(Field.RECORDS), b.sub(high, low)
            e.loop(
                self._row(phase, 1),
                lambda i: self.call(records, i, self.bases, n),
                start=self._row(phase, 0),
            )

        self._claim(Field.NEXT_SHARD, self.get(Field.SHARDS), shard)

    def _merge(self, phase: Index) -> None:
        """The merges after a phase, in order, on this thread alone."""
        self.set_base(Base.ARENA, self.get(Field.ARENAS))
        merges, shards = self.get(Field.MERGES), self.get(Field.SHARDS)
        self.e.loop(
            self._row(phase, 3),
            lambda i: self.call(merges, i, self.bases, shards),
            start=self._row(phase, 2),
        )


class PhasedRunner(Runner):
    """A plan in phases with its memory: an arena for each shard, and scratch for each thread.

    Args:
        graph, layout, parameters, target: as of `Runner`.
        phases: the plan.
        shards: of a step.
    """

    def __init__(
        self,
        graph: Graph,
        phases: Phases,
        layout: ParameterLayout,
        parameters: NDArray[np.float32],
        target: Target,
        shards: int,
    ) -> None:
        super().__init__(graph, phases.compiled, layout, parameters, target)
        floats = phases.compiled.arena_floats
        require(4 * floats * shards, "the values of all layers of a batch, which BatchNorm needs at once")
        self._phases = phases
        self._shard_arenas = aligned_zeros(floats * shards)
        self._plain, self._phased = self.function, driver_function(PhasedDriver(), target)
        self.function = self._phased
        c = self.context
        c[Field.ARENAS], c[Field.ARENA_BYTES] = self._shard_arenas.ctypes.data, 4 * floats
        c[Field.PHASES], c[Field.PHASE_COUNT] = phases.table.ctypes.data, len(phases.table)
        c[Field.MERGES] = phases.merges.ctypes.data

    def run_records(
        self, records: NDArray[np.int64], samples: int, gradients: NDArray[np.float32] | None = None
    ) -> None:
        """Run other calls than the plan's, on this thread and the first shard's arena."""
        self.function = self._plain
        try:
            super().run_records(records, samples, gradients)
        finally:
            self.function = self._phased

    def set_updates(self, records: NDArray[np.int64]) -> None:
        """The optimizer's, and with them what becomes of running statistics."""
        super().set_updates(np.concatenate([records, self._phases.commits]))

    @property
    def floats(self) -> int:
        """Of a thread's scratch."""
        return self.compiled.scratch_floats

    def new_arena(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """A thread's scratch, and the bases with which calls find it, the parameters and the first shard's arena."""
        scratch, bases = super().new_arena()
        bases[Base.SCRATCH] = scratch.ctypes.data
        bases[Base.ARENA] = self._shard_arenas.ctypes.data
        return scratch, bases
