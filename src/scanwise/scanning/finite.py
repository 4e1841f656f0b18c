"""Values that are not finite: named, replaced, or a reason to leave windows out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.executor import Samples
from scanwise.inputs import check_finite
from scanwise.scanning.evaluators import as_float
from scanwise.scanning.grid import Region
from scanwise.scanning.source import Source

RULES = ("error", "zero", "skip")

_NAMED = (
    1000  # runs of such values that are remembered: memory must not grow with a signal that holds little else
)


class FiniteValues:
    """Applies the rule to parts of a signal as they are read.

    Attributes:
        replaced: values that were replaced by zero.
        skipped: windows that were left out, as whoever leaves them out counts them.
    """

    def __init__(self, source: Source, rule: str) -> None:
        self._origin, self._rule = source.origin, rule
        self.replaced = self.skipped = 0
        self._runs: dict[tuple[tuple[int, ...], int], int] = {}  # (row, stop): start

    def __call__(
        self, part: NDArray[Any], region: Region, new: Region
    ) -> tuple[Samples, NDArray[np.bool_] | None]:
        """The values of a part as an executor takes them, and where, in any channel, some were not finite.

        Args:
            part: `(C, *extent)` of the signal, as it was read.
            region: where it lies.
            new: the part of `region` that has not been seen before.
        """
        values = as_float(part)
        if values.dtype == np.uint8 or math.isfinite(np.vdot(values, values)):
            return values, None
        values = values.astype(np.float32, copy=False)
        if self._rule == "error":
            origin = (0, *(start for start, _ in region))
            check_finite(values, self._origin.name, origin, self._origin.error)
        finite = np.isfinite(values)
        if finite.all():  # it was the sum of squares alone that overflowed
            return values, None
        of = tuple(slice(a - start, b - start) for (start, _), (a, b) in zip(region, new, strict=True))
        bad = np.logical_not(finite.all(axis=0))
        if self._rule == "zero":
            self.replaced += int(np.count_nonzero(~finite[(slice(None), *of)]))
        else:
            self._note(bad[of], tuple(start for start, _ in new))
        return np.where(finite, values, np.float32(0)), bad if self._rule == "skip" else None

    @property
    def runs(self) -> tuple[Region, ...]:
        """Runs of values along the last axis that are not finite, in order."""
        regions = [
            (*((place, place + 1) for place in row), (start, stop))
            for (row, stop), start in self._runs.items()
        ]
        return tuple(sorted(regions))

    def _note(self, bad: NDArray[np.bool_], origin: tuple[int, ...]) -> None:
        for row in np.ndindex(bad.shape[:-1]):
            edges = np.flatnonzero(np.diff(bad[row].astype(np.int8), prepend=0, append=0)) + origin[-1]
            at = tuple(r + o for r, o in zip(row, origin, strict=False))
            for start, stop in edges.reshape(-1, 2).tolist():
                # A run that goes on where another ended is one with it.
                begin = self._runs.pop((at, start), start)
                if begin == start and len(self._runs) >= _NAMED:
                    return
                self._runs[at, stop] = begin
