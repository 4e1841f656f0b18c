"""Linear worked by hand."""

from __future__ import annotations

from scanwise.layers import Linear
from tests.reference.worked import value


def test_linear() -> None:
    assert value(Linear(2), [1, 2, 3], weight=[[1, 10, 100], [0, 0, 1]], bias=[0.5, 0]) == [321.5, 3]
    assert value(Linear(1, bias=False), [1, 2], weight=[[3, 4]]) == [11]
