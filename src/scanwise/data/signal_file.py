"""One file as a signal to scan, of any size: read as it is scanned, not before."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data import tiff
from scanwise.data.array import as_signal, image_mode_of, read_npy
from scanwise.data.audio import audio_chunks, audio_information, audio_name
from scanwise.data.dataset import ImageMode
from scanwise.data.image import image_information, read_image
from scanwise.data.opening import checked_file, file_kind, require_shape
from scanwise.data.series import read_trace
from scanwise.errors import DataError
from scanwise.scanning.chunks import SequentialSource
from scanwise.scanning.grid import Region
from scanwise.scanning.source import ArraySource, Origin, Source

_WHOLE_PIXELS = 1 << 27  # of a TIFF image that is read at once where tifffile is not installed


@dataclass(frozen=True)
class SignalFile:
    """A file that `scan` and `detect` read as they go.

    Attributes:
        path: of the file.
        input_shape: the model's (C, T) or (C, H, W).
        sample_rate: of audio, in Hz, as it is scanned; None for other signals.
        file_rate: of audio, in Hz, as it is in the file.
        image_mode: of images, "L" or "RGB".
    """

    path: Path
    input_shape: tuple[int, ...]
    sample_rate: int | None
    file_rate: int | None
    image_mode: ImageMode | None

    @contextmanager
    def opened(self) -> Iterator[Source]:
        """The signal, from its beginning, until the context ends.

        Raises:
            DataError: the file is damaged or cut off, or does not fit `input_shape`.
        """
        kind = file_kind(self.path, self.input_shape, self.sample_rate)
        origin = Origin(str(self.path), DataError, DataError)
        if kind == "audio":
            yield from self._audio()
        elif kind == "npy":
            array = as_signal(read_npy(self.path), str(self.path), self.image_mode)
            require_shape(self.path, array.shape, self.input_shape)
            yield MappedFile(self.path, array, origin)
        elif kind == "trace":
            yield ArraySource(read_trace(self.path, self.input_shape[0]), origin)
        elif self.path.suffix.lower() in tiff.EXTENSIONS:
            yield from self._tiff(origin)
        else:
            yield ArraySource(read_image(self.path, self.image_mode or "L"), origin)

    def _audio(self) -> Iterator[Source]:
        frames, rate = audio_information(self.path)
        origin = Origin(audio_name(self.path, rate, self.sample_rate), DataError, DataError)
        with closing(audio_chunks(self.path, self.sample_rate)) as chunks:
            yield SequentialSource(chunks, origin, frames if rate == self.sample_rate else None)

    def _tiff(self, origin: Origin) -> Iterator[Source]:
        mode = self.image_mode or "L"
        if importlib.util.find_spec("tifffile") is None:
            height, width, _, _ = image_information(self.path)
            if height * width > _WHOLE_PIXELS:
                raise DataError(
                    f"{self.path} must be smaller where tifffile is not installed. Got {height} x {width} pixels: "
                    "pip install 'scanwise[tiff]'."
                )
            yield ArraySource(read_image(self.path, mode), origin)
            return
        with tiff.opened_tiff(self.path, mode, origin) as source:
            yield ArraySource(read_image(self.path, mode), origin) if source is None else source


class MappedFile(ArraySource):
    """The array of a `.npy` file. Reading behind the end of a file that has been cut off would end the process."""

    def __init__(self, path: Path, array: NDArray[Any], origin: Origin) -> None:
        super().__init__(array, origin)
        self._path, self._size = path, path.stat().st_size

    def read(self, region: Region) -> NDArray[Any]:
        """A part."""
        try:
            size = self._path.stat().st_size
        except OSError:  # removed or replaced: what has been mapped stays
            size = self._size
        if size < self._size:
            raise DataError(f"{self._path} must stay as it is while it is read. It has been cut off.")
        return np.array(super().read(region))


def open_signal(
    path: str | Path,
    *,
    input_shape: tuple[int, ...],
    sample_rate: int | None = None,
    image_mode: ImageMode | None = None,
) -> SignalFile:
    """Open one file as a signal for a model that takes `input_shape`, to be read while it is scanned.

    Audio is read and resampled in blocks, a `.npy` is mapped, TIFF images are read tile by tile or strip by strip
    (needs `scanwise[tiff]`); other images and CSV are read at once. The values are those of `read_signal`, but for
    values that are not finite, which are left to `scan`'s argument `nan`.

    Args:
        path: audio for a model with a sample rate; an image or a `.npy` for (C, H, W); a `.npy` or `.csv`
            (a column a channel, a row a time step) for (C, T).
        input_shape: the model's (C, T) or (C, H, W).
        sample_rate: the model's, in Hz, for audio.
        image_mode: the model's, for images; None follows the channels.

    Returns:
        What `scan` and `detect` take as `signal`.

    Raises:
        FileError: no such file.
        DataError: not of the model's kind, or its header cannot be read.

    Example:
        >>> import tempfile
        >>> import scanwise as sw
        >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 4), sw.Aggregate("max")), (1, 8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/trace.npy", np.zeros(100))
        ...     signal = open_signal(f"{folder}/trace.npy", input_shape=model.input_shape)
        ...     sw.scan(model, signal).scores.shape
        (2, 93)
    """
    path = checked_file(path, input_shape, sample_rate, image_mode)
    kind = file_kind(path, input_shape, sample_rate)
    file_rate = None
    if kind == "audio":
        require_shape(path, (1, 0), input_shape)
        _, file_rate = audio_information(path)
    if len(input_shape) == 3:
        image_mode = image_mode or image_mode_of(input_shape[0]) or ("L" if kind == "image" else None)
    return SignalFile(path, input_shape, sample_rate if kind == "audio" else None, file_rate, image_mode)
