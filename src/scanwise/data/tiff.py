"""TIFF images of any size, tile by tile or strip by strip, through tifffile (the extra `tiff`)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.dataset import ImageMode
from scanwise.data.decoding import decoding
from scanwise.errors import DataError
from scanwise.scanning.grid import Region
from scanwise.scanning.source import BlockSource, Origin

EXTENSIONS = (".tif", ".tiff")

_BLOCK_BYTES = 1 << 22  # of an image that is not cut into tiles or strips, read in one go

_SILENT = logging.NullHandler()

# Luma (ITU-R 601) in 16-bit whole numbers, as pillow has it.
_LUMA = np.array([19595, 38470, 7471], np.uint32)


@contextmanager
def opened_tiff(path: Path, image_mode: ImageMode, origin: Origin) -> Iterator[BlockSource | None]:
    """The image, with the values that `read_image` gives, or None if it is not one that can be read by parts.

    By parts are read grey and RGB images, with or without alpha, of uint8, uint16 or floating-point values, upright, in
    a compression that tifffile knows without further packages.

    Raises:
        DataError: not readable as TIFF, or more than one picture (smaller copies of it do not count).
    """
    with decoding(path, "a TIFF file"):
        import tifffile

        # What it has to say about damage, Python would print where nobody has asked for messages.
        logging.getLogger("tifffile").addHandler(_SILENT)
        file = tifffile.TiffFile(path)
    with file:
        with decoding(path, "a TIFF file"):
            page, *others = list(file.pages)
            if not all(getattr(other, "is_reduced", False) for other in others):
                raise DataError(f"{path} must hold one picture. Got {len(file.pages)}.")
            image = _Image(path, page, image_mode)
            plain = _is_plain(page)
            if plain:
                image.require_whole()
                plain = image.is_decodable()
        yield BlockSource(image.shape, image.block, image.load, origin) if plain else None


def _is_plain(page: Any) -> bool:
    kinds = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32), np.dtype(np.float64))
    grey, rgb = 1, 2  # photometric interpretations
    orientation = page.tags.get("Orientation")
    return (
        page.dtype in kinds
        and page.bitspersample == 8 * page.dtype.itemsize
        and ((page.photometric == grey and page.samplesperpixel in (1, 2))
             or (page.photometric == rgb and page.samplesperpixel in (3, 4)))
        and page.imagedepth == 1
        and (orientation is None or orientation.value == 1)
    )  # fmt: skip


class _Image:
    """Decodes parts of a page.

    Attributes:
        shape: `(C, H, W)` of the image.
        block: extent of the parts that it is kept in.
    """

    def __init__(self, path: Path, page: Any, image_mode: ImageMode) -> None:
        self._path, self._page, self._mode = path, page, image_mode
        self._separate = page.planarconfig == 2 and page.samplesperpixel > 1
        H, W = page.imagelength, page.imagewidth
        self.shape = (1 if image_mode == "L" else 3, H, W)
        # All values lie one after the other, however many strips the file says that they are.
        self._contiguous = page.is_memmappable
        if page.is_tiled:
            self.block = (page.tilelength, page.tilewidth)
        elif self._contiguous:
            self.block = (min(H, max(1, _BLOCK_BYTES // max(1, self._row_bytes))), W)
        else:
            self.block = (min(H, page.rowsperstrip), W)

    def require_whole(self) -> None:
        """Raise DataError if the file cannot hold an image of the extent that it claims."""
        planes = self._page.samplesperpixel if self._separate else 1
        parts = planes * math.prod(
            math.ceil(extent / size) for extent, size in zip(self.shape[1:], self.block, strict=True)
        )
        end = self._page.dataoffsets[0] + planes * self.shape[1] * self._row_bytes
        if self._contiguous and not self._page.is_tiled:
            whole = end <= self._page.parent.filehandle.size
        else:
            whole = parts == len(self._page.dataoffsets)
        if not whole:
            raise DataError(f"{self._path} must be an intact TIFF file. Got one that is cut off.")

    @property
    def _row_bytes(self) -> int:
        samples = 1 if self._separate else self._page.samplesperpixel
        return int(self._page.imagewidth * samples * self._page.dtype.itemsize)

    def is_decodable(self) -> bool:
        """Whether tifffile can decode it: some compressions need further packages, which only the attempt tells."""
        if self._contiguous:
            return True
        try:
            self._decoded(0)
        except DataError:
            raise
        except Exception:  # noqa: BLE001  whatever it is, pillow's answer to the file is the better one
            return False
        return True

    def load(self, region: Region) -> NDArray[Any]:
        """A block as planes `(C, rows, columns)`."""
        with decoding(self._path, "an intact TIFF file"):
            planes = (
                self._rows(region) if self._contiguous and not self._page.is_tiled else self._block(region)
            )
        return _as_mode(planes, self._mode)

    def _rows(self, region: Region) -> NDArray[Any]:
        page, (first, stop) = self._page, region[0]
        planes = page.samplesperpixel if self._separate else 1
        dtype = page.dtype.newbyteorder(page.parent.byteorder)
        read = []
        for plane in range(planes):
            start = page.dataoffsets[0] + (plane * page.imagelength + first) * self._row_bytes
            read.append(np.frombuffer(self._bytes(start, (stop - first) * self._row_bytes), dtype))
        values = np.stack(read).reshape(planes, stop - first, page.imagewidth, -1)
        return values[..., 0] if self._separate else np.moveaxis(values[0], -1, 0)

    def _block(self, region: Region) -> NDArray[Any]:
        rows, columns = (stop - start for start, stop in region)
        row, column = (start // size for (start, _), size in zip(region, self.block, strict=True))
        down, across = (
            math.ceil(extent / size) for extent, size in zip(self.shape[1:], self.block, strict=True)
        )
        number = row * across + column
        if not self._separate:
            return np.moveaxis(self._decoded(number), -1, 0)[:, :rows, :columns]
        planes = range(self._page.samplesperpixel)
        return np.stack(
            [self._decoded(number + plane * down * across)[:rows, :columns, 0] for plane in planes]
        )

    def _decoded(self, number: int) -> NDArray[Any]:
        """One tile or strip, `(rows, columns, samples)`; one that the file leaves out is zero."""
        page = self._page
        start, size = page.dataoffsets[number], page.databytecounts[number]
        data = self._bytes(start, size) if size else None
        values, _, shape = page.decode(data, number, jpegtables=page.jpegtables)
        whole = np.zeros(shape, page.dtype) if values is None else values
        return np.asarray(whole[0], page.dtype)

    def _bytes(self, start: int, size: int) -> bytes:
        handle = self._page.parent.filehandle
        handle.seek(start)
        data: bytes = handle.read(size)
        if len(data) < size:
            raise DataError(f"{self._path} must be an intact TIFF file. Got one that is cut off.")
        return data


def _as_mode(planes: NDArray[Any], image_mode: ImageMode) -> NDArray[Any]:
    """Planes without alpha, as grey or RGB: uint8, or float32 (16-bit values divided by 65535)."""
    planes = planes[:3] if len(planes) >= 3 else planes[:1]
    if planes.dtype == np.uint16:
        planes = planes.astype(np.float32) / np.float32(65535)
    if image_mode == "RGB":
        return np.repeat(planes, 3, axis=0) if len(planes) == 1 else planes
    if len(planes) == 1:
        return planes
    if planes.dtype != np.uint8:
        return np.tensordot(_LUMA / np.float32(65536), planes, 1)[np.newaxis].astype(np.float32)
    luma = np.tensordot(_LUMA, planes.astype(np.uint32), 1)
    return ((luma + 0x8000) >> 16).astype(np.uint8)[np.newaxis]
