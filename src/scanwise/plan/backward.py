"""The backward pass of a plan: from the gradient of the network's output to those of its parameters and its input.

Values are gone through from the last to the first. A value that several operations read has as many contributions to
its gradient, which are summed when its producer's turn comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from scanwise.kernels.activation import Activation, ActivationBackward
from scanwise.kernels.container import Add, AddOperation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import NO_BORDER, Call, Maps
from scanwise.kernels.optimizer import StepRow
from scanwise.kernels.pad import PadForward
from scanwise.kernels.routes import Routed
from scanwise.kernels.transfer import Gather, GatherTargets
from scanwise.plan.graph import Node
from scanwise.plan.losses import loss_kernel
from scanwise.plan.parameters import Place
from scanwise.plan.pieces import best_cut
from scanwise.plan.records import Base

if TYPE_CHECKING:
    from scanwise.plan.program import Buffer, Program

__all__ = ["Backward"]


class Backward:
    """Adds the calls of the backward pass to a program that has those of the forward pass."""

    def __init__(self, program: Program) -> None:
        self.program, self.graph = program, program.graph
        # Gradients by value: the parts of the sum, and what its producer's backward pass reads.
        self.contributions: dict[int, list[Buffer]] = {}
        self.finished: dict[int, Buffer] = {}
        self.needs = self._needed()
        self._ends: list[int] = []  # of the stage that is being planned

    def plan(self) -> None:
        """Plan the calls of all nodes, the last node first."""
        self._start(self.graph.output)
        for node in reversed(self.graph.nodes):
            self._backward(node)

    def _gradient_map(self, value: int) -> FeatureMap:
        """The map of a value's gradient, with the border that its producer's backward pass reads."""
        plain = self._plain_gradient(value)
        producer = self.graph.producer(value)
        return plain.with_border(producer.operation.gradient_border()) if producer is not None else plain

    def _plain_gradient(self, value: int) -> FeatureMap:
        extent = self.program.values[value][0]
        return FeatureMap(extent.channels, extent.height, extent.width, extent.pitch)

    def _needed(self) -> list[bool]:
        """Whether a value's gradient leads to a parameter, or to the wanted dx."""
        needs = [self.program.goal.input_gradient] + [False] * (len(self.graph.extents) - 1)
        for node in self.graph.nodes:
            trained = any(p.trained for p in node.operation.parameters())
            needs[node.output] = trained or any(needs[i] for i in node.inputs)
        return needs

    def _start(self, output: int) -> None:
        """The gradient of the network's output: of a loss, or as the caller gives it."""
        gradient = self.program.reserve(self._plain_gradient(output))
        self.contributions[output] = [gradient]
        if self.program.goal.loss is None:
            self.program.emit(
                Gather("float32", gradient[0]), Place(Base.COTANGENT), Place(Base.ORDER), gradient[1]
            )
            return
        extent, place = self.program.values[output]
        width = 0 if self.program.goal.loss == "cross_entropy" else extent.channels
        self.program.emit(GatherTargets(width), Place(Base.TARGETS), Place(Base.ORDER), self.program.targets)
        statistics = Place(Base.GRADIENTS, self.program.layout.size)
        places = (place, self.program.targets, gradient[1], statistics, Place(Base.STEP_ROW, StepRow.SCALE))
        self.program.emit(loss_kernel(self.program.goal, extent, gradient[0]), *places)

    def _backward(self, node: Node) -> None:
        if not self.needs[node.output]:
            return
        routed = self._routed(node)
        if routed is not None:
            self._through_maxima(node, routed)
            if not self._needs_dense(node, routed):
                return
        dy, dy_place = self.gathered(node.output)
        self.program.close_stage()
        if routed is None:
            self._parameter_gradients(node, dy, dy_place)
        # Neither the gradients by parameters nor those by inputs need the other.
        self._ends = [len(self.program.calls)]
        self._backward_to_inputs(node, dy, dy_place)
        self.program.add_stage([*self._ends, len(self.program.calls)], node.operation.work)

    def _backward_to_inputs(self, node: Node, dy: FeatureMap, dy_place: Place) -> None:
        if isinstance(node.operation, AddOperation):
            for value in node.inputs:
                self.contributions.setdefault(value, []).append((dy, dy_place))
            return
        self._backward_to(node, dy, dy_place)
        for value in node.inputs[1:]:
            self._backward_to_other(node, value, dy, dy_place)

    # Where a max pooling alone reads a convolution's output, gradients may be summed over its windows.

    def _routed(self, node: Node) -> Routed | None:
        """How the node's gradients go through the max pooling that alone reads its output, if that is worth it."""
        readers = self.graph.consumers(node.output)
        pooling = readers[0].operation.maxima if len(readers) == 1 else None
        if pooling is None or node.output == self.graph.output:
            return None
        return node.operation.routed(self.program.maps(node, self.gathered(readers[0].output)[0]), pooling)

    def _needs_dense(self, node: Node, routed: Routed) -> bool:
        """Whether the gradient of the node's output is needed as a map all the same, for the node's input."""
        (value,) = node.inputs
        return self.needs[value] and not routed.input_gradient_pays(self._plain_gradient(value))

    def _through_maxima(self, node: Node, routed: Routed) -> None:
        (pooling,) = self.graph.consumers(node.output)
        _, dy = self.gathered(pooling.output)
        self.program.routes[node.number] = self.program.floats(routed.size)
        self.program.reserve_scratch(routed.scratch)
        for call in routed.calls():
            self.program.call(call, node, dy)
        (value,) = node.inputs
        if not self.needs[value] or self._needs_dense(node, routed):
            return
        dx, place = self.program.reserve(self._plain_gradient(value))
        self.program.derive(node, "derived", routed.derived(dx))
        for call in routed.input_calls(dx):
            self.program.call(call, node, dy, place)
        self.contributions.setdefault(value, []).append((dx, place))

    def _parameter_gradients(self, node: Node, dy: FeatureMap, dy_place: Place) -> None:
        maps = self.program.maps(node, dy)
        self.program.reserve_scratch(node.operation.scratch(maps))
        for call in node.operation.parameter_gradients(maps):
            self.program.call(call, node, dy_place)

    def _backward_to(self, node: Node, dy: FeatureMap, dy_place: Place) -> None:
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
        fused = function is None or node.operation.fuses_derivative(self.program.maps(node, dy, goal))
        direct = alone and fused and node.operation.writes_to(goal)
        self.program.meet(node, node.operation.backward_merges())
        dx, dx_place = self.program.reserve(goal if direct else self._plain_gradient(value))
        maps = self.program.maps(node, dy, dx)
        self.program.derive(node, "derived", node.operation.derived(maps))
        self.program.reserve_scratch(node.operation.scratch(maps))
        for piece in self._pieces(node, maps, function if direct else None):
            for call in piece:
                self.program.call(call, node, dy_place, dx_place)
            self._ends.append(len(self.program.calls))
        if direct:
            self.finished[value] = (dx, dx_place)
        else:
            self.contributions.setdefault(value, []).append((dx, dx_place))

    def _pieces(self, node: Node, maps: Maps, activation: Activation | None) -> Sequence[Sequence[Call]]:
        """The backward pass of a node, in pieces for several threads if that is worth it."""
        operation, parts = node.operation, self.program.parts
        cuts = operation.backward_cuts(maps, activation) if parts > 1 else ()
        cut = best_cut(cuts, operation.work, maps.gradients[0].size, parts)
        if cut is None:
            return [operation.backward(maps, activation)]
        return [cut.calls(first, stop) for first, stop in pairwise(cut.points(parts))]

    def _backward_to_other(self, node: Node, value: int, dy: FeatureMap, dy_place: Place) -> None:
        """The gradient of the value that the node reads beside the first."""
        if not self.needs[value]:
            return
        dx, dx_place = self.program.reserve(self._plain_gradient(value))
        for call in node.operation.backward_other(self.program.maps(node, dy, dx)):
            self.program.call(call, node, dy_place, dx_place)
        self.contributions.setdefault(value, []).append((dx, dx_place))

    def _function(self, value: int) -> Activation | None:
        """The activation that was fused into the value's producer."""
        producer = self.graph.producer(value)
        return producer.operation.activation if producer is not None else None

    def gathered(self, value: int) -> Buffer:
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
            summed = self.program.reserve(goal if last else self._plain_gradient(value))
            self.program.emit(Add(total[0], part[0], summed[0]), total[1], part[1], summed[1])
            total = summed
        if function is not None:
            finished = self.program.reserve(goal)
            saved, place = self.program.values[value]
            kernel = ActivationBackward(function, saved, total[0], goal)
            self.program.emit(kernel, place, total[1], finished[1])
            total = finished
        elif total[0] != goal and goal.border != NO_BORDER:
            finished = self.program.reserve(goal)
            self.program.emit(PadForward((0, 0), total[0], goal), total[1], finished[1])
            total = finished
        self.finished[value] = total
        return total
