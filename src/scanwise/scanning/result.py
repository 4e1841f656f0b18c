"""What a scan gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.scanning.detection import Detection, Support
from scanwise.scanning.events import Event
from scanwise.scanning.grid import Axis, Coverage, one_or_pair
from scanwise.scanning.reading import THRESHOLD, Reading
from scanwise.scanning.search import Presence, Search
from scanwise.scanning.selection import Selection, Threshold
from scanwise.scanning.support import SupportFinder

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
        method: `"shared"` (each shared value was computed once), `"partly shared"` (those of the layers before the
            first that keeps windows from sharing) or `"windows"` (every window by itself).
        reason: why that method.
        labels: names of the K outputs, or None.
        background: the label that is never reported as a detection, or None.
        sample_rate: samples per second, or None.
        activation: how scores become probabilities: `"softmax"`, `"sigmoid"`, `"probability"` (they are) or `"value"`
            (they do not; see `scanning.probability`).
        exclusive: whether a window shows one label at most.
        thresholds: K numbers, from which probability on each label counts as found: what the model was calibrated to,
            or 0.5; none stands for 0.5.
        temperature: that scores are divided by before they become probabilities.
        replaced: values that were not finite and taken as zero (`nan="zero"`).
        find_support: finds the supports of detections in the signal, or None if that is not kept.

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
    thresholds: tuple[float, ...] = ()
    temperature: float = 1.0
    replaced: int = 0
    find_support: SupportFinder | None = field(default=None, repr=False)

    @property
    def window(self) -> int | tuple[int, int]:
        """Extent of a window: samples, or (rows, columns)."""
        return one_or_pair([axis.window for axis in self.axes])

    @property
    def step(self) -> int | tuple[int, int]:
        """Samples, or (rows, columns), between neighbouring windows."""
        return one_or_pair([axis.step for axis in self.axes])

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
        presence = Presence(self.reading)
        for _, piece in self._pieces():
            presence.add(piece)
        return presence.best

    def detections(
        self,
        threshold: Threshold = None,
        *,
        overlap: float = 0.2,
        low: float | None = None,
        merge: int | tuple[int, int] | None = None,
        min_extent: int | tuple[int, int] | None = None,
        max_extent: int | tuple[int, int] | None = None,
    ) -> list[Detection]:
        """What was found where: windows whose probability reaches a threshold, the best of overlapping ones or joined.

        Without `low` and `merge` windows compete, and every detection is one window. Of two windows that overlap too
        much the one that speaks more strongly for its label stays; of neighbours that speak for it equally (all that
        hold an event, if the network ends in a maximum) the one in the middle. Windows of different labels compete if
        a window shows one label at most (softmax), and do not if it may show several (sigmoid).

        With `low` or `merge` neighbouring windows of one label are joined to an event, from the start of the first to
        the end of the last, with the score of the best. A window that shows one label at most belongs to the one that
        it speaks for most strongly. In an image an event is the smallest box around its windows.

        The background label is never reported.

        Args:
            threshold: smallest probability, 0 to 1 (for a model trained with `"mse"`: smallest output, any number): of
                all labels, or a mapping from some of them. None, and for labels that it does not name: what the model
                was calibrated to, else 0.5. Where labels compete, they do so from the lowest of the thresholds on.
            overlap: intersection over union above which two windows count as overlapping, 0 (any overlap) to 1. Of no
                meaning with `low` or `merge`.
            low: an event goes on through neighbouring windows whose probability reaches this, which is at most
                every label's threshold, as long as one of them reaches the threshold (hysteresis). None: each label's
                threshold.
            merge: events of one label are joined if at most so many samples, or pixels along each axis, lie between
                them: 0 joins those that touch or overlap. A pair is (rows, columns).
            min_extent: smallest extent of a detection, in samples or pixels; smaller ones are left out. No event is
                shorter than a window: n windows in a row are window + (n - 1) step.
            max_extent: largest extent of a detection; larger ones are left out.

        Returns:
            Detections in the order of their places; the sort key is the start, then the label.

        Raises:
            ArgumentError, ArgumentTypeError: an argument is not as stated.

        >>> import scanwise as sw
        >>> net = sw.Sequential(sw.Conv1d(1, 1, bias=False), sw.Aggregate("mean"), sw.Sigmoid())
        >>> model = sw.Model(net, (1, 4), labels=["high"])
        >>> model.parameters["0.weight"] = [[[1.0]]]
        >>> signal = np.full((1, 60), -4.0); signal[0, 10:30] = 4; signal[0, 34:40] = 4
        >>> result = sw.scan(model, signal)
        >>> [(found.start, found.stop) for found in result.detections(0.9, merge=2)]
        [(10, 30), (34, 40)]
        >>> [(found.start, found.stop) for found in result.detections(0.9, merge=2, min_extent=10)]
        [(10, 30)]
        """
        selection = Selection(threshold, overlap, low, merge, min_extent, max_extent)
        reading = self.reading
        selection.check(reading, len(self.axes))
        search = Search(reading, selection, self.axes)
        for first, piece in self._pieces():
            search.add(first, piece)
        return search.found(self.axes, self._trace)

    @property
    def reading(self) -> Reading:
        """How scores become probabilities, and which of these count."""
        return Reading(
            self.labels,
            self.background,
            self.sample_rate,
            self.activation,
            self.exclusive,
            self.thresholds or (THRESHOLD,) * len(self.scores),
            self.temperature,
        )

    def _pieces(self) -> Iterator[tuple[tuple[int, ...], NDArray[np.float32]]]:
        """(number of the first window, scores `(K, *counts)`), of some rows of windows each."""
        size = max(1, _PIECE // (self.scores.shape[0] * math.prod(self.scores.shape[2:])))
        for first in range(0, self.scores.shape[1], size):
            piece = np.asarray(self.scores[:, first : first + size])
            yield (first, *(0 for _ in self.axes[1:])), piece

    def _trace(self, event: Event, start: tuple[int, ...]) -> Callable[[], Support] | None:
        """A function that holds the signal, but not the scores."""
        find = self.find_support
        if find is None:
            return None
        score = float(self.scores[(event.label, *event.best)])
        return lambda: find(event.label, start, score)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "find_support": None}  # a copy in another process has no signal

    def __repr__(self) -> str:
        return (
            f"<ScanResult of {math.prod(self.scores.shape[1:]):,} windows: scores {self.scores.shape}, "
            f"window {self.window}, step {self.step}, method {self.method!r}>"
        )
