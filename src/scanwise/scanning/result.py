"""What a scan gives back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.scanning.detection import Detection
from scanwise.scanning.grid import Axis, Coverage
from scanwise.scanning.search import Presence, Reading, Search, check_threshold

_PIECE = 1 << 20  # scores turned into probabilities in one go


@dataclass(frozen=True, eq=False)
class ScanResult:
    """Scores of all windows of a signal.

    Attributes:
        scores: `(K, P)` or `(K, P, Q)` float32: the network's outputs, bit for bit what `model(window)` gives. NaN for
            windows that were skipped. With `out`, a memory map of the file, or the zarr array.
        window: extent of a window: samples, or (rows, columns).
        step: between neighbouring windows: samples, or (rows, columns).
        coverage: which part of the signal lies in a window.
        method: `"shared"` (each shared value was computed once) or `"windows"` (every window by itself).
        reason: why that method.
        labels: names of the K outputs, or None.
        background: the label that is never reported as a detection, or None.
        sample_rate: samples per second, or None.
        activation: how scores become probabilities: `"softmax"`, `"sigmoid"`, `"probability"` (they are) or `"value"`
            (they do not; see `scanning.probability`).
        exclusive: whether a window shows one label at most.
        replaced: values that were not finite and taken as zero (`nan="zero"`).

    >>> import scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(3, 4), sw.Aggregate("max")), (1, 8))
    >>> result = sw.scan(model, np.zeros((1, 20)), step=2)
    >>> result.scores.shape, result.positions, result.presence.shape
    ((3, 7), array([ 0,  2,  4,  6,  8, 10, 12]), (3,))
    """

    scores: NDArray[np.float32]
    axes: tuple[Axis, ...]
    coverage: Coverage
    method: str
    reason: str
    labels: tuple[str, ...] | None
    background: str | None
    sample_rate: float | None
    activation: str
    exclusive: bool
    replaced: int = 0

    @property
    def window(self) -> int | tuple[int, ...]:
        """Extent of a window: samples, or (rows, columns)."""
        return plain(tuple(axis.window for axis in self.axes))

    @property
    def step(self) -> int | tuple[int, ...]:
        """Samples, or (rows, columns), between neighbouring windows."""
        return plain(tuple(axis.step for axis in self.axes))

    @property
    def positions(self) -> NDArray[np.int64]:
        """Window starts: `(P,)` in samples, or `(P, Q, 2)` with (row, column) in pixels.

        `positions[p]` is the start of the window that `scores[:, p]` is about.
        """
        if len(self.axes) == 1:
            return self.axes[0].starts
        return np.stack(np.meshgrid(*(axis.starts for axis in self.axes), indexing="ij"), axis=-1)

    @property
    def presence(self) -> NDArray[np.float64]:
        """`(K,)`: for each label the largest probability of any window: does it occur anywhere?

        NaN if no window has a score.
        """
        presence = Presence(self.scores.shape[0], self.activation)
        for _, piece in self._pieces():
            presence.add(piece)
        return presence.best

    def detections(self, threshold: float = 0.5, *, overlap: float = 0.2) -> list[Detection]:
        """What was found where: windows whose probability reaches `threshold`, the best of overlapping ones.

        Of two windows that overlap too much the one that speaks more strongly for its label stays; of neighbours that
        speak for it equally (all that hold an event, if the network ends in a maximum) the one in the middle. Windows
        of different labels compete if a window shows one label at most (softmax), and do not if it may show several
        (sigmoid). The background label is never reported.

        Args:
            threshold: smallest probability, 0 to 1 (for a model trained with `"mse"`: smallest output, any number).
            overlap: intersection over union above which two windows count as overlapping, 0 (any overlap) to 1.

        Returns:
            Detections in the order of their places; the sort key is the start, then the label.

        Raises:
            ArgumentError, ArgumentTypeError: an argument is not as stated.
        """
        check_threshold(threshold, overlap, self.activation)
        reading = Reading(self.labels, self.background, self.sample_rate, self.activation, self.exclusive)
        search = Search(reading, threshold, overlap, self.axes)
        for first, piece in self._pieces():
            search.add(first, piece)
        return search.found(self.axes)

    def _pieces(self) -> Iterator[tuple[tuple[int, ...], NDArray[np.float32]]]:
        """(number of the first window, scores `(K, *counts)`), of some rows of windows each."""
        size = max(1, _PIECE // (self.scores.shape[0] * math.prod(self.scores.shape[2:])))
        for first in range(0, self.scores.shape[1], size):
            piece = np.asarray(self.scores[:, first : first + size])
            yield (first, *(0 for _ in self.axes[1:])), piece

    def __repr__(self) -> str:
        return (
            f"<ScanResult of {math.prod(self.scores.shape[1:]):,} windows: scores {self.scores.shape}, "
            f"window {self.window}, step {self.step}, method {self.method!r}>"
        )


def plain(values: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number for one axis."""
    return values[0] if len(values) == 1 else values
