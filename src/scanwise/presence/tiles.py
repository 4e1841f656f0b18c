"""A network's positions on a signal in tiles, and tiles in bands, so that memory does not grow with the signal.

A tile is some neighbouring positions, evaluated together. A band is all positions of some rows (of a signal in one
dimension: some positions), which several tiles fill: what reads the bands one after another has all positions in
row-major order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Positions of a tile along each axis, at most: many more than a receptive field has, so that little is computed twice
# at the tile's edges, and few enough for its maps to fit into memory anywhere.
TILE_POSITIONS = {1: 1024, 2: 32}
# Samples or pixels in a tile, at most (unless few positions need more): bounds the maps of networks with a large
# stride.
TILE_EXTENT = 1 << 18
# Values in a band, at most (unless a row of tiles has more): 16 MiB. What fits into one band is evaluated once.
BAND_VALUES = 1 << 22


@dataclass(frozen=True)
class Grid:
    """The positions of a network on one signal.

    Attributes:
        positions: along each axis.
        field: receptive field of a position, in samples or pixels.
        stride: between neighbouring positions.
    """

    positions: tuple[int, ...]
    field: tuple[int, ...]
    stride: tuple[int, ...]

    def span(self, counts: Sequence[int]) -> tuple[int, ...]:
        """Samples or pixels from the start of a tile to its end."""
        return tuple(f + (n - 1) * s for f, n, s in zip(self.field, counts, self.stride, strict=True))

    @property
    def counts(self) -> tuple[int, ...]:
        """Positions of every tile. New sizes are compiled, so that all of them are powers of two."""
        most = TILE_POSITIONS[len(self.positions)]
        counts = [1 << (min(most, n).bit_length() - 1) for n in self.positions]
        limit = max(TILE_EXTENT, 4 * math.prod(self.field))
        while max(counts) > 1 and math.prod(self.span(counts)) > limit:
            spans = self.span(counts)
            widest = max(range(len(counts)), key=lambda a: (counts[a] > 1, spans[a]))
            counts[widest] //= 2
        return tuple(counts)

    def bands(self, channels: int) -> Iterator[Band]:
        """All bands, in order. Their rows are at least a tile's; only the last may have fewer."""
        rows = self._band_rows(channels)
        for first in range(0, self.positions[0], rows):
            yield Band(self, channels, first, min(first + rows, self.positions[0]))

    def band_count(self, channels: int) -> int:
        """How many bands there are."""
        return -(-self.positions[0] // self._band_rows(channels))

    def _band_rows(self, channels: int) -> int:
        return max(self.counts[0], BAND_VALUES // (channels * math.prod(self.positions[1:])))


class Band:
    """The values of some rows of positions.

    Args:
        grid: all positions.
        channels: J.
        first, stop: the rows.
    """

    def __init__(self, grid: Grid, channels: int, first: int, stop: int) -> None:
        self.grid, self.first, self.stop = grid, first, stop
        self._shape = (channels, stop - first, *grid.positions[1:])
        self._values: NDArray[np.float32] | None = None

    def tiles(self) -> list[tuple[int, ...]]:
        """The first position of each tile. The last along an axis is moved back to end with the last position."""
        ranges = [(self.first, self.stop), *((0, n) for n in self.grid.positions[1:])]
        starts = [
            [min(start, stop - n) for start in range(first, stop, n)]
            for (first, stop), n in zip(ranges, self.grid.counts, strict=True)
        ]
        return list(itertools.product(*starts))

    def put(self, tile: tuple[int, ...], values: NDArray[np.float32]) -> None:
        """Take the values `(J, *counts)` of a tile. Those of rows before the band are left out."""
        if self._values is None:  # bands wait in a queue before there is something to put
            self._values = np.empty(self._shape, np.float32)
        before = max(0, self.first - tile[0])
        row, *rest = tile
        to = [slice(row + before - self.first, row + values.shape[1] - self.first)]
        to += [slice(start, start + n) for start, n in zip(rest, values.shape[2:], strict=True)]
        self._values[(slice(None), *to)] = values[:, before:]

    def take(self) -> NDArray[np.float32]:
        """All values, `(J, positions)`; the band lets go of them."""
        assert self._values is not None
        values, self._values = self._values, None
        return values.reshape(len(values), -1)
