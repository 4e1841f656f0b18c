"""Signals on their way through the body of an aggregating network: piece after piece, or whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from scanwise.presence.parts import Part
from scanwise.presence.signals import read
from scanwise.presence.tiles import Band, Grid

__all__ = [
    "Body",
    "Layout",
    "PlainBody",
    "Signal",
    "Tile",
    "batches",
    "pieces",
    "read_tile",
    "read_whole",
]

T = TypeVar("T")

_BATCH_BYTES = 1 << 24
_BATCH_TILES = 16


@dataclass(frozen=True)
class Layout:
    """Where the body's positions lie on a signal of some size.

    Attributes:
        grid: the positions.
        whole: whether the signal goes through the body as a whole.
        padding: samples or pixels by which the first position reaches over the beginning of each axis.
    """

    grid: Grid
    whole: bool
    padding: tuple[int, ...]

    def pieces(self, channels: int) -> int:
        """How many `pieces` a signal comes in."""
        return 1 if self.whole else self.grid.band_count(channels)


@dataclass(frozen=True)
class Signal:
    """One signal.

    Attributes:
        number: its place in the list.
        values: `(C, T)` or `(C, H, W)`.
        layout: of its size.
    """

    number: int
    values: NDArray[Any]
    layout: Layout

    def spans(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(starts, stops), `(J, axes)` each, of the receptive fields of positions, as far as they lie in the signal."""
        grid, extent = self.layout.grid, self.values.shape[1:]
        index = np.stack(np.unravel_index(places, grid.positions), axis=1)
        starts = index * grid.stride - self.layout.padding
        return np.clip(starts, 0, extent), np.clip(starts + grid.field, 0, extent)


@dataclass(frozen=True)
class Tile:
    """A part of a signal that has been read, or all of it.

    Attributes:
        signal: that it is of.
        start: the first position that it gives, along each axis.
        values: C-contiguous float32, or uint8.
    """

    signal: Signal
    start: tuple[int, ...]
    values: NDArray[Any]

    @property
    def first(self) -> tuple[int, ...]:
        """Its first sample or pixel, along each axis."""
        return tuple(p * s for p, s in zip(self.start, self.signal.layout.grid.stride, strict=True))


class Body(Protocol):
    """The layers before the `Aggregate`."""

    def forward(self, tiles: Sequence[Tile]) -> NDArray[np.float32]:
        """Values `(N, J, *positions)` of tiles of one shape and dtype."""
        ...

    def parameter_gradients(
        self, tiles: Sequence[Tile], dy: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float64]]:
        """Gradients of `sum(y * dy)` by the parameters, by their names in the network."""
        ...


class PlainBody:
    """The layers as they predict."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def forward(self, tiles: Sequence[Tile]) -> NDArray[np.float32]:
        """Values; tiles are inputs of a network made for one position's receptive field."""
        layout, values = tiles[0].signal.layout, [tile.values for tile in tiles]
        if layout.whole:
            return self._part.at(values[0].shape).executor.forward(np.stack(values))
        window = (values[0].shape[0], *layout.grid.field)
        return self._part.at(window).executor.forward_at(values)

    def parameter_gradients(
        self, tiles: Sequence[Tile], dy: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float64]]:
        """Gradients of `sum(y * dy)`."""
        x = np.stack([tile.values for tile in tiles])
        found = self._part.at(x.shape[1:]).executor.parameter_gradients(x, dy)
        return {self._part.place(name): gradient.astype(np.float64) for name, gradient in found.items()}


@dataclass(frozen=True)
class _Placed:
    """A tile on its way into a band."""

    tile: Tile
    band: Band
    last: bool  # of the band


def pieces(
    body: Body, channels: int, signals: Sequence[Signal]
) -> Iterator[tuple[Signal, NDArray[np.float32]]]:
    """The body's values of all signals, `(J, n)` after `(J, n)`. The pieces of a signal come in row-major order.

    Signals of one size come one after another, since a size is compiled, and so do those whose tiles are equal, so that
    several go through the body together.
    """
    for signal in sorted((s for s in signals if s.layout.whole), key=lambda s: s.values.shape):
        yield signal, body.forward([read_whole(signal)])[0].reshape(channels, -1)
    tiled = sorted((s for s in signals if not s.layout.whole), key=lambda s: s.layout.grid.counts)
    for group in batches(_tiles(tiled, channels), lambda placed: placed.tile.values):
        maps = body.forward([placed.tile for placed in group])
        for placed, values in zip(group, maps, strict=True):
            placed.band.put(placed.tile.start, values)
            if placed.last:
                yield placed.tile.signal, placed.band.take()


def batches(tiles: Iterable[T], values_of: Callable[[T], NDArray[Any]]) -> Iterator[list[T]]:
    """Neighbouring tiles that can go through the body together, of one shape and dtype, a bounded number at a time."""
    batch: list[T] = []
    for tile in tiles:
        values = values_of(tile)
        if batch:
            first = values_of(batch[0])
            full = len(batch) == _BATCH_TILES or (len(batch) + 1) * values.nbytes > _BATCH_BYTES
            if full or (values.shape, values.dtype) != (first.shape, first.dtype):
                yield batch
                batch = []
        batch.append(tile)
    if batch:
        yield batch


def _tiles(signals: Sequence[Signal], channels: int) -> Iterator[_Placed]:
    """Tiles are read when they are asked for."""
    for signal in signals:
        for band in signal.layout.grid.bands(channels):
            starts = band.tiles()
            for start in starts:
                yield _Placed(read_tile(signal, start), band, start is starts[-1])


def read_whole(signal: Signal) -> Tile:
    """A signal that goes through the body as a whole."""
    extent = signal.values.shape[1:]
    nowhere = (0,) * len(extent)
    return Tile(signal, nowhere, read(signal.values, signal.number, nowhere, extent))


def read_tile(signal: Signal, start: tuple[int, ...]) -> Tile:
    """The part of the signal that a tile sees. What lies between it and the next tile or the signal's end is read
    too: no position looks there, but it must be finite as well.
    """
    grid = signal.layout.grid
    span = grid.span(grid.counts)
    first = tuple(p * s for p, s in zip(start, grid.stride, strict=True))
    reach = tuple(
        extent - f if p + n == total else max(inside, n * stride)
        for extent, f, p, n, total, inside, stride in zip(
            signal.values.shape[1:], first, start, grid.counts, grid.positions, span, grid.stride, strict=True
        )
    )
    values = read(signal.values, signal.number, first, reach)[(slice(None), *map(slice, span))]
    return Tile(signal, start, np.ascontiguousarray(values))
