"""A graph on one sample, cut for several threads: stages of pieces that do not need each other.

A stage costs the time in which threads tell each other that it is over, so nodes are cut where that gains more than it
costs. Neighbouring nodes share a stage where each piece reads what the same piece has made: a convolution and the
pooling after it, say. Nodes that are not cut make a stage of one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scanwise.kernels.cut import CHANNELS, Cut
from scanwise.kernels.operation import Call, Maps
from scanwise.plan.graph import Graph, Node

__all__ = ["Piece", "stages"]

# What a stage costs, in multiply-adds: 0.3 us. (Measured: 0.25 us between two cores that share a cache.)
HANDOVER = 16_000

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
        cuts = node.operation.cuts(maps) if parts > 1 else ()
        last = groups[-1] if groups else []
        joined = next((cut for cut in cuts if _joins(last, node, cut, cuts, parts)), None)
        member = _Member(index, node, maps, joined or _best(cuts, node.operation.work, parts))
        if joined is not None or (member.cut is None and last and last[-1].cut is None):
            last.append(member)
        else:
            groups.append([member])
    return [_pieces(group, parts) for group in groups]


def _largest(points: Sequence[int]) -> float:
    """The largest piece's share of the whole."""
    return max(stop - first for first, stop in pairwise(points)) / points[-1]


def _best(cuts: Sequence[Cut], work: int, parts: int) -> Cut | None:
    """The cut into the most equal pieces, if any is worth its stage."""
    best = min(cuts, key=lambda cut: _largest(cut.points(parts)), default=None)
    if best is None or work * (1.0 - _largest(best.points(parts))) < HANDOVER:
        return None
    return best


def _joins(group: list[_Member], node: Node, cut: Cut, cuts: Sequence[Cut], parts: int) -> bool:
    """Whether the node, cut in this way, is better in the stage of the nodes before it than in one of its own."""
    own = [member.cut for member in group if member.cut is not None]
    made = {member.node.output for member in group}
    if not own or own[-1].axis != cut.axis or cut.axis == CHANNELS:
        return False
    if made.intersection(node.inputs) != {group[-1].node.output}:
        return False
    before, together = _points(own, parts), _points([*own, cut], parts)
    if before is None or together is None:
        return False
    work = [member.work for member in group]
    alone = _best(cuts, node.operation.work, parts)
    apart = node.operation.work * (1.0 if alone is None else _largest(alone.points(parts)))
    return _time(together, [*work, node.operation.work]) <= _time(before, work) + HANDOVER + apart


def _time(points: Sequence[Sequence[int]], work: Sequence[int]) -> float:
    """What the largest piece takes, in multiply-adds."""
    return sum(w * _largest(p) for p, w in zip(points, work, strict=True))


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
    cuts = [member.cut for member in group if member.cut is not None]
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
