"""Aggregation worked by hand."""

from __future__ import annotations

import math

import pytest

from scanwise.layers import Aggregate
from tests.reference.worked import slope, value


def test_aggregate() -> None:
    x = [[1, 3, 2], [0, 0, math.log(2)]]
    assert value(Aggregate("max"), x) == [3, math.log(2)]
    assert value(Aggregate("mean"), x) == pytest.approx([2, math.log(2) / 3])
    assert value(Aggregate("logsumexp"), [[0, 0], [1000, 1000]]) == pytest.approx(
        [math.log(2), 1000 + math.log(2)]
    )
    # One softmax over all: exp of (0, 0) and (0, log 5) are 1, 1, 1, 5
    assert value(Aggregate("softmax"), [[0, 0], [0, math.log(5)]]) == pytest.approx([0.25, 0.75])
    assert value(Aggregate("max"), [[[1, 2], [5, 0]]]) == [5]
    assert slope(Aggregate("max"), [[1, 3, 3]], [7]) == [[0, 7, 0]]
    assert slope(Aggregate("mean"), [[1, 3, 3]], [6]) == [[2, 2, 2]]
