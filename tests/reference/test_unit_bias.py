"""A bias for each unit worked by hand."""

from __future__ import annotations

import numpy as np

from scanwise.layers import Sequential, UnitBias
from scanwise.reference import gradients
from tests.reference.worked import value


def test_every_unit_has_its_own() -> None:
    assert value(UnitBias(), [[[1, 2]], [[3, 4]]], bias=[[[10, 20]], [[30, 40]]]) == [[[11, 22]], [[33, 44]]]
    assert value(UnitBias(), [1, 2], bias=[10, 20]) == [11, 22]


def test_only_samples_share_it() -> None:
    dy = np.array([[[1.0, 2]], [[3, 5]]])
    dx, found = gradients(Sequential(UnitBias()), np.zeros((2, 1, 2)), dy, {"0.bias": np.zeros((1, 2))})
    assert dx.tolist() == dy.tolist()
    assert found["0.bias"].tolist() == [[4, 7]]
