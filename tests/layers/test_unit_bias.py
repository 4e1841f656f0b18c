"""Biases of units: their shape is the input's."""

from __future__ import annotations

import pytest

from scanwise.layers import Shape, UnitBias


@pytest.mark.parametrize("shape", [(7,), (3, 9), (12, 8, 8)])
def test_one_for_each_unit(shape: Shape) -> None:
    assert UnitBias().output_shape(shape) == shape
    assert UnitBias().parameter_shapes(shape) == {"bias": shape}
