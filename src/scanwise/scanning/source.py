"""Where the samples of a scan come from: arrays, stored arrays, chunks as they come, files.

A scan asks for parts of the signal in the order of the signal. What it asks is a `Source`, so that nothing that scans
knows what a signal is kept in, and no signal need be in memory as a whole.
"""

from __future__ import annotations

import itertools
import mmap
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ScanwiseError, ShapeError
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
        part = np.asarray(part_of(self._array, region))
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


def _mapping_of(array: Any) -> mmap.mmap | None:
    """The mapped file that an array lies in, if the system can be told to forget what has been read of it."""
    mode = "c"  # changes are in memory alone
    while isinstance(array, np.ndarray):
        mode = getattr(array, "mode", mode)
        array = array.base
    forgets = hasattr(mmap, "MADV_DONTNEED") and mode != "c" and isinstance(array, mmap.mmap)
    return array if forgets else None


def part_of(array: Any, region: Region) -> NDArray[Any]:
    return array[(slice(None), *(slice(start, stop) for start, stop in region))]  # type: ignore[no-any-return]
