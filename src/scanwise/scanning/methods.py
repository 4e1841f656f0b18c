"""Which way to evaluate windows is the quickest: sharing all work, the work of the first layers, or none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scanwise import shapes
from scanwise.layers import Sequential, Shape
from scanwise.scanning.sharing import obstacle

__all__ = ["Method", "method_for"]

# What it takes to cut a value out of a map or a signal, in operations. (Measured: 2 ns.)
_CUT = 100
# Share of the operations that sharing the first layers only must leave, at most, to be worth a map between them and the
# others.
_MOST_LEFT = 0.8


@dataclass(frozen=True)
class Method:
    """A way to evaluate windows.

    Attributes:
        name: "shared", "partly shared" or "windows".
        reason: why.
        shared: the layers whose work is shared.
        until: with "partly shared" the place of the first layer whose work is not.
    """

    name: str
    reason: str
    shared: tuple[shapes.Row, ...] = ()
    until: str | None = None


@lru_cache(maxsize=64)
def method_for(network: Sequential, input_shape: Shape, steps: tuple[int, ...]) -> Method:
    """The quickest way to evaluate windows at these steps, one entry a spatial axis.

    >>> from scanwise.layers import Aggregate, Conv1d
    >>> net = Sequential(Conv1d(32, 9), Conv1d(8, 9), Conv1d(2, 3, padding=1), Aggregate("max"))
    >>> method_for(net, (1, 64), (1,)).name
    'partly shared'
    """
    rows = tuple(shapes.walk(network, input_shape))
    alone = sum(row.operations for row in rows)
    found = obstacle(network, input_shape)
    if found is None:
        if _shared_operations(rows, steps) < alone:
            return Method("shared", "no layer pads inside the window", rows)
        return Method("windows", "the windows overlap too little to share work")
    first = next(i for i, row in enumerate(rows) if f"{row.name}.".startswith(f"{found.layer}."))
    before, after = rows[:first], rows[first:]
    if before:
        partly = _shared_operations(before, steps) + sum(row.operations for row in after)
        partly += _CUT * math.prod(before[-1].output_shape)
        if partly < _MOST_LEFT * (alone + _CUT * math.prod(input_shape)):
            return Method("partly shared", str(found), before, found.layer)
    return Method("windows", str(found))


def _shared_operations(rows: Sequence[shapes.Row], steps: Sequence[int]) -> float:
    """Operations for each window, where each value of a layer that any window needs is computed once.

    At stride s a layer has values at all multiples of gcd(step, s).
    """
    return sum(
        row.operations
        / math.prod(row.output_shape[1:])
        * math.prod(step / math.gcd(step, stride) for step, stride in zip(steps, row.stride, strict=True))
        for row in rows
    )
