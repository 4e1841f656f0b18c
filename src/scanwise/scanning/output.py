"""Where the scores of a scan go: memory, a `.npy` file, a zarr array.

Files are written beside their place as scores come, and take it when they are complete: whatever ends a scan early
leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, FileError
from scanwise.memory import require
from scanwise.paths import require_path
from scanwise.scanning.grid import Region

_FLOAT = np.dtype("<f4")
_MOVED = 1 << 24  # bytes that are brought from one order into the other in one go
_HELD = 1 << 26  # bytes that are written through one mapping of a file


# Windows along each axis. The first is None if it is not known before.
Counts = tuple[Any, ...]


class Output(Protocol):
    """Takes scores."""

    def write(self, windows: Region, scores: NDArray[np.float32]) -> None:
        """Take the scores `(K, *counts)` of the windows with these numbers."""
        ...

    def finish(self, counts: tuple[int, ...]) -> Any:
        """All scores, `(K, *counts)`, now that the number of windows is known."""
        ...


class Memory:
    """Keeps scores in memory, which grows with them where their number is not known before."""

    def __init__(self, labels: int, counts: Counts) -> None:
        first, *rest = counts
        self._scores = _room((labels, first or 0, *rest))

    def write(self, windows: Region, scores: NDArray[np.float32]) -> None:
        """Take scores."""
        held, stop = self._scores, windows[0][1]
        if stop > held.shape[1]:
            self._scores = _room((held.shape[0], max(stop, 2 * held.shape[1]), *held.shape[2:]))
            self._scores[:, : held.shape[1]] = held
        self._scores[_slices(windows)] = scores

    def finish(self, counts: tuple[int, ...]) -> NDArray[np.float32]:
        """All scores."""
        return self._scores[:, : counts[0]]


def _room(shape: tuple[int, ...]) -> NDArray[np.float32]:
    needed = _FLOAT.itemsize * math.prod(shape)
    require(
        needed, "the scores of all windows, if they are not written to a file (out) or left aside (detect)"
    )
    return np.empty(shape, np.float32)


class NpyFile:
    """Writes a `.npy` file.

    In the file, all scores of a label lie together. Where the number of windows is not known before, scores are first
    written window after window, and brought into that order at the end. Room on the disk is taken before it is written
    to, so that a full disk is an error and not the end of the process.
    """

    def __init__(self, path: Path, place: Path, labels: int, counts: Counts) -> None:
        self._path, self._place, self._labels = path, place, labels
        self._rest = counts[1:]
        self._known = counts[0] is not None
        self._room = self._written = 0
        self._scores: Any = None
        self._file: BinaryIO = place.open("x+b")
        self._shape = (labels, *counts)

    def begin(self) -> None:
        """Take room, if it is known how much."""
        if self._known:
            self._scores = self._mapped(self._shape, _begin(self._file, self._shape))

    def write(self, windows: Region, scores: NDArray[np.float32]) -> None:
        """Take scores."""
        self._written += scores.nbytes
        if self._written > _HELD:
            self._scores, self._written = self._mapped(self._scores.shape, self._scores.offset), 0
        if self._known:
            self._scores[_slices(windows)] = scores
            return
        (first, stop), *rest = windows
        if stop > self._room:
            self._room = max(stop, 2 * self._room)
            shape = (self._room, self._labels, *self._rest)
            _take_room(self._file, _FLOAT.itemsize * math.prod(shape))
            self._scores = self._mapped(shape, 0)
        to = (slice(first, stop), slice(None), *(slice(a, b) for a, b in rest))
        self._scores[to] = np.moveaxis(scores, 0, 1)

    def finish(self, counts: tuple[int, ...]) -> NDArray[np.float32]:
        """A memory map of the file."""
        if not self._known:
            self._reorder(counts)
        self._scores.flush()
        self._scores = None
        self._file.close()
        self._place.replace(self._path)
        scores: NDArray[np.float32] = np.load(self._path, mmap_mode="r")
        return scores

    def close(self) -> None:
        """Leave nothing open."""
        self._scores = None
        self._file.close()

    def _reorder(self, counts: tuple[int, ...]) -> None:
        """Bring scores from the order of the windows into that of the labels, piece by piece."""
        by_window, self._scores = self._scores.shape, None
        shape = (self._labels, *counts)
        step = max(1, _MOVED // (4 * self._labels * math.prod(counts[1:])))
        with self._file as before:
            self._place.unlink()
            self._file = self._place.open("x+b")
            offset = _begin(self._file, shape)
            for first in range(0, counts[0], step):
                piece = np.memmap(before, _FLOAT, "r", 0, by_window)[first : min(first + step, counts[0])]
                self._mapped(shape, offset)[:, first : first + len(piece)] = np.moveaxis(piece, 1, 0)
        self._scores = self._mapped(shape, offset)

    def _mapped(self, shape: tuple[int, ...], offset: int) -> Any:
        """The scores in the file. A new mapping holds none of the memory that an old one has filled."""
        return np.memmap(self._file, _FLOAT, "r+", offset, shape)


def _begin(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Write the header of a `.npy` file and take room for its array; gives the place where that begins."""
    np.lib.format.write_array_header_2_0(file, {"descr": _FLOAT.str, "fortran_order": False, "shape": shape})
    offset = file.tell()
    _take_room(file, offset + _FLOAT.itemsize * math.prod(shape))
    return offset


def _take_room(file: BinaryIO, size: int) -> None:
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    file.seek(0, os.SEEK_END)
    while (left := size - file.tell()) > 0:
        file.write(bytes(min(left, _MOVED)))
    file.flush()


class ZarrArray:
    """Writes a zarr array, a folder of chunks."""

    def __init__(self, path: Path, place: Path, labels: int, counts: Counts) -> None:
        self._path, self._place = path, place
        first, *rest = counts
        self._shape = (labels, first or 0, *rest)

    def begin(self) -> None:
        """Create the array."""
        labels, *counts = self._shape
        chunks = (labels, 4096) if len(counts) == 1 else (labels, 64, 64)
        self._array = _zarr().create_array(
            str(self._place), shape=self._shape, chunks=chunks, dtype=_FLOAT.str
        )

    def write(self, windows: Region, scores: NDArray[np.float32]) -> None:
        """Take scores."""
        shape = self._array.shape
        if windows[0][1] > shape[1]:
            self._array.resize((shape[0], windows[0][1], *shape[2:]))
        self._array[_slices(windows)] = scores

    def finish(self, counts: tuple[int, ...]) -> Any:
        """The array."""
        if self._path.exists():
            shutil.rmtree(self._path)
        self._place.replace(self._path)
        return _zarr().open_array(str(self._path), mode="r")

    def close(self) -> None:
        """Nothing is open between two calls."""


_KINDS: dict[str, type[NpyFile] | type[ZarrArray]] = {".npy": NpyFile, ".zarr": ZarrArray}


@contextlib.contextmanager
def opened_output(out: Any, labels: int, counts: Counts) -> Iterator[Output]:
    """Where scores go: `out` is a path, or None for memory.

    Args:
        out: as `scan` takes it.
        labels: number of scores of a window.
        counts: windows along each axis.
    """
    if out is None:
        yield Memory(labels, counts)
        return
    path = checked_path(out)
    place = path.parent / f".scanwise-{secrets.token_hex(8)}.part"
    output: NpyFile | ZarrArray | None = None
    try:
        with _writing(path):
            output = _KINDS[path.suffix.lower()](path, place, labels, counts)
            output.begin()
        yield _Written(path, output)
    finally:
        if output is not None:
            output.close()
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Written:
    """An output whose errors name the file: errors of whoever reads the signal meanwhile are not its own."""

    path: Path
    output: Output

    def write(self, windows: Region, scores: NDArray[np.float32]) -> None:
        with _writing(self.path):
            self.output.write(windows, scores)

    def finish(self, counts: tuple[int, ...]) -> Any:
        with _writing(self.path):
            return self.output.finish(counts)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"{path}: the file must be writable. {error.strerror or error}.") from error


def checked_path(out: Any) -> Path:
    """`out` as a path that can be written, asked before a scan that may take hours.

    Raises:
        ArgumentError: it ends neither in `.npy` nor in `.zarr`, or `.zarr` is asked for without the extra.
        FileError: it cannot be written.
    """
    path = require_path(out, "out")
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ArgumentError(f"out must end in .npy or .zarr. Got {path}.")
    if kind is ZarrArray:
        _zarr()
    if path.exists() and path.is_dir() != (kind is ZarrArray):
        raise FileError(f"{path}: the file must be writable. Something of another kind has its place.")
    if kind is ZarrArray and path.is_dir() and not (path / "zarr.json").is_file():
        raise FileError(f"{path}: the array must be writable. A folder that is no zarr array has its place.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise FileError(f"{path}: the file must be in a folder that can be written to.")
    return path


def _zarr() -> Any:
    try:
        import zarr
    except ModuleNotFoundError:
        raise ArgumentError(
            "out must end in .npy where zarr is not installed. Got .zarr: pip install 'scanwise[zarr]'."
        ) from None
    return zarr


def _slices(windows: Region) -> tuple[slice, ...]:
    return (slice(None), *(slice(first, stop) for first, stop in windows))
