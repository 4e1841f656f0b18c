"""A graph on a larger input, with outputs closer together than the network's stride: shifted fragments.

Where a layer of stride t reads a map, outputs at a finer step than its own are those of the same layer on the same map
from t origins. It is applied once from each, and all that comes after it to each of these fragments of its output; at
the end fragments are interlaced. (Giusti et al., Fast image scanning with deep max-pooling convolutional neural
networks, 2013; the "shift-and-stitch" of Long et al., Fully convolutional networks for semantic segmentation, 2015,
section 3.2.) What comes before a stride is computed once for all fragments behind it, so that no value is computed
twice.

All fragments of a value are equally large and only one of them is needed at a time: they share one place in memory, and
each kernel is compiled once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from scanwise.kernels.interlace import InterlaceOperation
from scanwise.plan.graph import Graph, Node

__all__ = ["Pair", "fragments", "strides"]

# Rows, columns.
Pair = tuple[int, int]


def strides(graph: Graph) -> list[Pair]:
    """Rows and columns of the input between neighbouring positions of every value."""
    found: list[Pair] = [(1, 1)] * len(graph.extents)
    for node in graph.nodes:
        (rows, columns), (sh, sw) = found[node.inputs[0]], node.operation.step
        found[node.output] = (rows * sh, columns * sw)
    return found


def fragments(graph: Graph, positions: Pair, step: Pair) -> Graph:
    """The graph on as large an input as it takes to give its output at more positions.

    Args:
        graph: on one window, without padding.
        positions: of the output along each axis, at least as many as of one window.
        step: rows and columns of the input from one to the next. It divides the output's stride.

    Returns:
        The larger graph. Its output may have more positions than wanted, behind the others.
    """
    return _Fragments(graph, positions, step).graph()


@dataclass
class _Level:
    """The nodes that lead to values of one stride."""

    stride: Pair
    wanted: tuple[Sequence[int], Sequence[int]]  # where fragments begin along each axis, in rows and columns
    nodes: list[Node] = field(default_factory=list)

    def children(self, level: _Level, origin: Pair) -> list[Pair]:
        """The fragments of a later level that are computed from one of this level."""
        return [
            (row, column)
            for row, column in product(*level.wanted)
            if (row % self.stride[0], column % self.stride[1]) == origin
        ]


class _Fragments:
    """The fragments of a graph, in the making."""

    def __init__(self, graph: Graph, positions: Pair, step: Pair) -> None:
        self.window, self.step = graph, step
        self.strides = strides(graph)
        stride = self.strides[graph.output]
        counts = [min(n, s // g) for n, s, g in zip(positions, stride, step, strict=True)]
        self.counts: Pair = (counts[0], counts[1])
        self.each = [-(-n // count) for n, count in zip(positions, counts, strict=True)]
        self.levels = self._levels()
        self.larger = Graph(extents=[self._input_extent(), *graph.extents[1:]], output=graph.output)

    def _levels(self) -> list[_Level]:
        found: dict[Pair, _Level] = {}
        for stride in [(1, 1), *(self.strides[node.output] for node in self.window.nodes)]:
            rows, columns = (
                sorted({place * g % s for place in range(count)})
                for count, g, s in zip(self.counts, self.step, stride, strict=True)
            )
            found.setdefault(stride, _Level(stride, (rows, columns)))
        for node in self.window.nodes:
            found[self.strides[node.output]].nodes.append(node)
        return sorted(found.values(), key=lambda level: math.prod(level.stride))

    def _input_extent(self) -> tuple[int, int, int]:
        """One window, room for the output's further positions, and for the largest shift of every level."""
        channels, *extents = self.window.extents[0]
        stride, positions = self.strides[self.window.output], self.window.extents[self.window.output][1:]
        for axis in (0, 1):
            extents[axis] += (self.each[axis] - positions[axis]) * stride[axis]
            for before, level in zip(self.levels, self.levels[1:], strict=False):
                own = before.stride[axis]
                extents[axis] += max(level.wanted[axis]) // own * own
        return channels, extents[0], extents[1]

    def graph(self) -> Graph:
        """The larger graph."""
        resized = {node.output: self._resized(node) for level in self.levels for node in level.nodes}
        ends = InterlaceOperation(self.larger.extents[self.window.output], self.counts, (0, 0))
        if self.counts != (1, 1):
            self.larger.extents.append(ends.output)
            self.larger.output = len(self.larger.extents) - 1
        self._visit(0, (0, 0), resized, ends)
        return self.larger

    def _resized(self, node: Node) -> Node:
        """The node on a map that is as large as the largest shift leaves of its input's."""
        (value, *_) = node.inputs
        level = next(level for level in self.levels if level.stride == self.strides[node.output])
        _, rows, columns = self.larger.extents[value]
        largest = [max(level.wanted[axis]) // self.strides[value][axis] for axis in (0, 1)]
        operation = node.operation.resized(rows - largest[0], columns - largest[1])
        self.larger.extents[node.output] = operation.output
        return replace(node, operation=operation)

    def _visit(self, depth: int, origin: Pair, resized: dict[int, Node], ends: InterlaceOperation) -> None:
        """The nodes of a level's fragment, then of all fragments that are computed from it."""
        level = self.levels[depth]
        for node in level.nodes:
            own = self.strides[node.inputs[0]]
            shift = (origin[0] // own[0], origin[1] // own[1])
            self.larger.nodes.append(replace(resized[node.output], shift=shift))
        if depth + 1 < len(self.levels):
            for child in level.children(self.levels[depth + 1], origin):
                self._visit(depth + 1, child, resized, ends)
        elif self.counts != (1, 1):
            place = (origin[0] // self.step[0], origin[1] // self.step[1])
            node = Node("interlace", replace(ends, place=place), (self.window.output,), self.larger.output)
            self.larger.nodes.append(node)
