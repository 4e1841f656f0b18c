"""A signal that comes in chunks, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentTypeError, ShapeError
from scanwise.inputs import number_array
from scanwise.scanning.grid import Region
from scanwise.scanning.source import GIVEN, Origin, part_of


class SequentialSource:
    """Chunks `(C, n)` or `(C, n, W)` of any lengths n, one after the other. What has been passed is dropped."""

    def __init__(self, chunks: Iterator[Any], origin: Origin = GIVEN, length: int | None = None) -> None:
        """`length` is that of all chunks together, if it is known before."""
        self.origin, self._chunks, self._length = origin, chunks, length
        self._number = 0
        first = self._next()
        if first is None:
            raise ShapeError(f"{origin.name} must give at least one chunk. Got none.")
        if first.ndim < 2:
            raise ShapeError(f"{origin.name} must give chunks (C, n) or (C, n, W). Got shape {first.shape}.")
        self.channels = first.shape[0]
        self._first = first[:, :0]
        self._held = [first]  # neighbours, of which the first begins at `start`
        self._start, self._stop = 0, first.shape[1]

    @property
    def extent(self) -> tuple[int | None, ...]:
        """Samples, or rows and columns."""
        return (self._length, *self._first.shape[2:])

    def reaches(self, stop: int) -> bool:
        """Whether there are so many samples or rows; takes chunks until that is known."""
        if self._length is None:
            self._take(stop)
        return self._length is None or stop <= self._length

    def read(self, region: Region) -> NDArray[Any]:
        """A part; what lies before it is dropped."""
        start, stop = region[0]
        self._take(stop)
        while self._start + self._held[0].shape[1] <= start:
            self._start += self._held.pop(0).shape[1]
        if len(self._held) > 1:
            self._held[0] = self._held[0][:, start - self._start :]
            self._start = start
            self._held = [np.concatenate(self._held, axis=1)]
        return part_of(self._held[0], ((start - self._start, stop - self._start), *region[1:]))

    def _take(self, stop: int) -> None:
        """Hold the signal up to `stop`, or to its end, which is then known."""
        while self._stop < stop:
            chunk = self._next()
            if chunk is None:
                if self._length is not None:
                    raise self.origin.error(
                        f"{self.origin.name} must have {self._length:,} samples. Got {self._stop:,}."
                    )
                self._length = self._stop
                break
            self._check(chunk)
            self._held.append(chunk)
            self._stop += chunk.shape[1]

    def _next(self) -> NDArray[Any] | None:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            return None
        self._number += 1
        return number_array(chunk, f"chunk {self._number} of {self.origin.name}")

    def _check(self, chunk: NDArray[Any]) -> None:
        held, what = self._first, f"chunk {self._number} of {self.origin.name}"
        if chunk.ndim != held.ndim or (chunk.shape[0], *chunk.shape[2:]) != (held.shape[0], *held.shape[2:]):
            wanted = ", ".join(map(str, (held.shape[0], "n", *held.shape[2:])))
            raise ShapeError(f"{what} must have shape ({wanted}), as the first. Got {chunk.shape}.")
        # uint8 is taken as 0..1, so that a mixture would have two scales.
        if chunk.dtype != held.dtype:
            raise ArgumentTypeError(f"{what} must have dtype {held.dtype}, as the first. Got {chunk.dtype}.")
