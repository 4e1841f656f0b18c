"""NumPy files: one signal in a `.npy`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.dataset import ImageMode, Kind, require_finite
from scanwise.data.decoding import decoding
from scanwise.data.window import Window, choose_extent, image_window, series_window
from scanwise.errors import DataError

EXTENSIONS = (".npy",)

# What the engine reads as it lies in the file; any other real type is converted to float32.
NATIVE_TYPES = (np.dtype(np.uint8), np.dtype(np.int16), np.dtype(np.float32), np.dtype(np.float64))


def read_npy(path: Path) -> NDArray[Any]:
    """Map the array of a `.npy` file; DataError unless it holds numbers."""
    with decoding(path, "a .npy file") as head, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, on headers that older versions wrote
        if head.startswith(b"PK"):
            raise DataError(f"{path} must be a .npy file. Got an archive of several arrays.")
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    require_numbers(array, str(path))
    if array.size == 0:
        raise DataError(f"{path} must hold at least one value. Got an array of shape {array.shape}.")
    return array


def as_signal(array: NDArray[Any], source: str, image_mode: ImageMode | None) -> NDArray[Any]:
    """Give one array its channel axis: (T,) is one channel, (C, T) a series, (C, H, W) an image.

    With an `image_mode`, two axes are the rows and columns of a grey image, and three may also be (H, W, C).
    """
    if array.ndim == 1 or (array.ndim == 2 and image_mode is not None):
        array = array[np.newaxis]
    elif array.ndim == 3 and image_mode == "RGB" and array.shape[0] != 3 and array.shape[2] == 3:
        array = array.transpose(2, 0, 1)
    if array.ndim not in (2, 3):
        raise DataError(f"{source} must be an array of shape (T,), (C, T) or (C, H, W). Got {array.shape}.")
    return array


class ArrayReader:
    """Reads the `.npy` files of a data set: first every shape, then, in one window, every file."""

    sample_rate: int | None = None

    def __init__(self, image_mode: ImageMode | None = None) -> None:
        self.image_mode = image_mode
        self._shapes: list[tuple[int, ...]] = []
        self._dtypes: set[np.dtype[Any]] = set()
        self._first = ""

    @property
    def kind(self) -> Kind:
        """By the axes of the files."""
        return "image" if self._shapes and len(self._shapes[0]) == 3 else "series"

    def survey(self, path: Path) -> None:
        """Take note of one file's shape, which must agree with the first one's axes and channels."""
        array = as_signal(read_npy(path), str(path), self.image_mode)
        if self._shapes:
            first = self._shapes[0]
            if (len(first), first[0]) != (array.ndim, array.shape[0]):
                raise DataError(
                    f"{path} must have {len(first)} axes, channels included, and {first[0]} channels, as "
                    f"{self._first} has. Got shape {array.shape}."
                )
        else:
            self._first = str(path)
        self._shapes.append(array.shape)
        self._dtypes.add(array.dtype)

    def settle(self, window: Window | None) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Choose the window; shape and type of every sample."""
        if window is None:
            extents = list(zip(*self._shapes, strict=True))[1:]
            extent = tuple(choose_extent(lengths, 8) for lengths in extents)
        else:
            extent = image_window(window) if self.kind == "image" else (series_window(window),)
        if self.kind == "image" and self.image_mode is None:
            self.image_mode = image_mode_of(self._shapes[0][0])
        bytes_only = self._dtypes == {np.dtype(np.uint8)}
        return (self._shapes[0][0], *extent), np.dtype(np.uint8 if bytes_only else np.float32)

    @property
    def extents(self) -> tuple[tuple[int, ...], ...]:
        """Of every file that has been seen."""
        return tuple(shape[1:] for shape in self._shapes)

    def read(self, path: Path) -> NDArray[Any]:
        """One file, (C, T) or (C, H, W)."""
        array = as_signal(read_npy(path), str(path), self.image_mode)
        require_finite(array, str(path))
        return array


def image_mode_of(channels: int) -> ImageMode | None:
    """The mode that a number of channels stands for, if any."""
    return {1: "L", 3: "RGB"}.get(channels)  # type: ignore[return-value]


def require_numbers(array: NDArray[Any], source: str) -> None:
    """Raise DataError unless the array's type is a real number."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{source} must be an array of real numbers. Got type {array.dtype}.")
