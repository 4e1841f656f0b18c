"""The shape rule of `Aggregate`, and where the cells of its grid lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scanwise as sw
from scanwise import shapes
from scanwise.layers import Aggregate, Conv1d, Flatten, Linear, Sequential, from_json


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_each_position_is_in_one_cell_and_cells_are_about_equal(P: int, Q: int, data: st.DataObject) -> None:
    grid = (data.draw(st.integers(1, P)), data.draw(st.integers(1, Q)))
    layer, times, sizes = Aggregate("max", grid), np.zeros((P, Q), int), []
    cells = list(layer.cells((3, P, Q)))
    for cell in cells:
        times[cell.positions] += 1
        sizes.append([part.stop - part.start for part in cell.positions])
    assert (times == 1).all()
    assert [cell.place for cell in cells] == list(np.ndindex(grid))
    assert layer.output_shape((3, P, Q)) == (3, *grid)
    for extent, count, along in zip((P, Q), grid, zip(*sizes, strict=True), strict=True):
        assert {extent // count, -(-extent // count)} >= set(along)


@given(st.integers(1, 60), st.data())
def test_what_it_reaches_holds_every_cell(P: int, data: st.DataObject) -> None:
    G = data.draw(st.integers(1, P))
    layer = Aggregate("max", grid=G)
    (extent,), (step,) = layer.reach((1, P))
    for (i,), (part,) in layer.cells((1, P)):
        assert i * step <= part.start < part.stop <= i * step + extent
    assert (G - 1) * step + extent == P


def test_without_a_grid_one_cell_holds_all() -> None:
    assert list(Aggregate("max").cells((2, 3, 4))) == [((), (slice(0, 3), slice(0, 4)))]
    assert Aggregate("max").unshared is None


def test_printing_and_json() -> None:
    layer = Aggregate("max", grid=(2, 3))
    assert repr(layer) == "Aggregate('max', grid=(2, 3))"
    assert layer.to_json() == {"kind": "Aggregate", "mode": "max", "grid": [2, 3]}
    assert from_json(layer.to_json()) == layer
    assert Aggregate("max", grid=(4, 4)) == Aggregate("max", grid=4) != Aggregate("max")
    assert from_json({"kind": "Aggregate", "mode": "max", "grid": [4, 4]}) == Aggregate("max", 4)


def test_without_a_grid_it_is_written_as_before_there_were_any() -> None:
    assert Aggregate("mean").to_json() == {"kind": "Aggregate", "mode": "mean"}
    assert from_json({"kind": "Aggregate", "mode": "mean"}) == Aggregate("mean")


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        (0, sw.ArgumentError, r"^Aggregate: grid must be a positive integer. Got 0\.$"),
        ((2, -1), sw.ArgumentError, r"^Aggregate: grid must be a positive integer. Got -1\.$"),
        ((1, 2, 3), sw.ArgumentError, r"^Aggregate: grid must be a positive integer or a tuple of 2. Got \(1, 2, 3\)"),
        (True, sw.ArgumentTypeError, r"^Aggregate: grid must be a positive integer or a tuple of 2. Got True"),
        (2.5, sw.ArgumentTypeError, r"^Aggregate: grid must be a positive integer or a tuple of 2. Got 2.5"),
        ("4", sw.ArgumentTypeError, r"^Aggregate: grid must be a positive integer or a tuple of 2. Got '4'"),
    ],
)  # fmt: skip
def test_wrong_grids(grid: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Aggregate("max", grid)


def test_more_cells_than_positions() -> None:
    network = Sequential(Conv1d(2, 3), Aggregate("max", grid=4), Flatten(), Linear(2))
    with pytest.raises(sw.ShapeError) as raised:
        shapes.walk(network, (1, 5))
    assert str(raised.value).splitlines()[0] == (
        "layer 1: Aggregate('max', grid=4): input must have at least as many positions as the grid has cells along "
        "each axis, (4,). Got input shape (2, 3)."
    )
    assert "1      Aggregate('max', grid=4)  does not fit" in str(raised.value)
    with pytest.raises(sw.ShapeError, match=r"along each axis, \(2, 3\)\. Got input shape \(1, 9\)"):
        Aggregate("max", (2, 3)).output_shape((1, 9))
    with pytest.raises(sw.ShapeError, match=r"along each axis, \(2, 2\)\. Got input shape \(1, 9, 1\)"):
        Aggregate("max", 2).output_shape((1, 9, 1))
    with pytest.raises(sw.ShapeError, match=r"^Aggregate\('max', grid=2\): input shape must be \(K, T\)"):
        Aggregate("max", 2).output_shape((9,))
