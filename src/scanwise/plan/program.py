"""A graph -> native calls over one arena: where every map lies, and in which order kernels run on it.

Every map has its own place, so borders and padding lanes are zeroed once, when the arena is made, and stay zero. The
arena holds a few samples only (DESIGN section 4, depth first), so that this costs little memory.
"""

from __future__ import annotations

from dataclasses import replace

from scanwise.codegen import choices, jit
from scanwise.codegen.target import Target
from scanwise.kernels.activation import Activation, ActivationBackward
from scanwise.kernels.container import Add, AddOperation
from scanwise.kernels.dropout import DropoutOperation, SampleKeys
from scanwise.kernels.maps import FeatureMap, plain_map, round_up
from scanwise.kernels.operation import NO_BORDER, Call, Derived, Maps
from scanwise.kernels.optimizer import StepRow
from scanwise.kernels.pad import PadForward
from scanwise.kernels.routes import Routed
from scanwise.kernels.transfer import Gather, GatherTargets, Scatter
from scanwise.plan.capacity import samples_for
from scanwise.plan.compiled import Compiled, Goal, records_of
from scanwise.plan.driver import Driver
from scanwise.plan.graph import Graph, Node
from scanwise.plan.losses import loss_kernel
from scanwise.plan.parameters import ParameterLayout, Place
from scanwise.plan.pieces import stages
from scanwise.plan.records import Base

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
) -> Compiled:
    """The native program for `graph`.

    Args:
        graph: operations.
        layout: where parameters lie.
        dtype: of the caller's samples.
        goal: which results are wanted.
        target: instruction set.
        samples: most samples that are ever run at once.
        parts: threads that run one sample together; for inference, with `samples` 1.
    """
    first = _Planner(graph, layout, dtype, goal, 1, parts)
    first.plan()
    fitting = samples_for(graph, first.arena_floats, samples)
    planner = first
    if fitting > 1:
        planner = _Planner(graph, layout, dtype, goal, fitting)
        planner.plan()
    return planner.compiled(target)


class _Planner:
    def __init__(
        self,
        graph: Graph,
        layout: ParameterLayout,
        dtype: str,
        goal: Goal,
        samples: int,
        parts: int = 1,
    ) -> None:
        self.parts = parts
        self.graph, self.layout, self.dtype, self.goal, self.samples = graph, layout, dtype, goal, samples
        self.arena_floats = _LINE  # a line that "none" points to
        self.derived_floats = 0
        self.scratch_floats = 0
        self.calls: list[tuple[Call, list[Place]]] = []
        self.owners: list[str] = []
        self.stages: list[list[int]] = []  # for each piece the number of calls up to its end
        self.derived_calls: list[tuple[Call, list[Place]]] = []
        self.derived_places: dict[tuple[int, str], Place] = {}
        self.values: list[Buffer] = [self._reserve(self._value_map(v)) for v in range(len(graph.extents))]
        self.keys = self._floats(samples)
        self.targets = self._floats(samples * max(1, graph.extents[graph.output][0]))
        # Gradients by value: the parts of the sum, and what its producer's backward pass reads.
        self.contributions: dict[int, list[Buffer]] = {}
        self.finished: dict[int, Buffer] = {}
        self.needs = self._needed()

    # --- memory ---------------------------------------------------------------------------------------------------

    def _floats(self, count: int) -> Place:
        place = Place(Base.ARENA, self.arena_floats)
        # A spare line: a vector read of the last position may reach past the map.
        self.arena_floats += round_up(count, _LINE) + _LINE
        return place

    def _reserve(self, extent: FeatureMap) -> Buffer:
        return extent, self._floats(extent.size * self.samples)

    def _value_map(self, value: int) -> FeatureMap:
        channels, rows, columns = self.graph.extents[value]
        found = plain_map(channels, rows, columns)
        if value == 0 and self.graph.input_pitch:
            found = FeatureMap(channels, rows, columns, self.graph.input_pitch)
        for node in self.graph.consumers(value):
            found = found.with_border(node.operation.border)
        return found

    def _gradient_map(self, value: int) -> FeatureMap:
        """The map of a value's gradient, with the border that its producer's backward pass reads."""
        plain = self._plain_gradient(value)
        producer = self.graph.producer(value)
        return plain.with_border(producer.operation.gradient_border()) if producer is not None else plain

    def _plain_gradient(self, value: int) -> FeatureMap:
        extent = self.values[value][0]
        return FeatureMap(extent.channels, extent.height, extent.width, extent.pitch)

    def _needed(self) -> list[bool]:
        """Whether a value's gradient leads to a parameter, or to the wanted dx."""
        needs = [self.goal.input_gradient] + [False] * (len(self.graph.extents) - 1)
        for node in self.graph.nodes:
            trained = any(p.fixed is None for p in node.operation.parameters())
            needs[node.output] = trained or any(needs[i] for i in node.inputs)
        return needs

    # --- calls ----------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        self._emit(
            Gather(self.dtype, self.values[0][0]), Place(Base.SAMPLES), Place(Base.ORDER), self.values[0][1]
        )
        if any(isinstance(node.operation, DropoutOperation) for node in self.graph.nodes):
            self._emit(SampleKeys(), Place(Base.ORDER), Place(Base.STEP_ROW, StepRow.SEED), self.keys)
        self._close_stage()
        self._plan_forward()
        output = self.graph.output
        if not self.goal.backward:
            self._emit(Scatter(self.values[output][0]), self.values[output][1], Place(Base.OUTPUT))
            self._close_stage()
            return
        self._start_backward(output)
        for index in range(len(self.graph.nodes) - 1, -1, -1):
            self._backward(index, self.graph.nodes[index])
        if self.goal.input_gradient:
            extent, place = self._gathered(0)
            self._emit(Scatter(extent), place, Place(Base.OUTPUT))

    def _plan_forward(self) -> None:
        for index, node in enumerate(self.graph.nodes):
            self._derive(index, "transformed", node.operation.transformed())
            self._reserve_scratch(node.operation.scratch(self._maps(node)))
        for pieces in stages(self.graph, self._maps, self.parts):
            ends = []
            for piece in pieces:
                for index, call in piece:
                    self._call(call, index, self.graph.nodes[index])
                ends.append(len(self.calls))
            self._add_stage(ends)

    def _close_stage(self) -> None:
        """The calls since the last stage are one piece."""
        self._add_stage([len(self.calls)])

    def _add_stage(self, ends: list[int]) -> None:
        """Stages of one piece that follow each other are one."""
        if len(ends) == 1 and self.stages and len(self.stages[-1]) == 1:
            self.stages.pop()
        self.stages.append(ends)

    def _start_backward(self, output: int) -> None:
        """The gradient of the network's output: of a loss, or as the caller gives it."""
        gradient = self._reserve(self._plain_gradient(output))
        self.contributions[output] = [gradient]
        if self.goal.loss is None:
            self._emit(Gather("float32", gradient[0]), Place(Base.COTANGENT), Place(Base.ORDER), gradient[1])
            return
        extent, place = self.values[output]
        width = 0 if self.goal.loss == "cross_entropy" else extent.channels
        self._emit(GatherTargets(width), Place(Base.TARGETS), Place(Base.ORDER), self.targets)
        statistics = Place(Base.GRADIENTS, self.layout.size)
        places = (place, self.targets, gradient[1], statistics, Place(Base.STEP_ROW, StepRow.SCALE))
        self._emit(loss_kernel(self.goal, extent, gradient[0]), *places)

    def _maps(self, node: Node, dy: FeatureMap | None = None, dx: FeatureMap | None = None) -> Maps:
        others = node.inputs[1:]
        return Maps(
            self.values[node.inputs[0]][0],
            self.values[node.output][0],
            self.values[others[0]][0] if others else None,
            dy,
            dx,
            self.samples,
        )

    def _backward(self, index: int, node: Node) -> None:
        if not self.needs[node.output]:
            return
        routed = self._routed(node)
        if routed is not None:
            self._through_maxima(index, node, routed)
            if not self._needs_dense(node, routed):
                return
        dy, dy_place = self._gathered(node.output)
        if routed is None:
            self._parameter_gradients(index, node, dy, dy_place)
        if isinstance(node.operation, AddOperation):
            for value in node.inputs:
                self.contributions.setdefault(value, []).append((dy, dy_place))
            return
        self._backward_to(index, node, dy, dy_place)
        for value in node.inputs[1:]:
            self._backward_to_other(index, node, value, dy, dy_place)

    # Where a max pooling alone reads a convolution's output, gradients may be summed over its windows.

    def _routed(self, node: Node) -> Routed | None:
        """How the node's gradients go through the max pooling that alone reads its output, if that is worth it."""
        readers = self.graph.consumers(node.output)
        pooling = readers[0].operation.maxima if len(readers) == 1 else None
        if pooling is None or node.output == self.graph.output:
            return None
        return node.operation.routed(self._maps(node, self._gathered(readers[0].output)[0]), pooling)

    def _needs_dense(self, node: Node, routed: Routed) -> bool:
        """Whether the gradient of the node's output is needed as a map all the same, for the node's input."""
        (value,) = node.inputs
        return self.needs[value] and not routed.input_gradient_pays(self._plain_gradient(value))

    def _through_maxima(self, index: int, node: Node, routed: Routed) -> None:
        (pooling,) = self.graph.consumers(node.output)
        _, dy = self._gathered(pooling.output)
        self._reserve_scratch(routed.scratch)
        for call in routed.calls():
            self._call(call, index, node, dy)
        (value,) = node.inputs
        if not self.needs[value] or self._needs_dense(node, routed):
            return
        dx, place = self._reserve(self._plain_gradient(value))
        self._derive(index, "derived", routed.derived(dx))
        for call in routed.input_calls(dx):
            self._call(call, index, node, dy, place)
        self.contributions.setdefault(value, []).append((dx, place))

    def _parameter_gradients(self, index: int, node: Node, dy: FeatureMap, dy_place: Place) -> None:
        maps = self._maps(node, dy)
        self._reserve_scratch(node.operation.scratch(maps))
        for call in node.operation.parameter_gradients(maps):
            self._call(call, index, node, dy_place)

    def _backward_to(self, index: int, node: Node, dy: FeatureMap, dy_place: Place) -> None:
        """The gradient of the value that the node reads first."""
        value = node.inputs[0]
        if not self.needs[value]:
            return
        producer = self.graph.producer(value)
        routed = self._routed(producer) if producer is not None else None
        if producer is not None and routed is not None and not self._needs_dense(producer, routed):
            return
        goal = self._gradient_map(value)
        function = self._function(value)
        alone = len(self.graph.consumers(value)) == 1
        fused = function is None or node.operation.fuses_derivative(self._maps(node, dy, goal))
        direct = alone and fused and node.operation.writes_to(goal)
        dx, dx_place = self._reserve(goal if direct else self._plain_gradient(value))
        maps = self._maps(node, dy, dx)
        self._derive(index, "derived", node.operation.derived(maps))
        self._reserve_scratch(node.operation.scratch(maps))
        for call in node.operation.backward(maps, function if direct else None):
            self._call(call, index, node, dy_place, dx_place)
        if direct:
            self.finished[value] = (dx, dx_place)
        else:
            self.contributions.setdefault(value, []).append((dx, dx_place))

    def _backward_to_other(self, index: int, node: Node, value: int, dy: FeatureMap, dy_place: Place) -> None:
        """The gradient of the value that the node reads beside the first."""
        if not self.needs[value]:
            return
        dx, dx_place = self._reserve(self._plain_gradient(value))
        for call in node.operation.backward_other(self._maps(node, dy, dx)):
            self._call(call, index, node, dy_place, dx_place)
        self.contributions.setdefault(value, []).append((dx, dx_place))

    def _function(self, value: int) -> Activation | None:
        """The activation that was fused into the value's producer."""
        producer = self.graph.producer(value)
        return producer.operation.activation if producer is not None else None

    def _gathered(self, value: int) -> Buffer:
        """The gradient of what the value's producer computes before its fused activation: all contributions summed,
        times the activation's derivative, in a map with the border that the producer reads.
        """
        if value in self.finished:
            return self.finished[value]
        parts = self.contributions[value]
        total = parts[0]
        function, goal = self._function(value), self._gradient_map(value)
        for i, part in enumerate(parts[1:], 2):
            last = i == len(parts) and function is None
            summed = self._reserve(goal if last else self._plain_gradient(value))
            self._emit(Add(total[0], part[0], summed[0]), total[1], part[1], summed[1])
            total = summed
        if function is not None:
            finished = self._reserve(goal)
            saved, place = self.values[value]
            kernel = ActivationBackward(function, saved, total[0], goal)
            self._emit(kernel, place, total[1], finished[1])
            total = finished
        elif total[0] != goal and goal.border != NO_BORDER:
            finished = self._reserve(goal)
            self._emit(PadForward((0, 0), total[0], goal), total[1], finished[1])
            total = finished
        self.finished[value] = total
        return total

    def _derive(self, index: int, name: str, derived: Derived | None) -> None:
        """Give what an operation derives from its weights a place, and plan its calls."""
        if derived is None:
            return
        place = Place(Base.DERIVED, self.derived_floats)
        self.derived_floats += round_up(derived.size, _LINE)
        self.derived_places[index, name] = place
        self._reserve_scratch(derived.scratch)
        weight = self.layout.places[index, "weight"]
        for kernel, source, goal in derived.parts:
            places = [Place(weight.base, weight.offset + source), Place(place.base, place.offset + goal)]
            places += [Place(Base.SCRATCH, 0)] * (kernel.pointers - 2)
            self.derived_calls.append((Call(kernel, ()), places))

    def _reserve_scratch(self, floats: int) -> None:
        """Calls run one after another, so they share one scratch."""
        self.scratch_floats = max(self.scratch_floats, round_up(floats, _LINE))

    def _call(self, call: Call, index: int, node: Node, dy: Place = _NOWHERE, dx: Place = _NOWHERE) -> None:
        places = []
        for name in call.arguments:
            if name in ("x", "other"):
                places.append(self.values[node.inputs[1 if name == "other" else 0]][1])
            elif name == "y":
                places.append(self.values[node.output][1])
            elif name in ("dy", "dx", "none", "keys"):
                places.append({"dy": dy, "dx": dx, "none": _NOWHERE, "keys": self.keys}[name])
            elif name == "scratch":
                places.append(Place(Base.SCRATCH, 0))
            elif name in ("derived", "transformed"):
                places.append(self.derived_places[index, name])
            elif name.startswith("d "):
                places.append(Place(Base.GRADIENTS, self.layout.places[index, name[2:]].offset))
            else:
                places.append(self.layout.places[index, name])
        if call.offsets:
            places = [Place(p.base, p.offset + o) for p, o in zip(places, call.offsets, strict=True)]
        self.calls.append((call, places))
        self.owners.append(node.name)

    def _emit(self, kernel: jit.Kernel, *places: Place) -> None:
        self.calls.append((Call(kernel, ()), list(places)))
        self.owners.append("")

    def compiled(self, target: Target) -> Compiled:
        calls = [
            (replace(call, kernel=choices.chosen(call.kernel, target)), places) for call, places in self.calls
        ]
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
            [call for call, _ in calls],
            self.owners,
            self.stages,
        )
