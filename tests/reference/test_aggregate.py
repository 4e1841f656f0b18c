"""Aggregation worked by hand."""

from __future__ import annotations

import math

import numpy as np
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


def test_a_grid() -> None:
    """Of 5 positions the first cell of two has 2 and the second 3."""
    x = [[1, 3, 2, 7, 6]]
    assert value(Aggregate("max", grid=2), x) == [[3, 7]]
    assert value(Aggregate("mean", grid=2), x) == [[2, 5]]
    assert value(Aggregate("logsumexp", grid=2), [[0, 0, 9, 9, 9]]) == [
        pytest.approx([math.log(2), 9 + math.log(3)])
    ]
    # One softmax over the channels and positions of each cell: exp are 1 1 | 1 1 2 and 1 5 | 1 1 2
    two = [[0, 0, 0, 0, math.log(2)], [0, math.log(5), 0, 0, math.log(2)]]
    assert np.array(value(Aggregate("softmax", grid=2), two)) == pytest.approx(
        np.array([[0.25, 0.5], [0.75, 0.5]])
    )
    assert slope(Aggregate("max", grid=2), [[3, 3, 2, 7, 7]], [[4, 5]]) == [[4, 0, 0, 5, 0]]
    assert slope(Aggregate("mean", grid=2), x, [[4, 6]]) == [[2, 2, 2, 2, 2]]


def test_a_grid_of_an_image() -> None:
    """Of 3 rows the first cell has 1 and the second 2, of 4 columns each has 2."""
    x = [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 8, 9, 6]]]
    assert value(Aggregate("max", grid=2), x) == [[[2, 4], [9, 9]]]
    assert value(Aggregate("mean", grid=(2, 1)), x) == [[[2.5], [7.25]]]
    assert slope(Aggregate("max", grid=2), x, [[[1, 2], [3, 4]]]) == [
        [[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 4, 0]]
    ]


def test_one_cell_is_no_grid_but_for_the_axis() -> None:
    x = np.random.default_rng(0).normal(size=(3, 7)).tolist()
    for mode in Aggregate.modes:
        assert [each for (each,) in value(Aggregate(mode, grid=1), x)] == value(Aggregate(mode), x)
