"""Audio files: WAV, FLAC, OGG through soundfile; resampled with soxr; channels mixed down to one."""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
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

_BLOCK = 1 << 16  # samples of a channel that are read in one go

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


def read_audio(path: Path, sample_rate: int | None = None, *, finite: bool = True) -> NDArray[np.float32]:
    """Read an audio file as one channel.

    Args:
        path: a WAV, FLAC or OGG file.
        sample_rate: to resample to, in Hz; None keeps the file's own.
        finite: whether NaN and infinity are refused.

    Returns:
        (1, T) float32, -1..1; channels are averaged.

    Raises:
        DataError: not readable as audio, no samples, or, where `finite`, NaN or infinity among them.
    """
    frames, rate = audio_information(path)
    _require_memory(path, math.ceil(frames * (sample_rate or rate) / rate))
    mono = np.concatenate(list(audio_chunks(path, sample_rate)), axis=1)
    if finite:
        require_finite(mono[0], audio_name(path, rate, sample_rate))
    return mono


def audio_name(path: Path, rate: int, sample_rate: int | None) -> str:
    """What errors call the samples: places in them are counted at the rate that they have been brought to."""
    return str(path) if sample_rate in (None, rate) else f"{path} at {sample_rate} Hz"


def audio_chunks(path: Path, sample_rate: int | None = None) -> Generator[NDArray[np.float32]]:
    """The samples of an audio file, (1, n) at a time, in memory that does not grow with the file.

    Samples that are not finite stay so; where the file is resampled, all that lie beside one become NaN.

    Raises:
        DataError: not readable as audio, no samples, or fewer than its header says.
    """
    with _decoding(path) as name:
        import soundfile

        with soundfile.SoundFile(name) as file:
            blocks = _mono_blocks(path, file)
            if sample_rate is None or sample_rate == file.samplerate:
                yield from blocks
                return
            count = 0
            for samples in _resampled(blocks, file.samplerate, sample_rate):
                count += samples.shape[1]
                yield samples
    if count == 0:
        raise DataError(f"{path} must hold at least one sample at {sample_rate} Hz. Got 0.")


def _mono_blocks(path: Path, file: Any) -> Iterator[NDArray[np.float32]]:
    done = 0
    while done < max(file.frames, 1):
        samples = file.read(_BLOCK, dtype="float32", always_2d=True)
        if len(samples) == 0:
            raise DataError(f"{path} must hold {max(file.frames, 1):,} samples. Got {done:,}: it is cut off.")
        done += len(samples)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named by whoever reads it
            mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
        yield np.ascontiguousarray(mono, np.float32)[np.newaxis]


def _resampled(
    blocks: Iterator[NDArray[np.float32]], rate: int, sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    """The same signal at another rate, whatever the blocks.

    A value that is not finite would spread over all that the filter keeps: it is taken as zero there, and is NaN again
    in the result, where it was.
    """
    import soxr

    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
    bad = np.empty(0, np.int64)  # samples of the result that are NaN
    read = done = 0
    for block in itertools.chain(blocks, (None,)):
        samples = np.empty(0, np.float32) if block is None else block[0]
        at = (read + np.flatnonzero(~np.isfinite(samples))) * sample_rate
        bad = np.unique(np.concatenate([bad, at // rate, -(-at // rate)]))
        read += len(samples)
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        result = stream.resample_chunk(samples, last=block is None)
        bad = bad[bad >= done]
        result[bad[bad < done + len(result)] - done] = np.nan
        done += len(result)
        yield np.ascontiguousarray(result, np.float32)[np.newaxis]


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
            extent = choose_extent([length for (length,) in self.extents], max(self.sample_rate // 20, 1))
        elif isinstance(window, tuple) or not 0 < window < math.inf:
            raise ArgumentError(f"window must be a number of seconds above 0 for audio. Got {window!r}.")
        else:
            extent = max(round(window * self.sample_rate), 1)
        return (1, extent), np.dtype(np.float32)

    @property
    def extents(self) -> tuple[tuple[int, ...], ...]:
        """Of every file that has been seen, at the settled rate."""
        return tuple((math.ceil(frames * (self.sample_rate or own) / own),) for frames, own in self._headers)

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
