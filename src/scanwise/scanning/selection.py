"""Which windows become detections: the choices that a user has, checked and applied in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.scanning.detection import Detection
from scanwise.scanning.events import merged, within
from scanwise.scanning.grid import per_axis
from scanwise.scanning.reading import Reading

Threshold = float | Mapping[str, float] | None
Extent = int | tuple[int, int] | None


@dataclass(frozen=True)
class Selection:
    """What becomes a detection; `ScanResult.detections` says what each attribute means.

    >>> reading = Reading(("bird", "frog"), None, None, "sigmoid", False, thresholds=(0.9, 0.5))
    >>> selection = Selection({"frog": 0.7}, low=0.5)
    >>> selection.check(reading, axes=1)
    >>> selection.thresholds(reading).tolist(), selection.lowest(reading).tolist(), selection.joins
    ([0.9, 0.7], [0.5, 0.5], True)
    """

    threshold: Threshold = None
    overlap: float = 0.2
    low: float | None = None
    merge: Extent = None
    min_extent: Extent = None
    max_extent: Extent = None

    def check(self, reading: Reading, axes: int) -> None:
        """Raise ArgumentError or ArgumentTypeError unless this fits scores that are read so, and so many axes."""
        given: dict[str, object] = {"overlap": self.overlap}
        if isinstance(self.threshold, Mapping):
            unknown = [label for label in self.threshold if label not in reading.names]
            if unknown:
                raise ArgumentError(
                    f"threshold must be of labels of the model ({', '.join(reading.names)}). Got {unknown[0]!r}."
                )
            given |= {f"threshold of {label!r}": value for label, value in self.threshold.items()}
        elif self.threshold is not None:
            given["threshold"] = self.threshold
        if self.low is not None:
            given["low"] = self.low
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
                raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
            bounded = name == "overlap" or reading.activation != "value"
            if not _is_finite(value) or (bounded and not 0.0 <= value <= 1.0):
                raise ArgumentError(
                    f"{name} must be {'between 0 and 1' if bounded else 'finite'}. Got {value!r}."
                )
        self._check_low(reading)
        for name, least in (("merge", 0), ("min_extent", 1), ("max_extent", 1)):
            self._extent(name, axes, least)

    def _check_low(self, reading: Reading) -> None:
        """No event of a label could go on below its threshold and never reach it."""
        least = self.thresholds(reading)
        if self.low is None or self.low <= least.min():
            return
        label = int(least.argmin())
        of = "" if (least == least[0]).all() else f" of {reading.names[label]!r}"
        raise ArgumentError(f"low must be at most threshold{of}, {float(least[label])!r}. Got {self.low!r}.")

    def thresholds(self, reading: Reading) -> NDArray[np.float64]:
        """`(K,)`: what one window of a detection must reach, for every label."""
        if self.threshold is None:
            return np.array(reading.thresholds)
        if isinstance(self.threshold, Mapping):
            named = zip(reading.names, reading.thresholds, strict=True)
            return np.array([self.threshold.get(name, value) for name, value in named], np.float64)
        return np.full(len(reading.thresholds), self.threshold, np.float64)

    def lowest(self, reading: Reading) -> NDArray[np.float64]:
        """`(K,)`: the probability from which on a window is a candidate for each label.

        Where labels compete they do so from the lowest of the thresholds on: what is found at thresholds is then what
        is found at lower ones without that which reaches none, however they differ.
        """
        least = self.thresholds(reading)
        if self.low is not None:
            return np.full_like(least, self.low)
        if reading.exclusive and not self.joins:
            return np.full_like(least, least.min())
        return least

    @property
    def joins(self) -> bool:
        """Whether neighbouring windows are joined to events, rather than compete."""
        return self.low is not None or self.merge is not None

    def finished(self, detections: list[Detection], axes: int) -> list[Detection]:
        """Detections of events, merged where they are near, without those of unwanted extent, in order."""
        gap = self._extent("merge", axes, 0)
        if gap is not None:
            detections = merged(detections, gap)
        smallest, largest = (self._extent(name, axes, 1) for name in ("min_extent", "max_extent"))
        if smallest or largest:
            detections = within(detections, smallest, largest)
        return sorted(detections, key=lambda found: (found.start, found.index))

    def _extent(self, name: str, axes: int, least: int) -> tuple[int, ...] | None:
        value = getattr(self, name)
        return None if value is None else per_axis(name, value, axes, least)


def _is_finite(value: float | np.floating | np.integer) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int of hundreds of digits
        return False
