"""Which source a signal is, by what it can do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentTypeError, DataError, ShapeError
from scanwise.inputs import number_array
from scanwise.scanning.chunks import SequentialSource
from scanwise.scanning.grid import Region
from scanwise.scanning.source import ArraySource, BlockSource, Openable, Source, part_of


@contextlib.contextmanager
def opened(signal: Any) -> Iterator[Source]:
    """The source of whatever a scan takes as a signal."""
    if not isinstance(signal, np.ndarray) and isinstance(signal, Openable):
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
            return np.asarray(part_of(signal, region))
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
