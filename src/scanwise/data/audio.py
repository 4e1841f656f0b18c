"""Audio files: WAV, FLAC, OGG through soundfile; resampled with soxr; channels mixed down to one."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.dataset import ImageMode, Kind, require_finite
from scanwise.data.window import Window, choose_extent
from scanwise.errors import ArgumentError, DataError

EXTENSIONS = (".wav", ".flac", ".ogg")


def audio_information(path: Path) -> tuple[int, int]:
    """The number of samples of one channel and the sample rate in Hz, from the file's header."""
    import soundfile

    try:
        information = soundfile.info(str(path))
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise _unreadable(path, error) from None
    if information.frames < 1:
        raise DataError(f"{path} must hold at least one audio sample. Got 0.")
    return int(information.frames), int(information.samplerate)


def read_audio(path: Path, sample_rate: int | None = None) -> NDArray[np.float32]:
    """Read an audio file as one channel.

    Args:
        path: a WAV, FLAC or OGG file.
        sample_rate: to resample to, in Hz; None keeps the file's own.

    Returns:
        (1, T) float32, -1..1; channels are averaged.

    Raises:
        DataError: not readable as audio, no samples, or NaN or infinity among them.
    """
    import soundfile

    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise _unreadable(path, error) from None
    if len(samples) == 0:
        raise DataError(f"{path} must hold at least one audio sample. Got 0.")
    mono: NDArray[np.float32] = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    require_finite(mono, str(path))
    if sample_rate is not None and rate != sample_rate:
        import soxr

        mono = soxr.resample(mono, rate, sample_rate)
        if len(mono) == 0:
            raise DataError(f"{path} must hold at least one sample at {sample_rate} Hz. Got 0.")
    return np.ascontiguousarray(mono, dtype=np.float32)[np.newaxis]


class AudioReader:
    """Reads the audio files of a data set: first every header, then, at one rate and window, every file."""

    kind: Kind = "audio"
    image_mode: ImageMode | None = None

    def __init__(self, sample_rate: int | None = None) -> None:
        self.sample_rate = sample_rate
        self._headers: list[tuple[int, int]] = []

    def survey(self, path: Path) -> None:
        """Take note of one file's header."""
        self._headers.append(audio_information(path))

    def settle(self, window: Window | None) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Choose sample rate (that of most files; of equals, the lower) and window; their shape and type."""
        if self.sample_rate is None:
            rates = Counter(rate for _, rate in self._headers)
            self.sample_rate = min(rates, key=lambda rate: (-rates[rate], rate))
        if window is None:
            rate = self.sample_rate
            lengths = [math.ceil(frames * rate / own) for frames, own in self._headers]
            extent = choose_extent(lengths, max(rate // 20, 1))
        elif isinstance(window, tuple) or window <= 0:
            raise ArgumentError(f"window must be a number of seconds above 0 for audio. Got {window!r}.")
        else:
            extent = max(round(window * self.sample_rate), 1)
        return (1, extent), np.dtype(np.float32)

    def read(self, path: Path) -> NDArray[Any]:
        """One file at the settled rate, (1, T)."""
        return read_audio(path, self.sample_rate)


def _unreadable(path: Path, error: Exception) -> DataError:
    if path.is_file() and path.stat().st_size == 0:
        return DataError(f"{path} must be a WAV, FLAC or OGG file. Got an empty file (0 bytes).")
    reason = str(error).splitlines()[0].removeprefix(f"Error opening {str(path)!r}: ").rstrip(".")
    return DataError(f"{path} must be a WAV, FLAC or OGG file. Got one that cannot be read: {reason}.")
