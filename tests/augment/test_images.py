"""What augmentations do to images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scanwise.augment import (
    Augment,
    Augmentation,
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Flip,
    Rotate,
    Scale,
    Shift,
)
from scanwise.augment.reference.images import bilinear

N = 200


def images(height: int = 8, width: int = 9) -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(1.0, 2.0, (N, 2, height, width))


def result(augmentation: Augmentation, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return Augment(augmentation)(x).astype(np.float64)


def test_shift_moves_along_both_axes() -> None:
    x = images()
    y = result(Shift((2, 1)), x)
    found = set()
    for before, after in zip(x, y, strict=True):
        rows, columns = (np.flatnonzero(after[0].any(axis=axis)) for axis in (1, 0))
        r = rows[0] or rows[-1] - 7
        s = columns[0] or columns[-1] - 8
        found.add((int(r), int(s)))
        moved = np.roll(before, (r, s), axis=(1, 2))
        part = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        np.testing.assert_allclose(after[part], moved[part], rtol=1e-6)
    assert found == {(r, s) for r in range(-2, 3) for s in range(-1, 2)}


def test_flips() -> None:
    x = images()
    for axis, number in (("horizontal", 3), ("vertical", 2)):
        y = result(Flip(axis), x)
        whole = x.astype(np.float32)
        flipped = (y == np.flip(whole, axis=number)).all(axis=(1, 2, 3))
        assert 70 < flipped.sum() < 130
        np.testing.assert_array_equal(y[~flipped], whole[~flipped])


def test_a_quarter_turn_is_anticlockwise() -> None:
    x = images(7, 7)
    np.testing.assert_allclose(result(Rotate((90, 90)), x), np.rot90(x, axes=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(result(Rotate((180, 180)), images()), images()[:, :, ::-1, ::-1], rtol=1e-5)
    np.testing.assert_allclose(result(Rotate(0), x), x, rtol=1e-6)


def test_rotation_keeps_a_disc() -> None:
    h, w = np.mgrid[-20:21, -20:21]
    disc = np.exp(-(h**2 + w**2) / 50.0)[np.newaxis, np.newaxis]
    np.testing.assert_allclose(result(Rotate(180), disc), disc, atol=0.01)


def test_scale_moves_a_ramp_from_its_centre() -> None:
    h, w = np.mgrid[-4:5, -4:5].astype(float)
    x = np.stack([h, w])[np.newaxis]
    np.testing.assert_allclose(result(Scale((2, 2)), x), x / 2.0, atol=1e-6)
    small = result(Scale((0.5, 0.5)), x)
    np.testing.assert_allclose(small[:, :, 2:7, 2:7], 2.0 * x[:, :, 2:7, 2:7], atol=1e-6)
    assert not small[:, :, :1].any()


def test_crop_takes_a_part_and_makes_it_large() -> None:
    h, w = np.mgrid[0:10, 0:20].astype(float)
    x = np.broadcast_to(np.stack([h, w]), (N, 2, 10, 20))
    np.testing.assert_allclose(result(Crop((1, 1)), x), x, atol=1e-5)
    y = result(Crop((0.5, 0.8)), x)
    steps = np.diff(y[:, 1, 5], axis=1)[:, 5:-5]
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-5)
    assert 0.5 <= steps.min() < 0.55
    assert 0.75 < steps.max() < 0.8
    np.testing.assert_allclose(np.diff(y[:, 0, :, 0], axis=1)[:, 4], steps[:, 0], atol=1e-5)
    assert y[:, 1].min() < 0.5
    assert y[:, 1].max() > 18.5


def test_brightness_and_contrast() -> None:
    x = images()
    change = result(Brightness(0.5), x) - x
    np.testing.assert_allclose(change, np.broadcast_to(change[:, :1, :1, :1], x.shape), atol=1e-6)
    assert -0.5 <= change.min() < -0.4
    assert 0.4 < change.max() <= 0.5
    y = result(Contrast((0.5, 2)), x)
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), x.mean(axis=(1, 2, 3)), rtol=1e-6)
    factor = y.std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
    assert 0.5 <= factor.min() < 0.6
    assert 1.8 < factor.max() <= 2.0


def test_cutout_may_reach_outside() -> None:
    y = result(Cutout((3, 2)), images())
    cut = y == 0.0
    assert (cut[:, 0] == cut[:, 1]).all()
    areas = set(cut[:, 0].sum(axis=(1, 2)).tolist())
    assert areas == {2, 3, 4, 6}  # 2 or 3 rows of 1 or 2 columns
    assert cut[:, 0].any(axis=0).all()
    assert result(Cutout(1, count=3), images()).min() == 0.0


def test_bilinear_is_exact_on_the_grid_and_zero_outside() -> None:
    x = images()[0]
    rows, columns = np.mgrid[-2:10, -2:11].astype(float)
    y = bilinear(x, rows, columns)
    np.testing.assert_array_equal(y[:, 2:10, 2:11], x)
    assert y.sum() == x.sum()
    half = bilinear(x, np.array([[0.5]]), np.array([[-0.5]]))
    np.testing.assert_allclose(half[:, 0, 0], x[:, :2, 0].sum(axis=1) / 4.0)
