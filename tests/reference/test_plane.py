"""S-cells and C-cells worked by hand, and what Fukushima says of them."""

from __future__ import annotations

import numpy as np
import pytest

from scanwise.layers import CPlane, MaxByLabel, Sequential, SPlane
from scanwise.reference import forward
from tests.reference.worked import slope, value


def test_an_s_cell() -> None:
    """e = 2 * 3 + 1 * 4 = 10, v = sqrt((9 + 16) / 2), r = 1 so g = 1: u = (1 + 10) / (1 + 2 v) - 1."""
    (((u,),),) = value(SPlane(1, (1, 2), r=1.0, gamma=1.0), [[[3, 4]]], weight=[[[[2, 1]]]], inhibition=[2])
    assert u == pytest.approx(11 / (1 + 2 * np.sqrt(12.5)) - 1)


def test_a_silent_s_cell() -> None:
    assert value(SPlane(1, 1, r=1.0), [[[5]]], weight=[[[[1]]]], inhibition=[2]) == [[[0]]]
    assert value(SPlane(1, 1, r=1.0), [[[0]]], weight=[[[[1]]]], inhibition=[2]) == [[[0]]]


@pytest.mark.parametrize("r", [1.0, 4.0])
def test_strong_weights_measure_the_cosine(r: float) -> None:
    """After delta a = q w u and delta b = q/2 v with a large q: u = (1 + r) s - r, s the cosine under w."""
    layer = SPlane(1, 3, r=r, gamma=0.7)
    random = np.random.default_rng(0)
    learnt, seen = random.random((2, 2, 3, 3))
    w = layer.falloff(2)
    v = np.sqrt((w * learnt**2).sum())
    q = 1e7
    y = forward(
        Sequential(layer),
        np.stack([learnt, seen]),
        {"0.weight": (q * w * learnt)[None], "0.inhibition": np.array([q / 2 * v])},
    ).ravel()
    s = (w * learnt * seen).sum() / (v * np.sqrt((w * seen**2).sum()))
    np.testing.assert_allclose(y, np.maximum([1.0, (1 + r) * s - r], 0), rtol=1e-4, atol=1e-5)


def test_a_c_cell() -> None:
    """One tap has weight 1: z = 3, u = 3 / (0.5 + 3)."""
    assert value(CPlane(1, alpha=0.5), [[[3]]]) == [[[3 / 3.5]]]
    assert value(CPlane(1, alpha=0.5), [[[-3]]]) == [[[0]]]
    (((dz,),),) = slope(CPlane(1, alpha=0.5), [[[3]]], [[[1]]])
    assert dz == pytest.approx(0.5 / 3.5**2)


def test_a_c_cell_spreads_a_feature() -> None:
    """A feature that moves by one position changes a C-cell little, and the cell in front of it most."""
    layer = CPlane(5, padding=2, sigma=1.5)
    x = np.zeros((2, 1, 9, 9))
    x[0, 0, 4, 4] = x[1, 0, 4, 5] = 1
    here, moved = forward(Sequential(layer), x, {})
    assert here[0].argmax() == 4 * 9 + 4
    assert moved[0, 4, 4] > 0.7 * here[0, 4, 4]


def test_each_labels_largest() -> None:
    assert value(MaxByLabel((0, 1, 0)), [3, 9, 5]) == [5, 9]
    assert slope(MaxByLabel((0, 1, 0)), [5, 9, 5], [10, 20]) == [10, 20, 0]
