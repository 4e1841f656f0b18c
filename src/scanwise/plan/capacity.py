"""How many samples the arena of a thread holds."""

from __future__ import annotations

from scanwise.codegen.schedule import SAMPLES
from scanwise.plan.graph import Graph

__all__ = ["samples_for"]

_BUDGET = 1 << 20  # bytes of maps that a thread works on: they stay in a second-level cache of 1 to 2 MB
_MOST_SAMPLES = 16
_SLACK = 1.25  # all samples at once rather than in two turns, if they fit but for a fifth


def samples_for(graph: Graph, floats: int, most: int | None) -> int:
    """As many samples as stay in the cache, but enough that large `Linear` layers read their weights seldom.

    Args:
        graph: operations.
        floats: that one sample's maps take.
        most: samples that are ever run at once, if that is known.
    """
    fitting = max(1, _BUDGET // (4 * floats))
    heaviest = max((p.size for node in graph.nodes for p in node.operation.parameters()), default=0)
    if heaviest * 4 > _BUDGET // 2:
        fitting = _MOST_SAMPLES
    fitting = min(fitting, _MOST_SAMPLES)
    if most is not None and most <= min(_SLACK * fitting, _MOST_SAMPLES):
        return most
    if fitting >= SAMPLES:  # a multiple of the register tile of `Linear`, which goes over samples
        return fitting // SAMPLES * SAMPLES
    if most is None:
        return fitting
    turns = -(-most // fitting)
    return -(-most // turns)  # turns of equal length
