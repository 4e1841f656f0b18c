"""Detections while scores come: those of `ScanResult.detections`, told as soon as no later window can change them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scanwise import shapes
from scanwise.model import Model
from scanwise.scanning.detection import Detection
from scanwise.scanning.grid import Axis
from scanwise.scanning.reading import Reading
from scanwise.scanning.search import Search
from scanwise.scanning.selection import Selection, Threshold
from scanwise.scanning.tiling import ENDLESS

__all__ = ["LiveDetections"]


class LiveDetections:
    """Takes the scores of a stream and tells what was found where.

    Args:
        model: the model.
        step: between windows, in samples.
        threshold: smallest probability, as for `ScanResult.detections`: None, what the model was calibrated to.
        overlap: intersection over union above which two windows count as overlapping, 0 to 1.
    """

    def __init__(self, model: Model, step: int, threshold: Threshold = None, overlap: float = 0.2) -> None:
        (stride,) = shapes.receptive_field(model.network, model.input_shape)[1]
        axis = Axis(ENDLESS, model.input_shape[1], step, stride)
        self._search = Search(Reading.of(model), Selection(threshold, overlap), (axis,))
        self._windows = 0  # that have come

    def feed(self, scores: NDArray[np.float32]) -> list[Detection]:
        """Take the scores `(K, n)` of the next windows; what has become certain, in the order of the places."""
        if scores.shape[1] == 0:
            return []
        self._search.add([self._windows], scores)
        self._windows += scores.shape[1]
        return self._search.certain(self._windows)

    def flush(self) -> list[Detection]:
        """The signal has ended: all that is left."""
        return self._search.certain(None)
