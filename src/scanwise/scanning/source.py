"""Where the samples of a scan come from: arrays, stored arrays, chunks as they come, files.

A scan asks for parts of the signal in the order of the signal. What it asks is a `Source`, so that nothing that scans
knows what a signal is kept in, and no signal need be in memory as a whole.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, DataError, ScanwiseError, ShapeError
from scanwise.inputs import number_array
from scanwise.scanning.grid import Region

# Decoded blocks that a `BlockSource` keeps: those of a row of tiles, so that each is decoded once.
_HELD_BYTES = 1 << 27


@dataclass(frozen=True)
class Origin:
    """What errors say about a signal.

    Attributes:
        name: how they call it.
        error: what a value that is not as it should be raises.
        shape_error: what a wrong number of channels, or too small an extent, raises.
    """

    name: str = "signal"
    error: type[ScanwiseError] = ArgumentError
    shape_error: type[ScanwiseError] = ShapeError


GIVEN = Origin()


class Source(Protocol):
    """A signal.

    Attributes:
        origin: what errors say about it.
        channels: number of channels.
        extent: samples, or rows and columns. The first is None until the end is reached, if it is not known before.
    """

    origin: Origin
    channels: int

    @property
    def extent(self) -> tuple[int | None, ...]:
        """Samples, or rows and columns."""
        ...

    def reaches(self, stop: int) -> bool:
        """Whether there are so many samples or rows. If not, `extent` says from now on how many there are."""
        ...

    def read(self, region: Region) -> NDArray[Any]:
        """The part `(C, *extent)` of the signal, all of it within. Along the first axis, parts come in order: none
        starts before the one that was read last.
        """
        ...


@runtime_checkable
class Openable(Protocol):
    """Something that can be opened as a source, as often as it is scanned, such as a file."""

    def opened(self) -> AbstractContextManager[Source]:
        """The source, from its beginning, until the context ends."""
        ...


class ArraySource:
    """A NumPy array or memory map, or whatever gives a part of itself when it is indexed."""

    def __init__(self, array: Any, origin: Origin = GIVEN) -> None:
        self.origin = origin
        self._array, self._mapping, self._read = array, _mapping_of(array), 0
        self.channels = int(array.shape[0])
        self.extent = tuple(int(n) for n in array.shape[1:])

    def reaches(self, stop: int) -> bool:
        """Whether there are so many samples or rows."""
        return stop <= self.extent[0]

    def read(self, region: Region) -> NDArray[Any]:
        """A part: a view of an array."""
        part = np.asarray(_part(self._array, region))
        if self._mapping is not None:
            rows = part.size // max(1, part.shape[-1])
            self._read += part.nbytes + rows * mmap.PAGESIZE
            if self._read > _HELD_BYTES:
                # What has been read of a file stays in the process's memory otherwise, as long as it is mapped.
                self._mapping.madvise(mmap.MADV_DONTNEED)
                self._read = 0
        return part


class BlockSource:
    """A signal that is kept in equal blocks, each decoded as a whole: a zarr array, a tiled image.

    Only blocks that a part touches are decoded, and the last ones are kept: neighbouring parts share them.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        block: tuple[int, ...],
        load: Callable[[Region], NDArray[Any]],
        origin: Origin = GIVEN,
    ) -> None:
        """`load` gives the part `(C, *extent)` of the signal that a block of extent `block` holds."""
        self.origin, self.channels, self.extent = origin, shape[0], shape[1:]
        self._block, self._load = block, load
        self._held: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()

    def reaches(self, stop: int) -> bool:
        """Whether there are so many samples or rows."""
        return stop <= self.extent[0]

    def read(self, region: Region) -> NDArray[Any]:
        """A part, put together from its blocks."""
        whole: NDArray[Any] | None = None
        touched = [
            range(start // size, (stop - 1) // size + 1)
            for (start, stop), size in zip(region, self._block, strict=True)
        ]
        for place in itertools.product(*touched):
            values = self._decoded(place)
            if whole is None:
                whole = np.empty((self.channels, *(stop - start for start, stop in region)), values.dtype)
            to, of = [slice(None)], [slice(None)]
            for (start, stop), size, number in zip(region, self._block, place, strict=True):
                first, last = max(start, number * size), min(stop, (number + 1) * size)
                to.append(slice(first - start, last - start))
                of.append(slice(first - number * size, last - number * size))
            whole[tuple(to)] = values[tuple(of)]
        assert whole is not None
        return whole

    def _decoded(self, place: tuple[int, ...]) -> NDArray[Any]:
        if place in self._held:
            self._held.move_to_end(place)
            return self._held[place]
        values = self._load(
            tuple(
                (number * size, min((number + 1) * size, extent))
                for number, size, extent in zip(place, self._block, self.extent, strict=True)
            )
        )
        self._held[place] = values
        while len(self._held) > 1 and len(self._held) * values.nbytes > _HELD_BYTES:
            self._held.popitem(last=False)
        return values


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
        return _part(self._held[0], ((start - self._start, stop - self._start), *region[1:]))

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


@contextlib.contextmanager
def opened(signal: Any) -> Iterator[Source]:
    """The source of whatever a scan takes as a signal."""
    if isinstance(signal, Openable):
        with signal.opened() as source:
            yield source
    elif isinstance(signal, Iterator):
        yield SequentialSource(signal)
    elif _is_stored(signal):
        yield _stored_source(signal)
    else:
        array = number_array(signal, "signal")
        if array.ndim == 0:
            raise ShapeError("signal must have shape (C, T) or (C, H, W). Got a single number.")
        yield ArraySource(array)


def _is_stored(signal: Any) -> bool:
    """Whether it is an array that is kept elsewhere, such as zarr's: it has NumPy's dtype, and gives NumPy arrays."""
    return (
        not isinstance(signal, np.ndarray | np.generic)
        and isinstance(getattr(signal, "dtype", None), np.dtype)
        and isinstance(getattr(signal, "shape", None), tuple)
        and len(signal.shape) > 0
        and hasattr(signal, "__getitem__")
    )


def _stored_source(signal: Any) -> Source:
    if signal.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"signal must be an array of real numbers. Got dtype {signal.dtype}.")

    def load(region: Region) -> NDArray[Any]:
        try:
            return np.asarray(_part(signal, region))
        except Exception as error:  # damaged chunks raise whatever their decoder does
            place = ", ".join(f"{start}..{stop}" for start, stop in region)
            raise DataError(f"signal must be readable. Got at {place}: {error}.") from error

    shape = tuple(int(n) for n in signal.shape)
    chunks = getattr(signal, "chunks", None)
    if (
        not isinstance(chunks, tuple)
        or len(chunks) != len(shape)
        or not all(isinstance(n, int) for n in chunks)
    ):
        # Nobody says in which parts it is kept: parts as they are asked for.
        return ArraySource(signal)
    return BlockSource(shape, tuple(max(1, n) for n in chunks[1:]), load)


def _mapping_of(array: Any) -> mmap.mmap | None:
    """The mapped file that an array lies in, if the system can be told to forget what has been read of it."""
    mode = "c"  # changes are in memory alone
    while isinstance(array, np.ndarray):
        mode = getattr(array, "mode", mode)
        array = array.base
    forgets = hasattr(mmap, "MADV_DONTNEED") and mode != "c" and isinstance(array, mmap.mmap)
    return array if forgets else None


def _part(array: Any, region: Region) -> NDArray[Any]:
    return array[(slice(None), *(slice(start, stop) for start, stop in region))]  # type: ignore[no-any-return]
