"""Cutting windows out of files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data.annotation.collection import AnnotatedFile
from scanwise.data.annotation.gaps import Place
from scanwise.data.audio import audio_chunks, audio_name
from scanwise.data.dataset import require_finite
from scanwise.data.folder import Reader
from scanwise.data.window import place

__all__ = ["fill"]


def fill(windows: NDArray[Any], file: AnnotatedFile, places: list[Place] | None, reader: Reader) -> None:
    """Copy the parts of one file into windows (n, C, ...); a recording of any length is read in pieces.

    Args:
        windows: zeros, one for each place.
        file: that they are from.
        places: where they begin, sorted; None is one window about the centre of the whole file.
        reader: of the file.
    """
    if places is None:
        place(reader.read(file.path), windows[0])
        return
    first = np.array([at[0] for at in places])  # sorted
    for piece, start in _pieces(file, reader):
        low = np.searchsorted(first, start[0] - windows.shape[2], side="right")
        high = np.searchsorted(first, start[0] + piece.shape[1], side="left")
        for i in range(int(low), int(high)):
            _copy(piece, start, windows[i], places[i])


def _pieces(file: AnnotatedFile, reader: Reader) -> Iterator[tuple[NDArray[Any], Place]]:
    """Parts of a file (C, ...), and where they begin."""
    if reader.kind != "audio":
        whole = reader.read(file.path)
        yield whole, (0,) * (whole.ndim - 1)
        return
    name = audio_name(file.path, file.sample_rate or 1, reader.sample_rate)
    done = 0
    for piece in audio_chunks(file.path, reader.sample_rate):
        require_finite(piece[0], name)
        yield piece, (done,)
        done += piece.shape[1]


def _copy(piece: NDArray[Any], start: Place, window: NDArray[Any], at: Place) -> None:
    """Copy what a window at `at` has in common with a piece that begins at `start`."""
    source: list[slice] = [slice(None)]
    target: list[slice] = [slice(None)]
    for begin, length, first, size in zip(start, piece.shape[1:], at, window.shape[1:], strict=True):
        low, high = max(begin, first), min(begin + length, first + size)
        if low >= high:
            return
        source.append(slice(low - begin, high - begin))
        target.append(slice(low - first, high - first))
    window[tuple(target)] = piece[tuple(source)]
