from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanwise.data import load_npz, open_dataset
from scanwise.errors import DataError


def write(path: Path, compressed: bool = False, **arrays: Any) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_is_the_arrays_it_was_written_from(tmp_path: Path, compressed: bool) -> None:
    x = np.random.default_rng(0).normal(size=(6, 2, 9)).astype(np.float32)
    data = load_npz(write(tmp_path / "d.npz", compressed, x=x, y=np.array([0, 1, 10, 2, 1, 0])))
    np.testing.assert_array_equal(data.x, x)
    assert data.labels == ("0", "1", "2", "10")
    np.testing.assert_array_equal(data.y, [0, 1, 3, 2, 1, 0])
    assert isinstance(data.x.base, np.memmap) != compressed


def test_fortran_order_and_other_types_are_converted(tmp_path: Path) -> None:
    x = np.asfortranarray(np.arange(24, dtype=">i4").reshape(4, 6))
    data = load_npz(write(tmp_path / "d.npz", x=x, y=np.array(["n", "y", "y", "n"])))
    assert data.x.dtype == np.float32
    assert data.x.flags.c_contiguous
    np.testing.assert_array_equal(data.x[:, 0], x)


@pytest.mark.parametrize(
    ("dtype", "options", "shape"),
    [
        (np.uint8, {}, (4, 1, 5, 6)),
        (np.float32, {}, (4, 5, 6)),
        (np.float32, {"image_mode": "L"}, (4, 1, 5, 6)),
        (np.uint8, {"kind": "series"}, (4, 5, 6)),
    ],
)
def test_three_axes_are_images_or_series(tmp_path: Path, dtype: Any, options: Any, shape: Any) -> None:
    path = write(tmp_path / "d.npz", x=np.zeros((4, 5, 6), dtype), y=np.arange(4))
    assert load_npz(path, **options).x.shape == shape


def test_train_and_test_parts(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.npz",
        x_train=np.zeros((4, 5)), y_train=np.arange(4), x_test=np.ones((2, 5)), y_test=np.arange(2),
    )  # fmt: skip
    assert len(load_npz(path)) == 4
    assert open_dataset(path, part="test", input_shape=(1, 8)).x.shape == (2, 1, 8)


def test_nan_is_named_or_its_sample_skipped(tmp_path: Path) -> None:
    x = np.zeros((4, 1, 5))
    x[2, 0, 3] = np.inf
    path = write(tmp_path / "d.npz", x=x, y=np.array([0, 1, 1, 1]))
    with pytest.raises(DataError, match=r"x\[2\] in .* Got inf at position \(0, 3\)"):
        load_npz(path)
    data = load_npz(path, on_error="skip")
    assert (len(data), [s.source for s in data.skipped]) == (3, ["x[2]"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3)}, "must hold arrays x and y, or x_train and y_train. Got a"),
        ({"x": np.zeros((3, 4)), "y": np.zeros(2)}, "as many y as x"),
        ({"x": np.zeros((0, 4)), "y": np.zeros(0)}, "as many y as x"),
        ({"x": np.zeros((3, 0)), "y": np.zeros(3)}, r"must have the shape \(N, T\)"),
        ({"x": np.zeros(3), "y": np.zeros(3)}, r"must have the shape \(N, T\)"),
        ({"x": np.zeros((3, 4)), "y": np.array([0, 0.5, 1])}, "whole numbers or strings"),
        ({"x": np.zeros((3, 4)), "y": np.zeros(3)}, "at least 2 labels"),
        ({"x": np.array([["a"], ["b"]]), "y": np.arange(2)}, "array of real numbers"),
        ({"x": np.zeros((3, 4), complex), "y": np.arange(3)}, "array of real numbers"),
        ({"x": np.array([{}, {}], object), "y": np.arange(2)}, "Python objects|cannot be read"),
    ],
)
def test_wrong_content_is_refused(tmp_path: Path, arrays: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_npz(write(tmp_path / "d.npz", **arrays))


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_cut_archive_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "d.npz", x=np.zeros((3, 400)), y=np.arange(3))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"d\.npz must be a \.npz file"):
        load_npz(path)


def test_a_compressed_archive_with_wrong_bytes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "d.npz", True, x=np.random.default_rng(0).normal(size=(30, 40)), y=np.arange(30))
    content = bytearray(path.read_bytes())
    content[500:600] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"d\.npz must be a \.npz file"):
        load_npz(path)
