"""The largest answer of each label's channels, forward and backward (lecture 5.1, 7.2)."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.kernels.softmax import LOWEST
from scanwise.kernels.window import each_position, over_channels, pointer_at
from scanwise.layers import MaxByLabel, Shape

__all__ = ["MaxByLabelBackward", "MaxByLabelForward"]

# First channel and channel behind the last, of a label's channels that are neighbours.
Runs = tuple[tuple[int, int], ...]


def _runs(labels: tuple[int, ...]) -> list[Runs]:
    """For each label the runs of channels that have it."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(max(labels) + 1)]
    for label, group in itertools.groupby(range(len(labels)), key=lambda k: labels[k]):
        members = list(group)
        found[label].append((members[0], members[-1] + 1))
    return [tuple(runs) for runs in found]


def _first_maximum(e: Emitter, source: Value, runs: Runs) -> tuple[Value, Value]:
    """(largest, its channel) over runs of the channels that `source` points to; ties go to the first."""
    b = e.builder

    def channel(k: Index, best: Value, at: Value) -> list[Value]:
        value = e.load(source, k, 1)
        larger = b.fcmp_ordered(">", value, best)
        return [b.select(larger, value, best), b.select(larger, e.integer(k), at)]

    carried = [e.constant(LOWEST, 1), e.integer(runs[0][0])]
    for first, stop in runs:
        carried = e.loop(stop, channel, carried, start=first)
    return carried[0], carried[1]


# y_l = max over the k with labels[k] = l of x_k


@dataclass(frozen=True)
class MaxByLabelForward:
    """y = each label's largest channel, at every position. Arguments: x, y."""

    labels: tuple[int, ...]
    x: FeatureMap
    y: FeatureMap
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        runs = _runs(self.labels)

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, x, self.x, n, p, q)
            goal = pointer_at(e, y, self.y, n, p, q)
            for label, own in enumerate(runs):
                e.store(_first_maximum(e, source, own)[0], goal, label)

        each_position(e, self.y, position)


# Only the first maximum of a label influenced y_l: dL/dx_k = dL/dy_l there, 0 elsewhere


@dataclass(frozen=True)
class MaxByLabelBackward:
    """dx from dy. Arguments: x, dy, dx."""

    labels: tuple[int, ...]
    x: FeatureMap
    dy: FeatureMap
    dx: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, dy, dx = e.arguments
        lanes = self.dx.lanes
        runs = _runs(self.labels)

        def position(n: Index, p: Index, q: Index) -> None:
            source = pointer_at(e, x, self.x, n, p, q)
            errors = pointer_at(e, dy, self.dy, n, p, q)
            goal = pointer_at(e, dx, self.dx, n, p, q)
            over_channels(e, self.dx, lambda c, *_: e.store(e.constant(0.0, lanes), goal, c))
            for label, own in enumerate(runs):
                e.store(e.load(errors, label, 1), goal, _first_maximum(e, source, own)[1])

        each_position(e, self.dx, position)


@dataclass(frozen=True)
class MaxByLabelOperation(Operation):
    """`MaxByLabel` in a network.

    Attributes:
        labels: of each channel.
    """

    labels: tuple[int, ...]

    @property
    def output(self) -> Extent:
        return (max(self.labels) + 1, *self.extent[1:])

    def resized(self, rows: int, columns: int) -> "MaxByLabelOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(MaxByLabelForward(self.labels, maps.x, maps.y), ("x", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(MaxByLabelBackward(self.labels, maps.x, dy, dx), ("x", "dy", "dx")),)


@lower.register
def _(layer: MaxByLabel, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (MaxByLabelOperation(extent, layer.labels),)
