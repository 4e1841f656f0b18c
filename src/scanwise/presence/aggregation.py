"""`Aggregate` over positions that come piece by piece, with the bits that its kernels give for all of them at once.

A kernel goes through the positions in row-major order and sums each channel in one chain (`kernels/aggregate.py`,
`kernels/pool.py`). A chain can be interrupted anywhere: its sum so far is all that the next piece needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels.maps import lanes_for, round_up
from scanwise.layers import Aggregate, Shape
from scanwise.plan import functions

Values = NDArray[np.float32]


class Aggregates:
    """What an `Aggregate` gives for one signal: one aggregate of all positions, or one of each cell of its grid.

    Args:
        layer: the `Aggregate`.
        channels: J.
        positions: how many the signal has, along each axis.

    Attributes:
        sums_exponentials: whether all pieces must have been looked at before the first is added: the largest value is
            subtracted, so that no exponential overflows.
    """

    def __init__(self, layer: Aggregate, channels: int, positions: Shape) -> None:
        self._layer, self._shape = layer, (channels, *positions)
        self._cells = [(cell, Aggregation(layer.mode, channels)) for cell in layer.cells(self._shape)]
        self.sums_exponentials = layer.mode in ("logsumexp", "softmax")
        self._looked_at = self._added = 0  # positions

    def look(self, piece: Values) -> None:
        """Take the next positions, `(J, n)`, of images whole rows."""
        for aggregation, part in self._parts(piece, self._looked_at):
            aggregation.look(part)
        self._looked_at += piece.shape[1]

    def add_exponentials(self, piece: Values) -> None:
        """Take the positions a second time, in the same order, when all of them have been looked at."""
        for aggregation, part in self._parts(piece, self._added):
            aggregation.add_exponentials(part)
        self._added += piece.shape[1]

    def _parts(self, piece: Values, first: int) -> Iterator[tuple[Aggregation, Values]]:
        """What each cell has of a piece that begins at position `first`."""
        channels, _, *others = self._shape
        values = piece.reshape(channels, -1, *others)
        before, rows = first // math.prod(others), values.shape[1]
        for cell, aggregation in self._cells:
            along, *rest = cell.positions
            start, stop = max(along.start - before, 0), min(along.stop - before, rows)
            if start < stop:
                yield aggregation, values[(slice(None), slice(start, stop), *rest)].reshape(channels, -1)

    @property
    def value(self) -> Values:
        """`(J,)`, or with a grid `(J, G)` or `(J, G, H)`: what the layer gives."""
        values = np.empty(self._layer.output_shape(self._shape), np.float32)
        for cell, aggregation in self._cells:
            values[cell.output] = aggregation.value
        return values

    @property
    def place(self) -> NDArray[np.int64]:
        """For each value, in row-major order, the number of the position in its cell with the largest value, the first
        of equal ones.
        """
        numbers = np.arange(math.prod(self._shape[1:])).reshape(self._shape[1:])
        places = np.empty(self._layer.output_shape(self._shape), np.int64)
        for cell, aggregation in self._cells:
            places[cell.output] = numbers[cell.positions].reshape(-1)[aggregation.place]
        return places.reshape(-1)


class Aggregation:
    """The aggregate of positions that come in pieces.

    Args:
        mode: of the `Aggregate`.
        channels: J.

    Attributes:
        place: `(J,)`, for each channel the number of the position with the largest value, the first of equal ones.
            In every mode no position has more weight: of a maximum it is the only one, of a sum of exponentials the
            one with the largest term.
    """

    def __init__(self, mode: str, channels: int) -> None:
        self.mode = mode
        self.place = np.zeros(channels, np.int64)
        self._positions = 0
        self._largest = np.full(channels, -np.inf, np.float32)
        self._sums = np.zeros(channels, np.float32)

    def look(self, piece: Values) -> None:
        """Take the next positions, `(J, n)`."""
        where = piece.argmax(axis=1)
        values = piece[np.arange(len(piece)), where]
        better = values > self._largest
        self._largest = np.where(better, values, self._largest)
        self.place = np.where(better, where + self._positions, self.place)
        self._positions += piece.shape[1]
        if self.mode == "mean":
            self._sum(piece)

    def add_exponentials(self, piece: Values) -> None:
        """Take the positions a second time, in the same order, when all of them have been looked at."""
        largest = self._largest[:, None] if self.mode == "logsumexp" else self._largest.max()
        self._sum(functions.exp(piece - largest))

    def _sum(self, terms: Values) -> None:
        """Continue each channel's chain of additions. (`sum` would add in another order.)"""
        chain = np.concatenate([self._sums[:, None], terms], axis=1)
        self._sums = np.add.accumulate(chain, axis=1, out=chain)[:, -1].copy()

    @property
    def value(self) -> Values:
        """`(J,)`: what the layer gives."""
        if self.mode == "max":
            return self._largest
        if self.mode == "mean":
            return self._sums / np.float32(self._positions)
        if self.mode == "logsumexp":
            return self._largest + functions.log(self._sums)
        return self._sums / _sum_of_channels(self._sums)


def _sum_of_channels(values: Values) -> np.float32:
    """Vector after vector, then the lanes in a tree of halves, as `JointSoftmaxForward` does."""
    lanes = lanes_for(len(values))
    total = np.zeros(lanes, np.float32)
    for vector in np.pad(values, (0, round_up(len(values), lanes) - len(values))).reshape(-1, lanes):
        total = total + vector
    while len(total) > 1:
        total = total[: len(total) // 2] + total[len(total) // 2 :]
    return np.float32(total[0])
