"""Audio from a pipe has the values that the same audio has in a file, and what is no audio is named."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from scanwise.data.pcm import DTYPES, PcmFormat, PcmReader
from scanwise.errors import ArgumentError, DataError

RAW = PcmFormat("int16", 16000, 1)
SUBTYPES = {
    "uint8": "PCM_U8",
    "int16": "PCM_16",
    "int24": "PCM_24",
    "int32": "PCM_32",
    "float32": "FLOAT",
    "float64": "DOUBLE",
}


class Trickle(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(min(7, size or 7))


def samples_of(reader: PcmReader) -> NDArray[np.float32]:
    return np.concatenate([np.empty(0, np.float32), *reader])


def written(
    path: Path, dtype: str, channels: int = 1, form: str = "WAV"
) -> tuple[bytes, NDArray[np.float32]]:
    """A file's bytes, and its samples as `read_audio` has them."""
    values = np.random.default_rng(0).uniform(-1, 1, (50, channels))
    soundfile.write(path, values, 8000, SUBTYPES[dtype], format=form)
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return path.read_bytes(), samples[:, 0] if channels == 1 else samples.mean(axis=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_wav(tmp_path: Path, dtype: str, channels: int, form: str) -> None:
    content, expected = written(tmp_path / "a.wav", dtype, channels, form)
    reader = PcmReader(Trickle(content), RAW, {})
    assert reader.format == PcmFormat(dtype, 8000, channels)
    np.testing.assert_array_equal(samples_of(reader), expected)
    assert (reader.left_out, reader.missing) == (0, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2])
def test_raw(tmp_path: Path, dtype: str, channels: int) -> None:
    content, expected = written(tmp_path / "a.wav", dtype, channels)
    start = content.index(b"data") + 8
    raw = content[start : start + 50 * channels * DTYPES[dtype][0]]
    reader = PcmReader(Trickle(raw), PcmFormat(dtype, None, channels), {})
    np.testing.assert_array_equal(samples_of(reader), expected)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_wav_of_unknown_length(tmp_path: Path, length: int) -> None:
    content, expected = written(tmp_path / "a.wav", "int16")
    at = content.index(b"data") + 4
    unknown = content[:at] + length.to_bytes(4, "little") + content[at + 4 :]
    np.testing.assert_array_equal(samples_of(PcmReader(Trickle(unknown), RAW, {})), expected)


def test_chunks_before_and_behind_the_samples(tmp_path: Path) -> None:
    content, expected = written(tmp_path / "a.wav", "int16")
    at = content.index(b"fmt ")
    odd = b"LIST" + (3).to_bytes(4, "little") + b"abc\0"
    reader = PcmReader(Trickle(content[:at] + odd + content[at:] + odd), RAW, {})
    np.testing.assert_array_equal(samples_of(reader), expected)


def test_truncated(tmp_path: Path) -> None:
    content, expected = written(tmp_path / "a.wav", "int16", 2)
    reader = PcmReader(Trickle(content[:-7]), RAW, {})
    np.testing.assert_array_equal(samples_of(reader), expected[:-2])
    assert (reader.left_out, reader.missing) == (1, 7)
    start = content.index(b"data")
    for end in range(12, start + 8, 3):
        with pytest.raises(DataError, match="ends before its samples"):
            PcmReader(io.BytesIO(content[:end]), RAW, {})


def test_short_raw() -> None:
    reader = PcmReader(Trickle(np.arange(3, dtype="<i2").tobytes() + b"\1"), RAW, {})
    assert (samples_of(reader) * 2**15).tolist() == [0, 1, 2]
    assert reader.left_out == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Got nothing"),
        (b"fLaC" + bytes(100), "Got FLAC; 'ffmpeg"),
        (b"OggS" + bytes(100), "Got Ogg"),
        (b"RIFF" + bytes(100), "another kind of RIFF"),
        (b"{'text': 'that is no audio at all'}\n" * 3, "Got text"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "states its format"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\0\0\0", "Got format 0 with 0 bits"),
    ],
)
def test_what_is_no_audio(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        PcmReader(io.BytesIO(content), RAW, {})


def test_not_finite() -> None:
    values = np.zeros(40_000, "<f4")
    values[33_333] = np.nan
    reader = PcmReader(Trickle(values.tobytes()), PcmFormat("float32", 8000, 1), {})
    with pytest.raises(DataError, match=r"finite samples\. Got nan at sample 33333"):
        samples_of(reader)


def test_a_wav_is_as_stated(tmp_path: Path) -> None:
    content, _ = written(tmp_path / "a.wav", "int16", 2)
    PcmReader(io.BytesIO(content), RAW, {"rate": 8000, "channels": 2, "dtype": "int16"})
    for name, value in (("rate", 16000), ("channels", 1), ("dtype", "uint8")):
        with pytest.raises(ArgumentError, match=rf"--{name} must be as the WAV .*{value}\."):
            PcmReader(io.BytesIO(content), RAW, {name: value})
