"""Runs ticks (`tick`): for one stream or many, in one native call, each stream in memory of its own."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

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

__all__ = ["Columns", "Ticks"]

# Multiply-adds from which threads are woken for a call: 200 us, where waking them takes 50.
LONG = 20_000_000
_STEP, _NEXT_SHARD, _SAMPLES, _BATCH = map(int, (Field.STEP, Field.NEXT_SHARD, Field.SAMPLES, Field.BATCH))
# Ticks for whose samples and outputs a stream keeps room once they were needed.
_KEPT = 64


class Columns:
    """The columns that one stream keeps of every value, the ticks that are to be run next, and what they give.

    Python would take longer to look up addresses than a tick takes, so samples and outputs have places of their own.

    Attributes:
        runner: what it is for.
        version: of the parameters that the columns were computed with; -1 at first.
        ticks: how many are to be run.
        words: addresses of the driver's context and bases.
    """

    def __init__(self, runner: Runner) -> None:
        require(4 * runner.floats, "the values that a stream keeps")
        self.runner, self.version, self.ticks = runner, -1, 0
        self._arena, self._bases = runner.new_arena()
        self._context = runner.context.copy()
        self._fields = self._context.data  # NumPy takes twice as long to set an entry
        self.words = _pointer(self._context), _pointer(self._bases)
        self._make_room(1)

    def _make_room(self, ticks: int) -> None:
        graph = self.runner.graph
        channels, _, stride = graph.extents[0]
        self._samples = np.empty((ticks, channels, stride), np.float32)
        self._flat = self._samples.reshape(-1)
        self._output = np.empty((ticks, graph.extents[graph.output][0]), np.float32)
        self._order = np.arange(ticks, dtype=np.int64)
        self._bases[Base.SAMPLES] = _pointer(self._samples)
        self._context[[Field.ORDER, Field.OUTPUT]] = _pointer(self._order), _pointer(self._output)
        self._context[Field.OUTPUT_BYTES] = self._output.strides[0]

    def load(self, samples: NDArray[np.float32]) -> None:
        """Take the samples `(C, n)` of the next ticks."""
        channels, length = samples.shape
        stride, room = self._samples.shape[2], len(self._samples)
        self.ticks = ticks = length // stride
        if ticks > room or room > max(ticks, _KEPT):
            self._make_room(ticks)
        if channels == 1:
            self._flat[:length] = samples[0]
        else:
            self._samples[:ticks] = samples.reshape(channels, ticks, stride).transpose(1, 0, 2)
        words = self._fields
        words[_STEP] = words[_NEXT_SHARD] = 0
        words[_SAMPLES] = words[_BATCH] = ticks
        self.version = self.runner.version

    @property
    def output(self) -> NDArray[np.float32]:
        """`(ticks, K)`, which the next ticks write over."""
        return self._output[: self.ticks]


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
        self._driver = jit.address(Driver(), target)

    def columns(self) -> Columns:
        """Memory for one more stream."""
        return Columns(self.runner)

    def run(self, streams: Sequence[Columns], threads: int) -> None:
        """Run the ticks that each of them has loaded."""
        if len(streams) == 1:
            self.runner.function(*streams[0].words, 0)
        elif streams:
            self._run_together(streams, threads)

    def _run_together(self, streams: Sequence[Columns], threads: int) -> None:
        """The driver runs drivers: the streams are the updates of a step without samples, which threads share."""
        records = np.zeros((len(streams), RECORD_WORDS), np.int64)
        records[:, :2] = self._driver, 2
        records[:, 2] = records[:, 4] = Base.ABSOLUTE
        records[:, [3, 5]] = [columns.words for columns in streams]
        c = self.runner.context.copy()
        c[Field.NEXT_SHARD : Field.SIZE] = c[Field.STEP] = c[Field.SHARDS] = c[Field.DERIVED_COUNT] = 0
        c[Field.UPDATES], c[Field.UPDATE_COUNT] = _pointer(records), len(records)
        work = self.cost * sum(columns.ticks for columns in streams)
        threads = min(threads, len(streams)) if work >= LONG else 1
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
