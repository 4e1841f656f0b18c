from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanwise.kernels.maps import FeatureMap, plain_map
from scanwise.kernels.shift import Shift
from tests.kernels.harness import CHANNELS, EXTENTS, SAMPLES, call, filled, normal


@given(CHANNELS, EXTENTS, st.integers(1, 40), st.integers(1, 40), SAMPLES)
def test_columns_move_to_the_left(
    channels: int, rows: int, columns: int, distance: int, samples: int
) -> None:
    values = normal(0, samples, channels, rows, columns)
    field = filled(plain_map(channels, rows, columns), values)
    call(Shift(field.extent, distance), samples, field, None)
    expected = values.copy()
    expected[..., : max(0, columns - distance)] = values[..., distance:]
    np.testing.assert_array_equal(field.values, expected)


@pytest.mark.parametrize("columns", [1, 3, 15, 16, 17, 100])
def test_single_floats(columns: int) -> None:
    """The input of a network that reads its values one by one: its pitch is its channels."""
    values = normal(1, 1, 1, 1, 131)
    field = filled(FeatureMap(1, 1, 131, 1), values)
    call(Shift(field.extent, columns), 1, field, None)
    np.testing.assert_array_equal(field.values[..., :-columns], values[..., columns:])
