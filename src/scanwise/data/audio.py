"""Audio files: WAV, FLAC, OGG through soundfile; resampled with soxr; channels mixed down to one."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.dataset import ImageMode, Kind, require_finite
from scanwise.data.decoding import decoding
from scanwise.data.window import Window, choose_extent
from scanwise.errors import ArgumentError, DataError
from scanwise.memory import available_bytes, gibibytes

EXTENSIONS = (".wav", ".flac", ".ogg")

# First bytes of such files; an ID3 tag may stand before FLAC.
_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"ID3")


def audio_information(path: Path) -> tuple[int, int]:
    """The number of samples of one channel and the sample rate in Hz, from the file's header."""
    with _decoding(path) as name:
        import soundfile

        information = soundfile.info(name)
        frames, rate = int(information.frames), int(information.samplerate)
    if frames < 1 or rate < 1:
        raise DataError(f"{path} must hold at least one audio sample. Got {frames} at {rate} Hz.")
    return frames, rate


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
    frames, rate = audio_information(path)
    _require_memory(path, math.ceil(frames * (sample_rate or rate) / rate))
    with _decoding(path) as name:
        import soundfile

        samples, rate = soundfile.read(name, dtype="float32", always_2d=True)
    if len(samples) == 0:
        raise DataError(f"{path} must hold at least one audio sample. Got 0.")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named on the next line
        mono: NDArray[np.float32] = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    require_finite(mono, str(path))
    if sample_rate is not None and rate != sample_rate:
        with _decoding(path):
            import soxr

            mono = soxr.resample(mono, rate, sample_rate)
        if len(mono) == 0:
            raise DataError(f"{path} must hold at least one sample at {sample_rate} Hz. Got 0.")
        require_finite(mono, f"{path} at {sample_rate} Hz")
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
        elif isinstance(window, tuple) or not 0 < window < math.inf:
            raise ArgumentError(f"window must be a number of seconds above 0 for audio. Got {window!r}.")
        else:
            extent = max(round(window * self.sample_rate), 1)
        return (1, extent), np.dtype(np.float32)

    def read(self, path: Path) -> NDArray[Any]:
        """One file at the settled rate, (1, T)."""
        return read_audio(path, self.sample_rate)


@contextmanager
def _decoding(path: Path) -> Iterator[str | bytes]:
    """Gives the file's name as soundfile takes it: in bytes, where a file's name need not be text."""
    with decoding(path, "a WAV, FLAC or OGG file") as head:
        if not head.startswith(_MAGIC):
            # libsndfile would go on to guess, aloud, that it is an MP3.
            raise DataError(
                f"{path} must be a WAV, FLAC or OGG file. Got one of another format, or a damaged one."
            )
        yield str(path) if sys.platform == "win32" else os.fsencode(path)


def _require_memory(path: Path, samples: int) -> None:
    """Refuse a file whose header promises more samples than fit: damaged headers promise anything."""
    left = available_bytes()
    if 4 * samples > left:
        raise DataError(
            f"{path} must fit into memory ({gibibytes(left)} available). Got {samples:,} samples, "
            f"{gibibytes(4 * samples)}."
        )
