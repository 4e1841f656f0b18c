"""Runs ticks (`tick`): for one stream or many, in one native call, each stream in memory of its own."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.codegen.target import Target
from scanwise.memory import require
from scanwise.plan.driver import Driver, Field
from scanwise.plan.graph import Graph
from scanwise.plan.parameters import ParameterLayout
from scanwise.plan.records import RECORD_WORDS, Base
from scanwise.plan.runner import Runner
from scanwise.plan.tick import Tick, TickProgram
from scanwise.plan.workers import run_together

__all__ = ["Columns", "Ticks", "Turn"]

# Multiply-adds from which threads are woken for a call: 200 us, where waking them takes 50.
LONG = 20_000_000


class Columns:
    """The columns that one stream keeps of every value, and the words with which the driver finds them.

    Attributes:
        runner: what they are for.
        version: of the parameters that they were computed with; -1 at first.
    """

    def __init__(self, runner: Runner) -> None:
        require(4 * runner.floats, "the values that a stream keeps")
        self.runner, self.version = runner, -1
        self.arena, self.bases = runner.new_arena()
        self.context = runner.context.copy()
        self.words = _pointer(self.context), _pointer(self.bases)

    def turn(self, samples: NDArray[np.float32], output: NDArray[np.float32]) -> Turn:
        """A turn on these columns."""
        return Turn(self, samples, output)


@dataclass(frozen=True)
class Turn:
    """Some ticks of one stream.

    Attributes:
        columns: of the stream.
        samples: `(ticks, C, S)`, C-contiguous.
        output: `(ticks, K)`, C-contiguous, which is written.
    """

    columns: Columns
    samples: NDArray[np.float32]
    output: NDArray[np.float32]


class Ticks:
    """A network that is evaluated tick by tick. Not safe for use from several threads at once.

    Args:
        window: its operations on one window.
        stride: of the network, the samples of a tick.
        layout: where parameters lie.
        parameters: their buffer.
        target: instruction set.

    Attributes:
        cost: multiply-adds that a tick takes, about.
    """

    def __init__(
        self,
        window: Graph,
        stride: int,
        layout: ParameterLayout,
        parameters: NDArray[np.float32],
        target: Target,
    ) -> None:
        tick = Tick.of(window, stride)
        program = TickProgram(tick, layout)
        program.plan()
        self.runner = Runner(tick.graph, program.compiled(target), layout, parameters, target)
        self.cost = tick.graph.cost
        c = self.runner.context
        c[Field.STEP_END] = c[Field.SHARDS] = c[Field.MICRO] = 1
        self._order = np.arange(64, dtype=np.int64)
        self._driver = jit.address(Driver(), target)

    def columns(self) -> Columns:
        """Memory for one more stream."""
        return Columns(self.runner)

    def run(self, turns: Sequence[Turn], threads: int) -> None:
        """Run the ticks of every turn, in order. No two are of the same stream."""
        longest = max((len(turn.samples) for turn in turns), default=0)
        if len(self._order) < longest:
            self._order = np.arange(2 * longest, dtype=np.int64)
        for turn in turns:
            self._prepare(turn)
        if len(turns) == 1:
            self.runner.function(*turns[0].columns.words, 0)
        elif turns:
            self._run_together(turns, threads)

    def _prepare(self, turn: Turn) -> None:
        c, ticks = turn.columns.context, len(turn.samples)
        c[Field.STEP] = c[Field.NEXT_SHARD] = 0
        c[Field.SAMPLES] = c[Field.BATCH] = ticks
        c[Field.ORDER] = _pointer(self._order)
        c[Field.OUTPUT], c[Field.OUTPUT_BYTES] = _pointer(turn.output), 4 * turn.output.shape[1]
        turn.columns.bases[Base.SAMPLES] = _pointer(turn.samples)
        turn.columns.version = self.runner.version

    def _run_together(self, turns: Sequence[Turn], threads: int) -> None:
        """The driver runs drivers: in a step without samples the turns are the updates, which threads take in turn."""
        records = np.zeros((len(turns), RECORD_WORDS), np.int64)
        records[:, :2] = self._driver, 2
        records[:, 2] = records[:, 4] = Base.ABSOLUTE
        records[:, [3, 5]] = [turn.columns.words for turn in turns]
        c = self.runner.context.copy()
        c[Field.NEXT_SHARD : Field.SIZE] = c[Field.STEP] = c[Field.SHARDS] = c[Field.DERIVED_COUNT] = 0
        c[Field.UPDATES], c[Field.UPDATE_COUNT] = _pointer(records), len(records)
        work = self.cost * sum(len(turn.samples) for turn in turns)
        threads = min(threads, len(turns)) if work >= LONG else 1
        bases = np.zeros((threads, len(Base)), np.int64)
        run_together(
            [
                functools.partial(self.runner.function, _pointer(c), _pointer(own), thread)
                for thread, own in enumerate(bases)
            ],
            functools.partial(operator.setitem, c, Field.THREADS),
        )


def _pointer(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)
