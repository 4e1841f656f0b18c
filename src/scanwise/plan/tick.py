"""A network on a stream: how many columns of every value a tick adds, and how many it keeps for those that read them.

A tick is S samples, S being the network's stride. It adds S / s columns to a value whose columns are s samples apart,
and one output. Whoever reads the value needs some of the columns before those too: they are kept, and moved aside after
the tick (`kernels/shift`). So each value is a map of the columns that are kept and the new ones, of which an operation
sees the part that it reads or writes. The kernels are those of windows and scans, and so are the bits.

Ticks end where windows end. A window may end in columns that nobody reads (a pooling of 2 on 7 columns leaves one):
they are read in the next tick. That is a reader's lag.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

from scanwise.codegen.jit import Kernel
from scanwise.codegen.schedule import few_positions_tile
from scanwise.codegen.target import Target
from scanwise.kernels.correlation import Correlation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Maps, Operation
from scanwise.kernels.shift import Shift
from scanwise.kernels.transfer import Gather, Scatter
from scanwise.plan.compiled import Goal
from scanwise.plan.graph import Graph, Node
from scanwise.plan.parameters import ParameterLayout, Place
from scanwise.plan.program import Program
from scanwise.plan.records import Base

__all__ = ["Tick", "TickProgram"]

# Columns of one tick up to which a tile has all of them: with more, the usual tiles use each weight as often.
FEW = 4


@dataclass(frozen=True)
class Tick:
    """The operations of one tick.

    Attributes:
        graph: operations on what each of them reads; extents are those of the new columns.
        columns: of each value, kept and new.
        reads: for each node the columns of its first input that it reads, and how many come after these.
    """

    graph: Graph
    columns: list[int]
    reads: list[tuple[int, int]]

    @classmethod
    def of(cls, window: Graph, stride: int) -> Tick:
        """The tick of a network, from its operations on one window.

        Args:
            window: of a network on (C, T) that does not pad within the window.
            stride: of the network, in samples.
        """
        channels, height, _ = window.extents[0]
        graph = Graph([], [(channels, height, stride)], window.output)
        columns, reads = [stride], []
        for node in window.nodes:
            value = node.inputs[0]
            rows, extent = window.extents[value][1:]
            new = graph.extents[value][2]
            kernel, step = _reach(node.operation, rows, extent, new)
            lag = (extent - kernel) % step
            read = kernel + (new // step - 1) * step
            columns[value] = max(columns[value], read + lag)
            operation = node.operation.resized(rows, read)
            graph.nodes.append(replace(node, operation=operation))
            graph.extents.append(operation.output)
            columns.append(operation.output[2])
            reads.append((read, lag))
        return cls(graph, columns, reads)


def _reach(operation: Operation, rows: int, columns: int, new: int) -> tuple[int, int]:
    """(kernel, stride) of an operation along a row: the columns that one output reads, and those between two.

    Args:
        operation: it gives at least one output from `columns` columns.
        rows: of its input.
        columns: of its input.
        new: a multiple of the stride.
    """

    def outputs(width: int) -> int:
        return operation.resized(rows, width).output[2]

    one = range(1, columns)
    kernel = 1 + bisect_left(one, 1, key=outputs)
    two = range(kernel + 1, kernel + new)
    return kernel, 1 + bisect_left(two, 2, key=outputs)


class TickProgram(Program):
    """The calls of one tick: samples (C, S) into the first value, every operation, the output, and then the shifts."""

    def __init__(self, tick: Tick, layout: ParameterLayout) -> None:
        self.tick = tick
        self._reads = {node.output: read for node, read in zip(tick.graph.nodes, tick.reads, strict=True)}
        super().__init__(tick.graph, layout, "float32", Goal(), 1)

    def _value_map(self, value: int) -> FeatureMap:
        return replace(super()._value_map(value), width=self.tick.columns[value])

    def maps(self, node: Node, dy: FeatureMap | None = None, dx: FeatureMap | None = None) -> Maps:
        """What the node reads and writes of its values. A second input is read position by position."""
        first, *others = node.inputs
        other = self._new(others[0]) if others else None
        return Maps(self._part(first, *self._reads[node.output]), self._new(node.output), other)

    def _part(self, value: int, columns: int, after: int) -> FeatureMap:
        """The columns of a value's map that some others come after: those beside them are its border."""
        extent = self.values[value][0]
        return replace(extent, width=columns, border=(0, 0, extent.width - columns - after, after))

    def _new(self, value: int) -> FeatureMap:
        return self._part(value, self.graph.extents[value][2], 0)

    def scheduled(self, kernel: Kernel, target: Target) -> Kernel:
        """Where there are a few columns, weights are fetched once for all of them."""
        if isinstance(kernel, Correlation) and kernel.schedule is None and len(kernel.sweeps) == 1:
            columns = kernel.sweeps[0].columns
            if 1 < columns <= FEW:
                tile = few_positions_tile(target, kernel.lanes, kernel.blocks, columns)
                return replace(kernel, schedule=tile)
        return super().scheduled(kernel, target)

    def plan(self) -> None:
        self.emit(Gather(self.dtype, self._new(0)), Place(Base.SAMPLES), Place(Base.ORDER), self.values[0][1])
        self._plan_forward()
        output = self.graph.output
        self.emit(Scatter(self._new(output)), self.values[output][1], Place(Base.OUTPUT))
        for (extent, place), (_, _, new) in zip(self.values, self.graph.extents, strict=True):
            if extent.width > new:
                self.emit(Shift(extent, new), place, Place(Base.ARENA))
        self.close_stage()
