"""A whole data set in a NumPy archive, `.npz`."""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.array import NATIVE_TYPES, image_mode_of, require_numbers
from scanwise.data.dataset import (
    CHECKED_AT_ONCE,
    Dataset,
    ImageMode,
    Kind,
    OnError,
    Skipped,
    encode_labels,
    finite_as_float32,
    require_finite,
)
from scanwise.data.decoding import decoding, shown
from scanwise.data.options import check_options
from scanwise.data.window import Window, empty_windows, image_window, place, series_window
from scanwise.errors import DataError
from scanwise.memory import available_bytes, gibibytes
from scanwise.paths import require_file, require_path

_ENCRYPTED = 1  # bit of an entry's flags
_LARGEST_WHOLE = 2**53  # whole numbers up to here are exact in float64


def load_npz(
    path: str | Path,
    *,
    kind: Kind | None = None,
    window: Window | None = None,
    image_mode: ImageMode | None = None,
    labels: tuple[str, ...] | None = None,
    on_error: OnError = "fatal",
    part: str = "train",
) -> Dataset:
    """Load a `.npz` with arrays `x` and `y`, or, where it has `x_train` and so on, the ones of `part`.

    `x` is (N, T), (N, C, T) or (N, C, H, W). Three axes of uint8, or of any type with an `image_mode`, are
    grey images (N, H, W). An archive written without compression is mapped, not read.

    Args:
        path: the archive.
        kind: "image" or "series" settles what three axes mean.
        window: elements or (rows, columns) to crop or pad to (centre); None keeps the extent.
        image_mode: "L" or "RGB", if the arrays are images.
        labels: a model's labels; None takes those that occur.
        on_error: "skip" leaves out samples with NaN or infinity.
        part: "train" or "test".

    Returns:
        The data set; `y` may hold whole numbers or strings.

    Raises:
        FileError: no such file.
        ArgumentError, ArgumentTypeError: an option is not as stated.
        DataError: not such an archive, or bad values in it.
    """
    check_options(
        kind=kind, window=window, image_mode=image_mode, labels=labels, on_error=on_error, part=part
    )
    path = require_path(path, "path")
    require_file(path, "path")
    with decoding(path, "a .npz file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, on headers that older versions wrote
        x, y = _arrays(path, part)
    require_numbers(x, f"x in {path}")
    if x.ndim == 0 or y.ndim != 1 or len(x) != len(y) or len(y) == 0:
        raise DataError(f"{path} must have as many y as x, at least one. Got x {x.shape} and y {y.shape}.")
    grey = kind == "image" or image_mode is not None or (kind is None and x.dtype == np.uint8)
    if x.ndim == 2 or (x.ndim == 3 and grey):
        x = x[:, np.newaxis]
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise DataError(f"x in {path} must have the shape (N, T), (N, C, T) or (N, C, H, W). Got {x.shape}.")
    if x.dtype not in NATIVE_TYPES:
        with np.errstate(over="ignore"):  # what becomes infinite is named below
            x = x.astype(np.float32)
    names = _label_names(y, str(path))
    bad = _samples_not_finite(x)
    if len(bad) and on_error == "fatal":
        require_finite(x[bad[0]], f"x[{bad[0]}] in {path}")
    if len(bad):
        keep = np.setdiff1d(np.arange(len(x)), bad)
        x, names = x[keep], [names[i] for i in keep]
        if not names:
            raise DataError(f"x in {path} must hold at least one sample of finite values. Got none.")
    indices, labels = encode_labels(names, labels, str(path))
    image = x.ndim == 4
    if window is not None:
        x = _placed(x, image_window(window) if image else (series_window(window),))
    return Dataset(
        x=np.ascontiguousarray(x),
        y=indices,
        labels=labels,
        kind="image" if image else "series",
        image_mode=(image_mode or image_mode_of(x.shape[1])) if image else None,
        skipped=tuple(Skipped(f"x[{i}]", "NaN or infinity") for i in bad),
    )


def _arrays(path: Path, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
        for x, y in (("x", "y"), (f"x_{part}", f"y_{part}")):
            if {x, y} <= names:
                return _member(path, archive, x), _member(path, archive, y)
    raise DataError(
        f"{path} must hold arrays x and y, or x_{part} and y_{part}. "
        f"Got {shown(', '.join(sorted(names))) or 'none'}."
    )


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array of an archive: mapped where it is stored as it is, else read."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
        with archive.open(entry) as stream:
            _require_whole(path, name, *_header(stream), entry.file_size - stream.tell())
        with archive.open(entry) as stream:
            read: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            return read
    with path.open("rb") as file:
        # The local header, 30 bytes and two fields of variable length, may differ from the directory's entry.
        file.seek(entry.header_offset)
        name_length, extra_length = struct.unpack("<26xHH", file.read(30))
        file.seek(entry.header_offset + 30 + name_length + extra_length)
        shape, fortran, dtype = _header(file)
        if dtype.hasobject:
            raise DataError(f"{name} in {path} must be an array of numbers or strings. Got Python objects.")
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")


def _require_whole(
    path: Path, name: str, shape: tuple[int, ...], _: bool, dtype: np.dtype[Any], present: int
) -> None:
    """Refuse an array that its archive does not hold whole, or that does not fit into memory, before it is taken."""
    needed, left = math.prod(shape) * dtype.itemsize, available_bytes()
    if not dtype.hasobject and needed > present:
        raise DataError(f"{name} in {path} must be complete. Got {present:,} of {needed:,} bytes.")
    if needed > left:
        raise DataError(
            f"{name} in {path} must fit into memory ({gibibytes(left)} available). Got {gibibytes(needed)}; "
            "an archive written without compression is mapped, not read."
        )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, fortran, dtype


def _label_names(y: NDArray[Any], source: str) -> list[str]:
    if y.dtype.kind == "S":
        return [value.decode("utf-8", "backslashreplace") for value in y.tolist()]
    if y.dtype.kind == "f":
        wrong = ~np.isfinite(y) | (np.abs(y) > _LARGEST_WHOLE)
        wrong[~wrong] = y[~wrong] != np.floor(y[~wrong])
        if wrong.any():
            i = int(np.argmax(wrong))
            raise DataError(f"y in {source} must hold whole numbers or strings. Got {y[i]} at position {i}.")
        y = y.astype(np.int64)
    if y.dtype.kind not in "biuU":
        raise DataError(f"y in {source} must hold whole numbers or strings. Got type {y.dtype}.")
    return [str(value) for value in y.tolist()]


def _samples_not_finite(x: NDArray[Any]) -> NDArray[np.int64]:
    if x.dtype.kind != "f":
        return np.empty(0, np.int64)
    step = max(CHECKED_AT_ONCE // int(np.prod(x.shape[1:])), 1)
    axes = tuple(range(1, x.ndim))
    finite = [finite_as_float32(x[start : start + step]).all(axis=axes) for start in range(0, len(x), step)]
    return np.flatnonzero(~np.concatenate(finite))


def _placed(x: NDArray[Any], extent: tuple[int, ...]) -> NDArray[Any]:
    if x.shape[2:] == extent:
        return x
    windows = empty_windows(len(x), (x.shape[1], *extent), x.dtype)
    for clip, window in zip(x, windows, strict=True):
        place(clip, window)
    return windows
