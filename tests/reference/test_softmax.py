"""Softmax worked by hand."""

from __future__ import annotations

import math

import pytest

from scanwise.layers import Softmax
from tests.reference.worked import value


def test_softmax() -> None:
    assert value(Softmax(), [0, math.log(3)]) == pytest.approx([0.25, 0.75])
    assert value(Softmax(), [1000, 1000]) == [0.5, 0.5]
    assert value(Softmax(), [[0, 5], [math.log(3), 5]]) == [
        pytest.approx([0.25, 0.5]),
        pytest.approx([0.75, 0.5]),
    ]
