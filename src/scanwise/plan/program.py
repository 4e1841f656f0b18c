"""A graph -> native calls over one arena: where every map lies, and in which order kernels run on it.

Every map has its own place, so borders and padding lanes are zeroed once, when the arena is made, and stay zero. The
arena holds a few samples only (DESIGN section 4, depth first), so that this costs little memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import choices, jit
from scanwise.codegen.target import Target
from scanwise.kernels.maps import FeatureMap, plain_map, round_up
from scanwise.kernels.operation import Call, Derived, Maps, Merge
from scanwise.kernels.transfer import Scatter
from scanwise.plan import pieces
from scanwise.plan.backward import Backward
from scanwise.plan.capacity import samples_for
from scanwise.plan.compiled import Compiled, Goal, records_of
from scanwise.plan.driver import STATISTICS, Driver
from scanwise.plan.graph import Graph, Node
from scanwise.plan.parameters import ParameterLayout, Place
from scanwise.plan.records import Base
from scanwise.plan.sample_steps import SampleStep, plan_samples

__all__ = ["compile_plan"]

_LINE = 16  # floats in a cache line
_NOWHERE = Place(Base.ARENA, 0)


Buffer = tuple[FeatureMap, Place]


def compile_plan(
    graph: Graph,
    layout: ParameterLayout,
    dtype: str,
    goal: Goal,
    target: Target,
    samples: int | None = None,
    parts: int = 1,
    steps: Sequence[SampleStep] = (),
) -> Compiled:
    """The native program for `graph`.

    Args:
        graph: operations.
        layout: where parameters lie.
        dtype: of the caller's samples.
        goal: which results are wanted.
        target: instruction set.
        samples: most samples that are ever run at once.
        parts: threads that run one sample together, with `samples` 1.
        steps: what happens to samples first.
    """
    first = Program(graph, layout, dtype, goal, 1, parts, steps)
    first.plan()
    fitting = samples_for(graph, first.arena_floats, samples)
    planner = first
    if fitting > 1:
        planner = Program(graph, layout, dtype, goal, fitting, steps=steps)
        planner.plan()
    return planner.compiled(target)


class Program:
    """The calls of a plan and the places of their arrays, in the making."""

    def __init__(
        self,
        graph: Graph,
        layout: ParameterLayout,
        dtype: str,
        goal: Goal,
        samples: int,
        parts: int = 1,
        steps: Sequence[SampleStep] = (),
    ) -> None:
        self.parts, self.steps = parts, steps
        self.kept: list[NDArray[Any]] = []  # arrays that calls point to
        self.graph, self.layout, self.dtype, self.goal, self.samples = graph, layout, dtype, goal, samples
        self.arena_floats = _LINE  # a line that "none" points to
        self.derived_floats = 0
        self.scratch_floats = 0
        self.calls: list[tuple[Call, list[Place]]] = []
        self.owners: list[str] = []
        self.stages: list[list[int]] = []  # for each piece the number of calls up to its end
        self.derived_calls: list[tuple[Call, list[Place]]] = []
        self.routes: dict[int, Place] = {}  # by number of node
        self.sums: dict[tuple[int, str], Place] = {}  # by number of node, and name
        self.assigned: list[tuple[int, int]] = []  # of a shard's gradients: first float, floats
        self.derived_places: dict[tuple[int, str], Place] = {}
        self.values: list[Buffer] = [self.reserve(self._value_map(v)) for v in range(len(graph.extents))]
        self.keys = self.floats(samples)
        self.targets = self.floats(samples * max(1, graph.extents[graph.output][0]))

    # --- memory ---------------------------------------------------------------------------------------------------

    def floats(self, count: int) -> Place:
        place = Place(Base.ARENA, self.arena_floats)
        # A spare line: a vector read of the last position may reach past the map.
        self.arena_floats += round_up(count, _LINE) + _LINE
        return place

    def reserve(self, extent: FeatureMap) -> Buffer:
        return extent, self.floats(extent.size * self.samples)

    def _value_map(self, value: int) -> FeatureMap:
        channels, rows, columns = self.graph.extents[value]
        found = plain_map(channels, rows, columns)
        if value == 0 and self.graph.input_pitch:
            found = FeatureMap(channels, rows, columns, self.graph.input_pitch)
        for node in self.graph.consumers(value):
            found = found.with_border(node.operation.border)
        return found

    # --- calls ----------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        plan_samples(self)
        self.close_stage()
        self._plan_forward()
        output = self.graph.output
        if not self.goal.backward:
            self.emit(Scatter(self.values[output][0]), self.values[output][1], Place(Base.OUTPUT))
            self.close_stage()
            return
        backward = Backward(self)
        backward.plan()
        if self.goal.input_gradient:
            extent, place = backward.gathered(0)
            self.emit(Scatter(extent), place, Place(Base.OUTPUT))
        self.close_stage()

    def _plan_forward(self) -> None:
        for node in self.graph.nodes:
            self._transform(node)
            self.reserve_scratch(node.operation.scratch(self.maps(node)))
        for stage in pieces.stages(self.graph, self.maps, self.parts):
            ends = []
            for piece in stage:
                for index, call in piece:
                    self.call(call, self.graph.nodes[index])
                ends.append(len(self.calls))
            self.add_stage(ends)

    def _transform(self, node: Node) -> None:
        """Derive what the forward pass of a node needs, once for all nodes that stand for its layer."""
        for each in (node, node.folded):
            if each is not None and (each.number, "transformed") not in self.derived_places:
                self.derive(each, "transformed", each.operation.transformed())

    def close_stage(self) -> None:
        """The calls since the last stage are one piece."""
        self.add_stage([len(self.calls)])

    def add_stage(self, ends: list[int], work: float = math.inf) -> None:
        """The calls since the last stage are pieces that may run at the same time, if that is worth it.

        Args:
            ends: the number of calls up to the end of each piece.
            work: multiply-adds that are saved if they do.
        """
        first = self.stages[-1][-1] if self.stages else 0
        ends = [end for before, end in pairwise([first, *ends]) if end > before]
        if self.parts == 1 or work < pieces.HANDOVER:
            ends = ends[-1:]
        if len(ends) == 1 and self.stages and len(self.stages[-1]) == 1:
            self.stages.pop()  # stages of one piece that follow each other are one
        if ends:
            self.stages.append(ends)

    def maps(self, node: Node, dy: FeatureMap | None = None, dx: FeatureMap | None = None) -> Maps:
        others = node.inputs[1:]
        return Maps(
            self.values[node.inputs[0]][0],
            self.values[node.output][0],
            self.values[others[0]][0] if others else None,
            dy,
            dx,
            self.samples,
        )

    def derive(self, node: Node, name: str, derived: Derived | None) -> None:
        """Give what an operation derives from its weights a place, and plan its calls."""
        if derived is None:
            return
        place = Place(Base.DERIVED, self.derived_floats)
        self.derived_floats += round_up(derived.size, _LINE)
        self.derived_places[node.number, name] = place
        self.reserve_scratch(derived.scratch)
        for merge in derived.merges:
            self.derived_calls.append((Call(merge.kernel(0), ()), self.places_of(merge.arguments, node)))
        for kernel, source, goal in derived.parts:
            weight = self.layout.places[node.number, "weight"]
            places = [Place(weight.base, weight.offset + source), Place(place.base, place.offset + goal)]
            places += [Place(Base.SCRATCH, 0)] * (kernel.pointers - 2)
            self.derived_calls.append((Call(kernel, ()), places))

    def reserve_scratch(self, floats: int) -> None:
        """Calls run one after another, so they share one scratch."""
        self.scratch_floats = max(self.scratch_floats, round_up(floats, _LINE))

    def call(self, call: Call, node: Node, dy: Place = _NOWHERE, dx: Place = _NOWHERE) -> None:
        places = self.places_of(call.arguments, node, dy, dx)
        if "turn" in call.arguments:
            for name, place in zip(call.arguments, places, strict=True):
                if name.startswith("d "):
                    (size,) = (p.size for p in node.operation.parameters() if p.name == name[2:])
                    self.assigned.append((place.offset, round_up(size, _LINE)))
        if call.offsets:
            places = [Place(p.base, p.offset + o) for p, o in zip(places, call.offsets, strict=True)]
        self.calls.append((call, places))
        self.owners.append(node.name)

    def places_of(
        self, arguments: Sequence[str], node: Node, dy: Place = _NOWHERE, dx: Place = _NOWHERE
    ) -> list[Place]:
        """Where a call of the node finds its arguments."""
        known = {"dy": dy, "dx": dx, "none": _NOWHERE, "keys": self.keys, "turn": Place(Base.TURN)}
        known["scratch"] = Place(Base.SCRATCH, 0)
        return [known[name] if name in known else self._place_of(name, node) for name in arguments]

    def _place_of(self, name: str, node: Node) -> Place:
        if name in ("x", "other"):
            extent, place = self.values[node.inputs[1 if name == "other" else 0]]
            passed = node.shift[0] * extent.row + node.shift[1] * extent.pitch
            return Place(place.base, place.offset + passed)
        if name == "y":
            return self.values[node.output][1]
        if name == "routes":
            return self.routes[node.number]
        if name in ("derived", "transformed"):
            return self.derived_places[node.number, name]
        if name == "folded":
            assert node.folded is not None
            return self.derived_places[node.folded.number, "transformed"]
        if name in ("sums", "gradient sums"):
            if (node.number, name) not in self.sums:
                self.sums[node.number, name] = self.floats(node.operation.sums)
            return self.sums[node.number, name]
        if name.startswith("d "):
            return Place(Base.GRADIENTS, self.layout.places[node.number, name[2:]].offset)
        return self.layout.places[node.number, name]

    def meet(self, node: Node, merges: Sequence[Merge]) -> None:
        """All shards come together here for some calls, if there are any: only in training (`phases`)."""
        assert not merges

    def emit(self, kernel: jit.Kernel, *places: Place) -> None:
        self.calls.append((Call(kernel, ()), list(places)))
        self.owners.append("")

    def _zeroed(self) -> NDArray[np.int64]:
        """What lies between the gradients that a shard's first calls assign, up to the statistics behind them all."""
        if not self.goal.backward:
            return np.zeros((0, 2), np.int64)
        end = self.layout.size + STATISTICS
        ranges, first = [], 0
        for start, floats in [*sorted(self.assigned), (end, 0)]:
            if start > first:
                ranges.append((first, start - first))
            first = start + floats
        return np.array(ranges, np.int64)

    def scheduled(self, kernel: jit.Kernel, target: Target) -> jit.Kernel:
        """The kernel with the schedule that the plan takes: the fastest one known."""
        return choices.chosen(kernel, target)

    def compiled(self, target: Target) -> Compiled:
        chosen = {call.kernel: self.scheduled(call.kernel, target) for call, _ in self.calls}
        calls = [(replace(call, kernel=chosen[call.kernel]), places) for call, places in self.calls]
        jit.addresses(
            [*(call.kernel for call, _ in [*calls, *self.derived_calls]), Driver()], target
        )  # all together is fastest
        return Compiled(
            records_of(calls, target),
            records_of(self.derived_calls, target),
            self.derived_floats,
            self.arena_floats,
            self.scratch_floats,
            self.samples,
            self._zeroed(),
            [call for call, _ in calls],
            self.owners,
            self.stages,
            self.kept,
        )
