"""What `Model.presence` gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Presence:
    """Whether patterns occur anywhere in signals, and where.

    For every signal and score there is one position of the network that decided most:

    - of a score that `Aggregate` gives, the position with the largest value in that channel, the first of equal ones.
      With `"max"` the score is that value; with `"logsumexp"` and `"softmax"` no position has more weight in the sum;
      with `"mean"` all weigh the same, and it is the one that raises the score most;
    - of a score of layers after the `Aggregate`, that of the channel that speaks most for the score: whose value times
      the gradient of the score is the largest. Of one `Linear` layer that is the channel with the largest term. With a
      grid it is a channel in one of the cells, and the position lies in that cell.

    Attributes:
        scores: `(N, K)` float32, the network's outputs.
        positions: `(N, K)`, or `(N, K, 2)` with (row, column): where the receptive field of that position starts, in
            samples or pixels. Where the network pads, the part of it that lies in the signal.
        stops: of the same shape, where it ends, exclusive.
        labels: names of the K outputs, or None.

    >>> import scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(1, 2, bias=False), sw.Aggregate("max")), (1, 4))
    >>> model.parameters["0.weight"] = [[[1.0, 1.0]]]
    >>> found = model.presence([[[0, 1, 2, 0]], [[0, 0, 0, 0, 5, 6, 0]]])
    >>> found.scores.tolist(), found.positions.tolist(), found.support.tolist()
    ([[3.0], [11.0]], [[1], [4]], [[[1, 3]], [[4, 6]]])
    """

    scores: NDArray[np.float32]
    positions: NDArray[np.int64]
    stops: NDArray[np.int64]
    labels: tuple[str, ...] | None

    @property
    def support(self) -> NDArray[np.int64]:
        """`(N, K, 2)`, or `(N, K, 2, 2)` with rows before columns: (start, stop) of what the position saw."""
        return np.stack([self.positions, self.stops], axis=-1)

    def __repr__(self) -> str:
        return f"<Presence of {self.scores.shape[1]} scores in {len(self.scores):,} signals>"
