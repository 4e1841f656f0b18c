"""Downsampling worked by hand."""

from __future__ import annotations

from scanwise.layers import Downsample1d, Downsample2d
from tests.reference.worked import slope, value


def test_downsample() -> None:
    assert value(Downsample1d(2), [[1, 2, 3, 4, 5]]) == [[1, 3, 5]]
    assert slope(Downsample1d(2), [[1, 2, 3, 4]], [[7, 8]]) == [[7, 0, 8, 0]]
    assert value(Downsample2d((1, 3)), [[[1, 2, 3, 4], [5, 6, 7, 8]]]) == [[[1, 4], [5, 8]]]
