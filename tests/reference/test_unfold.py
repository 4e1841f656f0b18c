"""Unfold worked by hand."""

from __future__ import annotations

from scanwise.layers import Unfold1d, Unfold2d
from tests.reference.worked import slope, value


def test_windows_are_columns() -> None:
    assert value(Unfold1d(2), [[1, 2, 3], [4, 5, 6]]) == [[1, 2], [2, 3], [4, 5], [5, 6]]
    assert value(Unfold2d(2, (1, 2)), [[[1, 2, 3], [4, 5, 6]]]) == [[[1]], [[2]], [[4]], [[5]]]


def test_gradients_of_copies_add() -> None:
    assert slope(Unfold1d(2), [[1, 2, 3]], [[10, 20], [1, 2]]) == [[10, 21, 2]]
