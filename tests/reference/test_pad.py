"""Padding worked by hand."""

from __future__ import annotations

from scanwise.layers import Pad1d, Pad2d
from tests.reference.worked import slope, value


def test_pad() -> None:
    assert value(Pad1d((2, 1)), [[1, 2]]) == [[0, 0, 1, 2, 0]]
    assert slope(Pad1d((2, 1)), [[1, 2]], [[1, 2, 3, 4, 5]]) == [[3, 4]]
    assert value(Pad2d((1, 0, 0, 1)), [[[1, 2]]]) == [[[0, 1, 2], [0, 0, 0]]]  # left, right, top, bottom


def test_another_constant() -> None:
    assert value(Pad1d((2, 1), value=-1.0), [[1, 2]]) == [[-1, -1, 1, 2, -1]]
    assert slope(Pad1d((2, 1), value=-1.0), [[1, 2]], [[1, 2, 3, 4, 5]]) == [[3, 4]]
    assert value(Pad2d((1, 0, 0, 1), 0.5), [[[1, 2]]]) == [[[0.5, 1, 2], [0.5, 0.5, 0.5]]]
