"""The demo's parts by themselves, and the whole demo once: it must find what was hidden."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scanwise.demo import digits, examples, photographs, textures
from scanwise.demo.digits import WINDOW
from scanwise.demo.photographs import Hidden


@pytest.fixture(scope="module")
def split() -> tuple[digits.Digits, digits.Digits]:
    return digits.load()


def test_held_out_digits_are_apart(split: tuple[digits.Digits, digits.Digits]) -> None:
    training, held_out = split
    assert len(training) == 1438
    assert len(held_out) == 359
    assert set(held_out.labels) == set(range(10))
    seen = {ink.tobytes() for ink in training.ink}
    assert not any(ink.tobytes() in seen for ink in held_out.ink)


def test_upright_digit_has_its_size_and_place(split: tuple[digits.Digits, digits.Digits]) -> None:
    solid = digits.Digits(np.ones_like(split[0].ink[:1]), np.zeros(1, np.int64))
    solid.ink[:, [0, -1, -2], :] = 0
    solid.ink[:, :, [0, -1, -2]] = 0
    ink = digits.drawn(
        solid,
        np.zeros(1, int),
        np.full((1, 2), 13.5, np.float32),
        digits.upright(np.array([16.0], np.float32)),
    )
    rows = np.flatnonzero(ink[0].max(axis=1) > 0.5)
    # The enlarged image holds the 8 pixels and one blank pixel on each side: 16 * 10 / 8.
    assert len(rows) == 20
    assert rows.mean() == pytest.approx(13.5)
    np.testing.assert_allclose(ink[0], ink[0].T, atol=1e-5)


def test_textures_are_grey_values_and_all_different() -> None:
    drawn = textures.canvases(2, np.random.default_rng(0))
    mixed = textures.mixed(drawn, 3, np.random.default_rng(0))
    for canvases in (drawn, mixed):
        assert canvases.dtype == np.float32
        assert canvases.min() >= 0
        assert canvases.max() <= 1
        assert canvases.std(axis=(1, 2)).min() > 0.01
    assert not np.array_equal(drawn[0], drawn[1])


def test_examples_come_from_the_seed_alone(split: tuple[digits.Digits, digits.Digits]) -> None:
    canvases = textures.canvases(2, np.random.default_rng(0))
    x, y = examples.make(1500, split[0], canvases, np.random.default_rng(3))
    again, _ = examples.make(1500, split[0], canvases, np.random.default_rng(3))
    assert x.shape == (1500, 1, WINDOW, WINDOW)
    assert x.dtype == np.uint8
    assert set(y) == set(range(11))
    np.testing.assert_array_equal(x, again)


def test_hidden_digits_are_apart_and_can_be_seen(split: tuple[digits.Digits, digits.Digits]) -> None:
    backgrounds = photographs.load()
    images, hidden = photographs.hide(backgrounds, split[1], 25, np.random.default_rng(0))
    assert len(hidden) == 50
    for a in hidden:
        for b in hidden:
            if a is not b and a.photograph == b.photograph:
                assert photographs.overlap((a.row, a.column), (b.row, b.column)) == 0
    for number, (image, background) in enumerate(zip(images, backgrounds, strict=True)):
        changed = np.abs(image[0] / 255.0 - background) > 0.1
        boxes = np.zeros_like(changed)
        for h in hidden:
            if h.photograph == number:
                box = slice(h.row, h.row + WINDOW), slice(h.column, h.column + WINDOW)
                assert changed[box].sum() > 20
                boxes[box] = True
        assert not changed[~boxes].any()


def test_each_hidden_digit_is_found_once() -> None:
    hidden = [Hidden(0, 10, 10, "3"), Hidden(0, 100, 100, "5"), Hidden(1, 10, 10, "7")]
    found = photographs.compare(
        [(0, 12, 10, "3", 0.9), (0, 10, 12, "3", 0.8), (0, 100, 96, "6", 0.7), (1, 40, 40, "7", 0.6)], hidden
    )
    assert [f.right for f in found] == [True, False, False, False]
    assert [f.hidden for f in found] == [hidden[0], None, hidden[1], None]


def test_overlap_of_boxes() -> None:
    assert photographs.overlap((0, 0), (0, 0)) == 1.0
    assert photographs.overlap((0, 0), (0, WINDOW)) == 0.0
    assert photographs.overlap((0, 0), (0, WINDOW // 2)) == pytest.approx(1 / 3)


def test_demo_finds_what_was_hidden(tmp_path: Path) -> None:
    from scanwise.demo import run_demo

    picture = tmp_path / "picture.png"
    result = run_demo(picture, seed=0)
    assert len(result.hidden) >= 40
    assert result.recall >= 0.9
    assert result.precision >= 0.9
    assert result.method == "shared"
    assert picture.stat().st_size > 10_000
    assert list(tmp_path.iterdir()) == [picture]


def test_unwritable_picture_is_refused_before_training(tmp_path: Path) -> None:
    import scanwise as sw
    from scanwise.demo import run_demo

    with pytest.raises(sw.FileError, match="no-such-folder"):
        run_demo(tmp_path / "no-such-folder" / "picture.png")


def test_an_output_that_is_no_ordinary_file(tmp_path: Path) -> None:
    import scanwise as sw
    from scanwise.demo import run_demo

    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(sw.FileError, match="output must be"):
            run_demo(path)
