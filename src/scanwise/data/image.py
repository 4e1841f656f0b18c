"""Image files: PNG, JPEG, TIFF through pillow, as grey or RGB planes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.dataset import ImageMode, Kind, require_finite
from scanwise.data.decoding import decoding
from scanwise.data.window import Window, choose_extent, image_window
from scanwise.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

_EIGHT_BIT_GREY = ("1", "L", "LA", "La")


def image_information(path: Path) -> tuple[int, int, ImageMode, np.dtype[Any]]:
    """Height, width, whether the file is grey or colour, and the type its values need, from the header."""
    with _opened(path) as image:
        deep = _is_deep(image)
        mode: ImageMode = "L" if deep or image.mode in _EIGHT_BIT_GREY else "RGB"
        width, height = image.size
        if image.getexif().get(0x0112, 1) >= 5:  # orientations 5 to 8 lie on their side
            width, height = height, width
        return height, width, mode, np.dtype(np.float32 if deep else np.uint8)


def read_image(path: Path, image_mode: ImageMode) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Read an image as planes, upright as its camera meant it, an alpha channel left out.

    Args:
        path: a PNG, JPEG or TIFF file.
        image_mode: "L" (colour is turned to luma, ITU-R 601) or "RGB" (grey is repeated).

    Returns:
        (1 or 3, H, W); uint8, or for files of more than 8 bits float32: 16-bit values divided by 65535,
        floating point ones as they are.

    Raises:
        DataError: not readable as an image, or NaN or infinity in it.
    """
    with _opened(path) as image:
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(image)
        deep = _is_deep(upright)
        pixels = np.asarray(upright if deep else upright.convert("L" if image_mode == "L" else "RGB"))
    if deep:
        require_finite(pixels, str(path))
        values = pixels.astype(np.float32)
        pixels = values if pixels.dtype.kind == "f" else values / np.float32(65535)
    planes = pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if image_mode == "RGB" and len(planes) == 1:
        planes = np.repeat(planes, 3, axis=0)
    return np.ascontiguousarray(planes)


class ImageReader:
    """Reads the image files of a data set: first every header, then, in one mode and window, every file."""

    kind: Kind = "image"
    sample_rate: int | None = None

    def __init__(self, image_mode: ImageMode | None = None) -> None:
        self.image_mode = image_mode
        self._headers: list[tuple[int, int, ImageMode, np.dtype[Any]]] = []
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)

    def survey(self, path: Path) -> None:
        """Take note of one file's header."""
        self._headers.append(image_information(path))

    def settle(self, window: Window | None) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Choose mode (RGB if any file has colour) and window; their shape and type."""
        if self.image_mode is None:
            self.image_mode = "RGB" if any(mode == "RGB" for _, _, mode, _ in self._headers) else "L"
        if window is None:
            H = choose_extent([height for height, _, _, _ in self._headers], 8)
            W = choose_extent([width for _, width, _, _ in self._headers], 8)
        else:
            H, W = image_window(window)
        # One file of more than 8 bits turns the whole set into float32, so that 0..1 means the same in all.
        self._dtype = max((dtype for _, _, _, dtype in self._headers), key=lambda dtype: dtype.itemsize)
        return (1 if self.image_mode == "L" else 3, H, W), self._dtype

    @property
    def extents(self) -> tuple[tuple[int, ...], ...]:
        """Of every file that has been seen."""
        return tuple((height, width) for height, width, _, _ in self._headers)

    def read(self, path: Path) -> NDArray[Any]:
        """One file in the settled mode, (C, H, W)."""
        planes: NDArray[Any] = read_image(path, self.image_mode or "L")
        return planes if planes.dtype == self._dtype else planes / np.float32(255)


def _is_deep(image: Image) -> bool:
    return image.mode.startswith(("I", "F"))


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """The opened file; what pillow raises while it is used becomes a DataError that names it."""
    from PIL import Image, UnidentifiedImageError

    expected = "a PNG, JPEG or TIFF file"
    with decoding(path, expected), warnings.catch_warnings():
        # The user's own large picture is no attack, and damaged camera notes leave the pixels whole.
        warnings.simplefilter("ignore")
        try:
            opened = Image.open(path, formats=("PNG", "JPEG", "TIFF"))
        except UnidentifiedImageError:
            raise DataError(
                f"{path} must be {expected}. Got one of another format, or a damaged one."
            ) from None
        with opened as image:
            pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            if pages > 1:
                raise DataError(f"{path} must hold one picture. Got {pages}.")
            yield image
