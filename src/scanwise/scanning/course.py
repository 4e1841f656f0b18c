"""Which windows of a stream are due, and the two ways to their scores.

- `TickCourse`: the network takes a stride of samples at a time (`plan/tick`), so that each sample costs the new columns
  of every layer and nothing twice.
- `WindowCourse`: every window is cut out of the last samples and run by itself.

Either can begin anywhere: all that a score depends on is the samples of its window. So a stream's state is its last
samples, and what has been computed from them is computed again where it is missing or out of date.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from scanwise import shapes
from scanwise.model import Model
from scanwise.scanning.evaluators import WindowEvaluator
from scanwise.scanning.grid import Axis
from scanwise.scanning.past import Past
from scanwise.scanning.sharing import obstacle

if TYPE_CHECKING:
    from scanwise.plan.executor import NativeExecutor
    from scanwise.plan.ticks import Columns, Ticks

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Windows:
    """The windows of a stream: they start at 0, step, 2 step, ...

    Attributes:
        window: extent of a window, in samples.
        step: between the starts of neighbouring windows.
        stride: the network's own.
    """

    window: int
    step: int
    stride: int

    def within(self, samples: int) -> int:
        """How many windows lie in so many samples."""
        return max(0, (samples - self.window) // self.step + 1)

    def end(self, number: int) -> int:
        """Where a window ends, exclusive."""
        return number * self.step + self.window

    @property
    def kept(self) -> int:
        """Samples from which every score to come can be computed: a window, and up to a tick before and behind it."""
        return self.window + 2 * self.stride


class Course(Protocol):
    """Gives the scores of one stream."""

    def due(self, before: Past, after: Past) -> Sequence[Columns]:
        """What has to be run for the windows that end between two moments of a stream."""
        ...

    def scores(self, before: Past, after: Past) -> Scores:
        """Their scores `(K, n)`, once that has been run."""
        ...


@dataclass(frozen=True)
class Plan:
    """How the streams of a model are evaluated.

    Attributes:
        model: the model.
        windows: of every stream.
        obstacle: why columns are not shared, or None if they are.
    """

    model: Model
    windows: Windows
    obstacle: str | None

    @classmethod
    def of(cls, model: Model, step: int) -> Plan:
        """The quickest way; each has the same bits."""
        (stride,) = shapes.receptive_field(model.network, model.input_shape)[1]
        windows = Windows(model.input_shape[1], step, stride)
        found = obstacle(model.network, model.input_shape)
        reason = None if found is None else str(found)
        if model.backend != "native":
            reason = f"backend {model.backend!r} runs every window by itself"
        # A tick costs about stride / window of a window, and for each window there are step / gcd(step, stride).
        elif reason is None and step // math.gcd(step, stride) > windows.window / stride:
            reason = "the windows overlap too little to share work"
        return cls(model, windows, reason)

    def course(self) -> Course:
        """For one more stream."""
        return TickCourse(self) if self.obstacle is None else WindowCourse(self)

    @property
    def native(self) -> NativeExecutor:
        """What runs ticks; only where there is no obstacle."""
        return cast("NativeExecutor", self.model.executor)


class WindowCourse:
    """Cuts windows out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def due(self, before: Past, after: Past) -> Sequence[Columns]:
        """Nothing."""
        return ()

    def scores(self, before: Past, after: Past) -> Scores:
        """Runs the windows."""
        windows, model = self._plan.windows, self._plan.model
        first, stop = windows.within(before.position), windows.within(after.position)
        if first == stop:
            return np.empty((model.output_shape[0], 0), np.float32)
        samples = after.part(first * windows.step, (stop - 1) * windows.step + windows.window)
        axis = Axis(samples.shape[1], windows.window, windows.step, windows.stride)
        scores = WindowEvaluator(model.executor, (axis,), "")([samples])
        assert scores is not None  # they have been looked at
        found: Scores = scores[0]
        return found


class TickCourse:
    """Feeds ticks to the network, once for each of the places within its stride at which windows start.

    With g = gcd(step, stride) these are stride / g phases, which share nothing: a step that is a multiple of the stride
    is one phase, and every step/stride-th of its outputs is wanted.
    """

    def __init__(self, plan: Plan) -> None:
        step, stride = plan.windows.step, plan.windows.stride
        self._plan = plan
        self._labels = plan.model.output_shape[0]
        self._phases = [_Phase(plan, first) for first in range(stride // math.gcd(step, stride))]

    def due(self, before: Past, after: Past) -> Sequence[Columns]:
        """The ticks that have become full."""
        ticks = self._plan.native.ticks()
        found = []
        for phase in self._phases:
            columns = phase.due(ticks, before, after)
            if columns is not None:
                found.append(columns)
        return found

    def scores(self, before: Past, after: Past) -> Scores:
        """The outputs of these ticks that are of windows which end in between."""
        windows = self._plan.windows
        first, stop = windows.within(before.position), windows.within(after.position)
        scores = np.empty((self._labels, stop - first), np.float32)
        for phase in self._phases:
            phase.take(scores, first)
        return scores


class _Phase:
    """Ticks that end where windows end: number `first` and every `groups`-th after it, each `every` ticks later."""

    def __init__(self, plan: Plan, first: int) -> None:
        windows = plan.windows
        g = math.gcd(windows.step, windows.stride)
        self._plan, self._first = plan, first
        self._groups, self._every = windows.stride // g, windows.step // g
        # Ticks before the first window's are of no use.
        self._earliest = first * windows.step - (windows.stride - windows.window) % windows.stride
        self._columns: Columns | None = None
        self._next: int | None = None  # where the next tick starts, unless a call is on its way
        self._start = 0  # of the first of the ticks that are run

    def due(self, ticks: Ticks, before: Past, after: Past) -> Columns | None:
        """The ticks that have become full since a moment, and those before it that are not known."""
        stride, columns = self._plan.windows.stride, self._columns
        start = max(self._earliest, before.position - (before.position - self._earliest) % stride)
        if columns is None or columns.runner is not ticks.runner:
            columns = self._columns = ticks.columns()
        if self._next != start or columns.version != ticks.runner.version:
            start = self._begin(start)
        count = max(0, after.position - start) // stride
        self._start, self._next = start, None if count else start
        if count == 0:
            return None
        columns.load(after.part(start, start + count * stride))
        return columns

    def _begin(self, start: int) -> int:
        """Where to start for the columns that the tick at `start` needs: what is computed before is not looked at."""
        windows = self._plan.windows
        before = max(0, windows.window - windows.stride)
        return max(self._earliest, start - -(-before // windows.stride) * windows.stride)

    def take(self, scores: Scores, first: int) -> None:
        """Put the outputs where they belong in scores `(K, n)` of the windows from number `first` on."""
        if self._next is not None or self._columns is None:
            return
        windows, outputs = self._plan.windows, self._columns.output
        number = max(self._first, first + (self._first - first) % self._groups)
        if number - first < scores.shape[1]:
            tick = (windows.end(number) - self._start) // windows.stride - 1
            scores[:, number - first :: self._groups] = outputs[tick :: self._every].T
        self._next = self._start + self._columns.ticks * windows.stride
