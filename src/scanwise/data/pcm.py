"""Audio from a pipe: raw samples (PCM), or WAV whose length need not be known when it begins."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, DataError

__all__ = ["DTYPES", "PcmFormat", "PcmReader"]

# Types of a sample, little-endian: bytes of one, and what they are divided by to lie in -1..1.
DTYPES = {
    "uint8": (1, 2.0**7),
    "int16": (2, 2.0**15),
    "int24": (3, 2.0**31),  # widened to 32 bits
    "int32": (4, 2.0**31),
    "float32": (4, 1.0),
    "float64": (8, 1.0),
}

_BLOCK = 1 << 16  # bytes asked for at once; a pipe gives what it has
_UNKNOWN = (0, 0xFFFFFFFF)  # lengths that programs write which cannot know it
_ENOUGH = 64  # bytes that are not all letters by chance
_TEXT = bytes(range(32, 127)) + b"\t\n\r"
_ENDS = "standard input must be a whole WAV. Got one that ends before its samples."
# How other files begin.
_OTHERS = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"FORM": "AIFF",
    b"RIFX": "big-endian WAV",
    b"RIFF": "another kind of RIFF",
}


@dataclass(frozen=True)
class PcmFormat:
    """How samples lie in a stream of bytes.

    Attributes:
        dtype: one of `DTYPES`.
        rate: samples per second; None if it is not known.
        channels: samples of one moment.
    """

    dtype: str
    rate: float | None
    channels: int

    @property
    def frame(self) -> int:
        """Bytes of one moment."""
        return DTYPES[self.dtype][0] * self.channels

    def decode(self, content: bytes) -> NDArray[np.float32]:
        """Whole frames as one channel, `(n,)` in -1..1; channels are averaged."""
        size, scale = DTYPES[self.dtype]
        if size == 3:
            wide = np.zeros((len(content) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
            values = wide.view("<i4")[:, 0]
        else:
            values = np.frombuffer(content, np.dtype(self.dtype).newbyteorder("<"))
        offset = 128.0 if self.dtype == "uint8" else 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # the reader looks for what is not finite
            samples = ((values - offset) / scale if offset else values / scale).astype(np.float32)
            return samples if self.channels == 1 else samples.reshape(-1, self.channels).mean(axis=1)


class PcmReader:
    """Reads samples as they come.

    Args:
        file: where bytes come from.
        raw: how samples lie if it is not WAV.
        stated: what of that the user has stated, by name: a WAV has to agree with it.

    Raises:
        DataError: it is another kind of file, or a WAV with a head that is damaged or of a kind that is not supported.
        ArgumentError: a WAV's format is not as stated.
    """

    def __init__(self, file: io.BufferedIOBase, raw: PcmFormat, stated: dict[str, object]) -> None:
        self._file = file
        self.format = raw
        self.left_out = 0  # bytes at the end that are no whole frame
        self.missing = 0  # bytes that a WAV's head promises and that did not come
        self._left: float = math.inf  # bytes of the WAV's samples that are to come, if it says
        self._head = self._read(12)
        if self._head[:4] in (b"RIFF", b"RF64") and self._head[8:] == b"WAVE":
            self._head = b""
            self.format = self._wav_format()
            for name, value in stated.items():
                found = getattr(self.format, name)
                if found != value:
                    raise ArgumentError(
                        f"--{name} must be as the WAV on standard input says, {found}. Got {value}."
                    )
        elif not self._head:
            raise DataError("standard input must be audio. Got nothing.")
        else:
            self._refuse_others()

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Samples `(n,)` of one channel, as many as have come.

        Raises:
            DataError: there is NaN or infinity among them.
        """
        frame, done, rest = self.format.frame, 0, b""
        for block in self._blocks():
            content = rest + block
            whole = len(content) // frame * frame
            rest = content[whole:]
            if whole:
                samples = self.format.decode(content[:whole])
                finite = np.isfinite(samples)
                if not finite.all():
                    at = done + int(np.argmin(finite))
                    raise DataError(
                        f"standard input must hold finite samples. Got {samples[at - done]} at sample {at}."
                    )
                done += len(samples)
                yield samples
        self.left_out = len(rest)
        self.missing = int(self._left) if self._left < math.inf else 0

    def _blocks(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        while size := int(min(_BLOCK, self._left)):
            block = self._file.read1(size)
            if not block:
                break
            self._left -= len(block)
            yield block

    def _read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        return self._file.read(size)

    def _refuse_others(self) -> None:
        """What is certainly no audio, or audio of a kind that needs decoding."""
        for begin, name in _OTHERS.items():
            if self._head.startswith(begin):
                raise DataError(
                    f"standard input must be raw samples or WAV. Got {name}; 'ffmpeg -i FILE -f wav -' makes it WAV."
                )
        self._head += self._read(_ENOUGH - len(self._head))
        if len(self._head) == _ENOUGH and not self._head.translate(None, _TEXT):
            raise DataError("standard input must be audio. Got text.")

    def _wav_format(self) -> PcmFormat:
        """Read a WAV up to its samples."""
        found: PcmFormat | None = None
        length = math.inf
        while True:
            head = self._read(8)
            if len(head) < 8:
                raise DataError(_ENDS)
            kind, size = head[:4], int.from_bytes(head[4:], "little")
            if kind == b"data":
                break
            content = self._chunk(size + size % 2)
            if kind == b"fmt ":
                found = _format_of(content)
            elif kind == b"ds64":
                length = int.from_bytes(content[8:16], "little")
        if found is None:
            raise DataError("standard input must be a WAV that states its format. Got one that does not.")
        if size not in _UNKNOWN:
            length = size
        self._left = length
        return found

    def _chunk(self, size: int) -> bytes:
        """The beginning of a chunk; the rest of a long one is passed over."""
        content = self._read(min(size, _BLOCK))
        left = size - len(content)
        while left > 0 and (block := self._read(min(left, _BLOCK))):
            left -= len(block)
        if left:
            raise DataError(_ENDS)
        return content


def _format_of(chunk: bytes) -> PcmFormat:
    tag, channels = (int.from_bytes(chunk[i : i + 2], "little") for i in (0, 2))
    rate, bits = int.from_bytes(chunk[4:8], "little"), int.from_bytes(chunk[14:16], "little")
    if tag == 0xFFFE:
        tag = int.from_bytes(chunk[24:26], "little")
    dtype = {(1, 8): "uint8", (3, 32): "float32", (3, 64): "float64"}.get(
        (tag, bits), f"int{bits}" if tag == 1 else ""
    )
    if dtype not in DTYPES or channels < 1 or rate < 1:
        raise DataError(
            "standard input must be a WAV of 8 to 32 bit whole or 32 or 64 bit floating-point samples. "
            f"Got format {tag} with {bits} bits, {channels} channels, {rate} Hz."
        )
    return PcmFormat(dtype, rate, channels)
