"""`Aggregate` over positions that come piece by piece, with the bits that its kernels give for all of them at once.

A kernel goes through the positions in row-major order and sums each channel in one chain (`kernels/aggregate.py`,
`kernels/pool.py`). A chain can be interrupted anywhere: its sum so far is all that the next piece needs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels.maps import lanes_for, round_up
from scanwise.plan import functions

Values = NDArray[np.float32]


class Aggregation:
    """The aggregate of one signal.

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

    @property
    def sums_exponentials(self) -> bool:
        """Whether all pieces must have been looked at before the first is added: the largest value is subtracted, so
        that no exponential overflows.
        """
        return self.mode in ("logsumexp", "softmax")

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
