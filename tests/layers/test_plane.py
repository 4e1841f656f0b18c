"""S-planes and C-planes: shapes, arguments, fixed weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.layers import CPlane, SPlane


def test_shapes_and_parameters() -> None:
    assert SPlane(24, (5, 3), 2.0, padding=(2, 1)).output_shape((4, 16, 15)) == (24, 16, 15)
    assert SPlane(24, (5, 3), 2.0).parameter_shapes((4, 16, 15)) == {
        "weight": (24, 4, 5, 3),
        "inhibition": (24,),
    }
    assert CPlane(5, stride=2, padding=2).output_shape((24, 12, 11)) == (24, 6, 6)
    assert CPlane(5).parameter_shapes((24, 12, 11)) == {}


def test_connections() -> None:
    """24 x 2 x 2 S-cells see 4 x 9 inputs and a V-cell, which sees the same inputs; C-cells see 3 x 3 each."""
    assert SPlane(24, 3, 2.0).connection_count((4, 4, 4)) == 24 * 4 * 37 + 4 * 36
    assert CPlane(3).connection_count((24, 4, 4)) == 24 * 4 * 9


def test_printing_and_json() -> None:
    layer = SPlane(8, 5, r=4, stride=2, gamma=0.8)
    assert repr(layer) == "SPlane(8, 5, 4.0, stride=2, gamma=0.8)"
    assert sw.Sequential.from_json(sw.Sequential(layer, CPlane(3, alpha=0.5)).to_json()) == sw.Sequential(
        layer, CPlane(3, alpha=0.5)
    )


def test_the_falloff_sums_to_one_over_planes_and_positions() -> None:
    w = SPlane(1, 3, 1.0, gamma=0.5).falloff(channels=4)
    assert w.sum() * 4 == pytest.approx(1)
    assert w[1, 1] / w[0, 1] == pytest.approx(2)
    assert w[1, 1] / w[0, 0] == pytest.approx(2 ** np.sqrt(2))
    np.testing.assert_allclose(SPlane(1, 3, 1.0, gamma=1.0).falloff(2), np.full((3, 3), 1 / 18))


def test_c_cells_excite_from_the_centre_and_inhibit_from_around() -> None:
    plain, with_surround = CPlane(7).weights(), CPlane(7, surround=0.8).weights()
    assert plain.sum() == pytest.approx(1)
    assert with_surround.sum() == pytest.approx(0.2)
    assert (plain > 0).all()
    assert with_surround[3, 3] > 0
    assert with_surround[0, 0] < 0
    np.testing.assert_allclose(with_surround, with_surround[::-1, ::-1])


@pytest.mark.parametrize("narrow", [2e-38, 1e-3])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 2), (2, 3)])
def test_the_narrowest_fields_are_their_centre(kernel: tuple[int, int], narrow: float) -> None:
    """Also where no tap lies in the centre itself, and e^-x of every one is 0."""
    centre = np.zeros(kernel)
    centre[tuple(slice((k - 1) // 2, k // 2 + 1) for k in kernel)] = 1
    expected = centre / centre.sum()
    np.testing.assert_allclose(CPlane(kernel, sigma=narrow).weights(), expected, atol=1e-12)
    np.testing.assert_allclose(SPlane(1, kernel, 1.0, gamma=narrow).falloff(1), expected, atol=0.02)


def test_the_widest_fields_are_even() -> None:
    np.testing.assert_allclose(CPlane(4, sigma=3e38).weights(), np.full((4, 4), 1 / 16))


def test_fields_that_do_not_fit_into_memory() -> None:
    """A padding almost as wide as the field makes it fit any map."""
    layer = CPlane(10**6, stride=10**7, padding=10**6 - 1)
    assert layer.output_shape((1, 4, 4)) == (1, 1, 1)
    with pytest.raises(
        sw.EngineError, match=r"memory must hold the weights of CPlane\(1000000, .* GiB to take"
    ):
        sw.Model(sw.Sequential(layer), (1, 4, 4))(np.zeros((1, 1, 4, 4)))


def test_inhibition_starts_at_one() -> None:
    model = sw.Model(sw.Sequential(SPlane(5, 3, 1.0)), (2, 4, 4))
    assert (model.parameters["0.inhibition"] == 1).all()
    assert model.parameters["0.weight"].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SPlane(0, 3, 1.0), r"SPlane: planes must be a positive integer. Got 0"),
        (lambda: SPlane(2, 3, 0.0), r"SPlane: r must be more than 0. Got 0.0"),
        (lambda: SPlane(2, 3, float("nan")), r"SPlane: r must be a finite number"),
        (lambda: SPlane(2, 3, 1.0, gamma=-1), r"SPlane: gamma must be more than 0. Got -1"),
        (
            lambda: SPlane(2, (3, 3, 3), 1.0),
            r"SPlane: kernel_size must be a positive integer or a tuple of 2",
        ),
        (lambda: CPlane(3, padding=3), r"CPlane: padding must be smaller than kernel_size 3. Got 3"),
        (lambda: CPlane(3, alpha=0), r"CPlane: alpha must be more than 0"),
        (lambda: CPlane(3, sigma=0), r"CPlane: sigma must be more than 0"),
        (lambda: SPlane(2, 3, 1.0, gamma=1.5), r"SPlane: gamma must be more than 0 and at most 1. Got 1.5"),
        (lambda: SPlane(2, 3, 1e39), r"SPlane: r must be a finite number in float32. Got 1e\+39"),
        (lambda: SPlane(2, 3, 1e-50), r"SPlane: r must be at least 1.18e-38. Got 1e-50"),
        (lambda: CPlane(3, alpha=1e-50), r"CPlane: alpha must be at least 1.18e-38"),
        (lambda: CPlane(3, sigma=1e200), r"CPlane: sigma must be a finite number in float32"),
        (lambda: CPlane(3, surround=1), r"CPlane: surround must be from 0 to less than 1. Got 1.0"),
        (lambda: CPlane(0), r"CPlane: kernel_size must be a positive integer"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises((sw.ArgumentError, sw.ArgumentTypeError), match=message):
        make()


def test_what_does_not_fit() -> None:
    with pytest.raises(sw.ShapeError, match=r"input shape must be \(C, H, W\). Got \(2, 9\)"):
        SPlane(2, 3, 1.0).output_shape((2, 9))
    with pytest.raises(sw.ShapeError, match=r"must be at least the window's 5. Got 4"):
        CPlane(5).output_shape((2, 4, 9))
