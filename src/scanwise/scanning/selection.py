"""Which windows become detections: the choices that a user has, checked and applied in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.scanning.detection import Detection
from scanwise.scanning.events import merged, within
from scanwise.scanning.grid import per_axis

Extent = int | tuple[int, int] | None


@dataclass(frozen=True)
class Selection:
    """What becomes a detection; `ScanResult.detections` says what each attribute means.

    >>> selection = Selection(0.8, low=0.5)
    >>> selection.check("softmax", axes=1)
    >>> selection.lowest, selection.joins
    (0.5, True)
    """

    threshold: float = 0.5
    overlap: float = 0.2
    low: float | None = None
    merge: Extent = None
    min_extent: Extent = None
    max_extent: Extent = None

    def check(self, activation: str, axes: int) -> None:
        """Raise ArgumentError or ArgumentTypeError unless this fits scores of an activation and so many axes."""
        for name in ("threshold", "overlap", "low"):
            value: object = getattr(self, name)
            if name == "low" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
                raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
            bounded = name == "overlap" or activation != "value"
            if not math.isfinite(value) or (bounded and not 0.0 <= value <= 1.0):
                raise ArgumentError(
                    f"{name} must be {'between 0 and 1' if bounded else 'finite'}. Got {value!r}."
                )
        if self.low is not None and self.low > self.threshold:
            raise ArgumentError(f"low must be at most threshold, {self.threshold!r}. Got {self.low!r}.")
        for name, least in (("merge", 0), ("min_extent", 1), ("max_extent", 1)):
            self._extent(name, axes, least)

    @property
    def lowest(self) -> float:
        """The probability from which on a window is a candidate."""
        return self.threshold if self.low is None else self.low

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
