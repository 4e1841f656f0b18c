"""MaxByLabel's arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.layers import MaxByLabel, from_json


def test_shapes_and_forms() -> None:
    layer = MaxByLabel(np.array([0, 1, 1]))  # type: ignore[arg-type]
    assert layer == MaxByLabel((0, 1, 1)) == from_json(layer.to_json())
    assert layer.output_shape((3, 4, 5)) == (2, 4, 5)
    assert hash(layer) == hash(MaxByLabel((0, 1, 1)))
    assert layer.label() == repr(layer) == "MaxByLabel((0, 1, 1))"
    assert MaxByLabel((0, 1) * 300).label() == "MaxByLabel(<600>)"


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ((), ArgumentError, "must hold every number from 0 to the largest. Got none of 0"),
        ((0, 2), ArgumentError, "Got none of 1"),
        ((0, -1), ArgumentError, "labels must be an integer of at least 0. Got -1"),
        ((0, 0.5), ArgumentTypeError, "labels must be an integer of at least 0. Got 0.5"),
        ((0, 10**12), ArgumentError, "Got none of 1"),  # answered at once: nothing of that size is made
        ((10**400,), ArgumentError, "Got none of 0"),
        ((0, True), ArgumentTypeError, "labels must be an integer of at least 0. Got True"),
        (3, ArgumentTypeError, "labels must be a sequence of integers. Got 3"),
        ("01", ArgumentTypeError, "labels must be a sequence of integers. Got '01'"),
        ({0, 1}, ArgumentTypeError, "labels must be a sequence of integers. Got {0, 1}"),  # in no order
        (np.array(0), ArgumentTypeError, r"labels must be a sequence of integers. Got array\(0\)"),
    ],
)
def test_wrong_labels(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MaxByLabel(labels)


def test_another_number_of_channels() -> None:
    with pytest.raises(ShapeError, match=r"one channel for each of 3 labels. Got 4 \(input shape \(4,\)\)"):
        MaxByLabel((0, 1, 1)).output_shape((4,))
