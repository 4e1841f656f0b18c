"""A graph on one sample, cut for several threads: stages of pieces that do not need each other.

A stage costs the time in which threads tell each other that it is over, so nodes are cut where that gains more than it
costs. Neighbouring nodes share a stage where each piece reads what the same piece has made: a convolution and the
pooling after it, say. Nodes that are not cut make a stage of one piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from scanwise.kernels.cut import CHANNELS, Cut
from scanwise.kernels.operation import Call, Maps
from scanwise.plan.graph import Graph, Node

__all__ = ["HANDOVER", "Piece", "best_cut", "stages"]

# What a stage costs, in multiply-adds: 0.3 us. (Measured: 0.2 us between two cores that share a cache.)
HANDOVER = 16_000
# What it costs to read a float that another thread has just made, in multiply-adds. (Measured: 5 ns for a cache line.)
FETCH = 16

# Calls with the number of the node that each belongs to.
Piece = list[tuple[int, Call]]


@dataclass(frozen=True)
class _Member:
    """A node in a stage, with the way it is cut."""

    index: int
    node: Node
    maps: Maps
    cut: Cut | None

    @property
    def work(self) -> int:
        return self.node.operation.work

    @property
    def cuts(self) -> list[Cut]:
        return [] if self.cut is None else [self.cut]


def stages(graph: Graph, maps_of: Callable[[Node], Maps], parts: int) -> list[list[Piece]]:
    """The forward passes of all nodes.

    Args:
        graph: the nodes.
        maps_of: the maps of a node.
        parts: most pieces of a stage. With one there is one stage of one piece.
    """
    groups: list[list[_Member]] = []
    for index, node in enumerate(graph.nodes):
        maps = maps_of(node)
        last = groups[-1] if groups else []
        cuts = node.operation.cuts(maps) if parts > 1 else ()
        alone = _Member(index, node, maps, best_cut(cuts, node.operation.work, maps.x.size, parts))
        joining = (replace(alone, cut=cut) for cut in cuts)
        joined = next((member for member in joining if _joins(last, member, alone, parts)), None)
        member = joined or alone
        if joined is not None or (member.cut is None and last and last[-1].cut is None):
            last.append(member)
        else:
            groups.append([member])
    return [_pieces(group, parts) for group in groups]


def _largest(points: Sequence[int]) -> float:
    """The largest piece's share of the whole."""
    return max(stop - first for first, stop in pairwise(points)) / points[-1]


def best_cut(cuts: Sequence[Cut], work: int, size: int, parts: int) -> Cut | None:
    """The cut with the shortest pieces, if any is worth its stage; a later one only if it gains as much as a stage.

    Args:
        cuts: the ways.
        work: multiply-adds of the whole.
        size: floats of the map that is read.
        parts: most pieces.
    """
    best, least = None, float(work)
    for cut in cuts:
        time = work * _largest(cut.points(parts))
        if cut.axis == CHANNELS:  # every piece reads all of x, most of which other threads have made
            time += FETCH * size * (1.0 - 1.0 / parts)
        if time + HANDOVER < least:
            best, least = cut, time
    return best


def _joins(group: list[_Member], member: _Member, alone: _Member, parts: int) -> bool:
    """Whether a node is better in the stage of the nodes before it than `alone`, in one of its own."""
    made = {before.node.output for before in group}
    if not group or made.intersection(member.node.inputs) != {group[-1].node.output}:
        return False
    if [cut.axis for cut in group[-1].cuts] != [cut.axis for cut in member.cuts]:
        return False
    return _time([*group, member], parts) <= _time(group, parts) + HANDOVER + _time([alone], parts)


def _time(group: list[_Member], parts: int) -> float:
    """What the largest piece of a stage takes, in multiply-adds; infinite where the nodes cannot share a stage."""
    cuts = [cut for member in group for cut in member.cuts]
    if not cuts:
        return sum(member.work for member in group)
    points = _points(cuts, parts)
    if points is None:
        return math.inf
    return sum(member.work * _largest(p) for member, p in zip(group, points, strict=True))


def _points(cuts: Sequence[Cut], parts: int) -> list[list[int]] | None:
    """Where the pieces of each cut begin and end, so that each reads what the same piece of the cut before has made.

    None where that cannot be.
    """
    found = [cuts[-1].points(parts)]
    for cut, reader in reversed(list(pairwise(cuts))):
        spans = [reader.reads(first, stop) for first, stop in pairwise(found[0])]
        points = [0, *(first for first, _ in spans[1:]), cut.count]
        grown = all(a < b for a, b in pairwise(points))
        made = all(stop <= end for (_, stop), end in zip(spans, points[1:], strict=True))
        if not grown or not made or any(point % cut.grain for point in points[:-1]):
            return None
        found.insert(0, points)
    return found


def _pieces(group: list[_Member], parts: int) -> list[Piece]:
    cuts = [cut for member in group for cut in member.cuts]
    if not cuts:
        return [[(m.index, call) for m in group for call in m.node.operation.forward(m.maps)]]
    points = _points(cuts, parts)
    assert points is not None
    return [
        [
            (member.index, call)
            for member, cut, places in zip(group, cuts, points, strict=True)
            for call in cut.calls(places[i], places[i + 1])
        ]
        for i in range(len(points[0]) - 1)
    ]
