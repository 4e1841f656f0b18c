"""Flatten worked by hand."""

from __future__ import annotations

from scanwise.layers import Flatten
from tests.reference.worked import value


def test_flatten_keeps_the_last_axis_fastest() -> None:
    assert value(Flatten(), [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]) == [1, 2, 3, 4, 5, 6, 7, 8]
