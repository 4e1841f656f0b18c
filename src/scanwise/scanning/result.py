"""What a scan gives back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.scanning.detection import Candidates, Detection, best_of_overlapping, overlap_pattern
from scanwise.scanning.grid import Axis, Coverage
from scanwise.scanning.probability import margins, probabilities

_PIECE = 1 << 20  # scores turned into probabilities in one go


@dataclass(frozen=True, eq=False)
class ScanResult:
    """Scores of all windows of a signal.

    Attributes:
        scores: `(K, P)` or `(K, P, Q)` float32: the network's outputs, bit for bit what `model(window)` gives.
        window: extent of a window: samples, or (rows, columns).
        step: between neighbouring windows: samples, or (rows, columns).
        coverage: which part of the signal lies in a window.
        method: `"shared"` (each shared value was computed once), `"partly shared"` (those of the layers before the
            first that keeps windows from sharing) or `"windows"` (every window by itself).
        reason: why that method.
        labels: names of the K outputs, or None.
        background: the label that is never reported as a detection, or None.
        sample_rate: samples per second, or None.
        activation: how scores become probabilities: `"softmax"`, `"sigmoid"`, `"probability"` (they are) or `"value"`
            (they do not; see `scanning.probability`).
        exclusive: whether a window shows one label at most.

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

    @property
    def window(self) -> int | tuple[int, ...]:
        """Extent of a window: samples, or (rows, columns)."""
        return _plain(tuple(axis.window for axis in self.axes))

    @property
    def step(self) -> int | tuple[int, ...]:
        """Samples, or (rows, columns), between neighbouring windows."""
        return _plain(tuple(axis.step for axis in self.axes))

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
        """`(K,)`: for each label the largest probability of any window: does it occur anywhere?"""
        best = np.full(len(self.scores), -np.inf)
        for _, piece in self._pieces():
            best = np.maximum(best, probabilities(piece, self.activation).max(axis=1))
        return best

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
        self._check(threshold, overlap)
        counts = self.scores.shape[1:]
        candidates = self._candidates(threshold)
        window, step = (tuple(getattr(axis, name) for axis in self.axes) for name in ("window", "step"))
        reach = overlap_pattern(window, step, counts, overlap)
        half = [axis.window // 2 // axis.step for axis in self.axes]
        kept = best_of_overlapping(candidates, counts, reach, half, exclusive=self.exclusive)
        found = [self._detection(candidates, i) for i in kept]
        return sorted(found, key=lambda detection: (detection.start, detection.index))

    def _check(self, threshold: object, overlap: object) -> None:
        for name, value in (("threshold", threshold), ("overlap", overlap)):
            if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
                raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
            bounded = name == "overlap" or self.activation != "value"
            if not math.isfinite(value) or (bounded and not 0.0 <= value <= 1.0):
                raise ArgumentError(
                    f"{name} must be {'between 0 and 1' if bounded else 'finite'}. Got {value!r}."
                )

    def _candidates(self, threshold: float) -> Candidates:
        counts = self.scores.shape[1:]
        silent = self.labels.index(self.background) if self.labels and self.background is not None else None
        parts = []
        for first, piece in self._pieces():
            p = probabilities(piece, self.activation)
            if silent is not None:
                p[silent] = -np.inf
            label, place = np.nonzero(p >= threshold)
            if len(label):
                rank = margins(piece, self.activation)[label, place]
                parts.append((label, place + first, p[label, place], rank))
        if not parts:
            empty = np.empty(0)
            nothing = np.empty(0, np.intp)
            return Candidates(nothing, np.empty((0, len(counts)), np.intp), empty, empty)
        label, place, score, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Candidates(label, np.stack(np.unravel_index(place, counts), axis=1), score, rank)

    def _pieces(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(number of the first window, scores `(K, n)`), windows in row-major order."""
        flat = self.scores.reshape(len(self.scores), -1)
        size = max(1, _PIECE // len(flat))
        for first in range(0, flat.shape[1], size):
            yield first, flat[:, first : first + size]

    def _detection(self, candidates: Candidates, i: int) -> Detection:
        start = tuple(int(p) * axis.step for p, axis in zip(candidates.place[i], self.axes, strict=True))
        stop = tuple(begin + axis.window for begin, axis in zip(start, self.axes, strict=True))
        index = int(candidates.label[i])
        return Detection(
            label=self.labels[index] if self.labels else str(index),
            index=index,
            score=float(candidates.score[i]),
            start=start[0] if len(start) == 1 else (start[0], start[1]),
            stop=stop[0] if len(stop) == 1 else (stop[0], stop[1]),
            sample_rate=self.sample_rate,
        )

    def __repr__(self) -> str:
        return (
            f"<ScanResult of {math.prod(self.scores.shape[1:]):,} windows: scores {self.scores.shape}, "
            f"window {self.window}, step {self.step}, method {self.method!r}>"
        )


def _plain(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(values) == 1 else values
