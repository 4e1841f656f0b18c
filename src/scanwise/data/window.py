"""The window rule: how long a window is, and how clips of other lengths are brought to it.

- The window is what the user asks for. Otherwise it is the clips' own length if all are equal, and else the
  length that 95 % of the clips do not exceed, rounded up (audio: to 1/20 s; others: to a multiple of 8).
- A longer clip is cropped to its centre; a shorter one is put in the centre of a window of zeros (where the
  margin is odd, the extra element comes last).

The quantile, because one clip of ten times the usual length would make every window that long. The centre,
because recorded words and cut-out objects have their quiet margins on both sides, and because a detection
then has its window around the pattern, not behind it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.memory import available_bytes, gibibytes

# Seconds of audio, elements of a series, or rows and columns of an image.
Window = float | tuple[int, int]

QUANTILE = 0.95


def choose_extent(lengths: Sequence[int], multiple: int) -> int:
    """The default extent of one axis for clips of these lengths.

    Example:
        >>> choose_extent([30, 30], 8), choose_extent([10, 20, 30], 8)
        (30, 32)
    """
    if min(lengths) == max(lengths):
        return int(lengths[0])
    extent = float(np.quantile(np.asarray(lengths), QUANTILE, method="higher"))
    return math.ceil(extent / multiple) * multiple


def series_window(window: Window) -> int:
    """Check a window given for series: a whole number of elements."""
    if isinstance(window, tuple) or window < 1 or window % 1:
        raise ArgumentError(
            f"window must be a whole number of elements, at least 1, for series. Got {window!r}."
        )
    return int(window)


def image_window(window: Window) -> tuple[int, int]:
    """Check a window given for images: rows and columns, or one number for both."""
    H, W = window if isinstance(window, tuple) else (window, window)
    if min(H, W) < 1 or H % 1 or W % 1:
        raise ArgumentError(
            f"window must be whole numbers of pixels, at least 1, for images. Got {window!r}."
        )
    return int(H), int(W)


def place(clip: NDArray[Any], window: NDArray[Any]) -> None:
    """Copy the centre of `clip` (C, ...) into the centre of `window` (C, ...), which holds zeros."""
    source: list[slice] = [slice(None)]
    target: list[slice] = [slice(None)]
    for have, want in zip(clip.shape[1:], window.shape[1:], strict=True):
        first = max(have - want, 0) // 2
        start = max(want - have, 0) // 2
        length = min(have, want)
        source.append(slice(first, first + length))
        target.append(slice(start, start + length))
    window[tuple(target)] = clip[tuple(source)]


def empty_windows(number: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros (number, *shape), refused with a clear error where they exceed the machine's memory."""
    needed = number * math.prod(shape) * dtype.itemsize
    memory = available_bytes()
    message = (
        f"window must be small enough for {number} clips to fit into memory ({gibibytes(memory)} available). "
        f"Got a window of shape {shape}, {gibibytes(needed)} in all."
    )
    if needed > memory:
        raise ArgumentError(message)
    try:
        return np.zeros((number, *shape), dtype=dtype)
    except MemoryError:
        raise ArgumentError(message) from None
