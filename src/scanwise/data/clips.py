"""Clips as long as they are: of unequal length, and read when they are asked for.

Cropped to a window, a clip may lose what its label speaks of; padded, it costs as much as the longest. A network that
aggregates over all positions takes clips as they are.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from scanwise.data.window import QUANTILE, place
from scanwise.errors import ArgumentError
from scanwise.memory import available_bytes

__all__ = ["ClipMode", "ClipRule", "Clips", "Surveyed", "settled_mode"]

ClipMode = Literal["windows", "whole", "mixed"]

MODES = ("windows", "whole", "mixed")

# Of the memory that is left, what clips may take that have been read and will be asked for again.
_KEPT_SHARE = 0.25

# Padded to more than this many times their length together, clips stay whole.
_MOST_PADDING = 2.0


@dataclass(frozen=True)
class Surveyed:
    """What is known of files before they are read.

    Attributes:
        input_shape: (C, T) or (C, H, W) of a window.
        sample_rate: at which recordings are read, in Hz; None otherwise.
        extents: of every file, as it is read.
        located: whether places are known, about which windows can be cut.
    """

    input_shape: tuple[int, ...]
    sample_rate: int | None
    extents: tuple[tuple[int, ...], ...]
    located: bool = False

    @property
    def better_whole(self) -> bool:
        """Whether windows of the files lose or waste much: more than one file in twenty is longer than a window, or
        all windows together, as far as the longest file reaches, are more than twice as large as the files.

        Example:
            >>> [Surveyed((1, 10), None, ((10,), (length,))).better_whole for length in (8, 80)]
            [False, True]
        """
        window = self.input_shape[1:]
        longer = sum(any(e > w for e, w in zip(extent, window, strict=True)) for extent in self.extents)
        longest = tuple(map(max, zip(*self.extents, strict=True)))
        windows = len(self.extents) * math.prod(map(min, window, longest))
        return longer > (1 - QUANTILE) * len(self.extents) or windows > _MOST_PADDING * sum(
            map(math.prod, self.extents)
        )


ClipRule = ClipMode | Callable[[Surveyed], ClipMode]
"""How clips of unequal length become samples, or what decides it when their lengths are known."""


def settled_mode(rule: ClipRule, surveyed: Surveyed) -> ClipMode:
    """The mode that a rule gives.

    Raises:
        ArgumentError: it is none.
    """
    mode = rule(surveyed) if callable(rule) else rule
    if mode not in MODES:
        raise ArgumentError(f"clips must be one of {', '.join(map(repr, MODES))}. Got {mode!r}.")
    return mode


class Clips(Sequence[NDArray[Any]]):
    """Signals of unequal extent: `clips[i]` is (C, T) or (C, H, W).

    Files are read when they are asked for, and kept as far as they take no more than a quarter of the memory that is
    left; so a data set may be larger than memory, if each of its clips is not.

    Args:
        input_shape: (C, T) or (C, H, W): the window of a model for them.
        dtype: of all clips.
        read: reads a file.

    Example:
        >>> clips = Clips((1, 4), np.dtype(np.float32), lambda path: np.load(path))
        >>> clips.add_window(np.ones((1, 4)))
        >>> len(clips), clips.at_least((6,))[0].tolist()
        (1, [[0.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    """

    def __init__(
        self, input_shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[Path], NDArray[Any]]
    ) -> None:
        self.input_shape, self.dtype = input_shape, dtype
        self._read = read
        self._sources: list[NDArray[Any] | Path] = []
        self._smallest: tuple[int, ...] = (1,) * (len(input_shape) - 1)
        self._moments: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._kept: dict[Path, NDArray[Any]] = {}
        self._room = [int(_KEPT_SHARE * available_bytes())]  # shared with copies, as what is kept is

    def add_window(self, window: NDArray[Any]) -> None:
        """Add a clip that is in memory."""
        self._sources.append(window)

    def add_file(self, path: Path, content: NDArray[Any]) -> None:
        """Add a file, which has been read once: what it holds is checked before a training begins."""
        self._sources.append(path)
        self._keep(path, content)

    def at_least(self, extent: tuple[int, ...]) -> Self:
        """The same, smaller clips padded to this extent with zeros about their centre."""
        other = copy.copy(self)
        other._smallest = extent
        return other

    def standardised(self, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Self:
        """The same in float32, less a mean (C, ...) and divided by a deviation."""
        other = copy.copy(self)
        other._moments, other.dtype = (mean, deviation), np.dtype(np.float32)
        return other

    def take(self, indices: NDArray[np.int64]) -> Self:
        """These clips, in this order."""
        other = copy.copy(self)
        other._sources = [self._sources[i] for i in indices]
        return other

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[Any]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | list[NDArray[Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        clip = self._padded(self._source(self._sources[index]))
        if self._moments is not None:
            mean, deviation = self._moments
            clip = (clip - mean) / deviation
        return clip.astype(self.dtype, copy=False)

    def _source(self, source: NDArray[Any] | Path) -> NDArray[Any]:
        if not isinstance(source, Path):
            return source
        if source in self._kept:
            return self._kept[source]
        content = self._read(source)
        self._keep(source, content)
        return content

    def _keep(self, path: Path, content: NDArray[Any]) -> None:
        if path not in self._kept and content.nbytes <= self._room[0]:
            self._room[0] -= content.nbytes
            self._kept[path] = np.array(content)  # a mapped file is not what is kept

    def _padded(self, clip: NDArray[Any]) -> NDArray[Any]:
        extent = tuple(map(max, clip.shape[1:], self._smallest))
        if extent == clip.shape[1:]:
            return clip
        padded = np.zeros((clip.shape[0], *extent), clip.dtype)
        place(clip, padded)
        return padded
