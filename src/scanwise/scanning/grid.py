"""Where the windows of a scan lie, and what they cover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True)
class Axis:
    """The windows along one axis: they start at 0, step, 2 step, ... as long as they fit.

    Attributes:
        extent: of the signal, in samples or pixels; at least `window`.
        window: extent of a window.
        step: between the starts of neighbouring windows.
        stride: the network's own, at which it evaluates windows together.
    """

    extent: int
    window: int
    step: int
    stride: int

    @property
    def count(self) -> int:
        """Number of windows."""
        return (self.extent - self.window) // self.step + 1

    @property
    def starts(self) -> NDArray[np.int64]:
        """Starts of the windows, `(count,)`."""
        return np.arange(self.count, dtype=np.int64) * self.step

    def span(self, windows: int) -> int:
        """From the start of a window to the end of the last of so many."""
        return self.window + (windows - 1) * self.step

    def uncovered(self) -> list[tuple[int, int]]:
        """Ranges (start, stop) along this axis that no window reaches."""
        ends = self.starts + self.window
        nexts = np.append(self.starts[1:], self.extent)
        return [(int(ends[i]), int(nexts[i])) for i in np.flatnonzero(ends < nexts)]


@dataclass(frozen=True)
class Coverage:
    """Which part of a signal a scan looked at.

    Attributes:
        extent: of the signal, one entry an axis, in samples or pixels.
        covered: samples or pixels that lie in at least one window.
        uncovered: for each axis the ranges (start, stop) that no window reaches. A pixel is covered if neither its row
            nor its column is in such a range.

    >>> coverage = Coverage.of((Axis(extent=10, window=4, step=3, stride=1),))
    >>> coverage.complete, coverage.fraction
    (True, 1.0)
    >>> print(Coverage.of((Axis(extent=12, window=4, step=3, stride=1),)))
    10 of 12 samples (83.3 %); not covered: 10..12
    """

    extent: tuple[int, ...]
    covered: int
    uncovered: tuple[tuple[tuple[int, int], ...], ...]

    @staticmethod
    def of(axes: tuple[Axis, ...]) -> Coverage:
        """The coverage of windows along every axis."""
        uncovered = tuple(tuple(axis.uncovered()) for axis in axes)
        reached = [
            axis.extent - sum(stop - start for start, stop in gaps)
            for axis, gaps in zip(axes, uncovered, strict=True)
        ]
        return Coverage(tuple(axis.extent for axis in axes), math.prod(reached), uncovered)

    @property
    def complete(self) -> bool:
        """Whether every sample or pixel lies in a window."""
        return not any(self.uncovered)

    @property
    def fraction(self) -> float:
        """Covered share, 0 to 1."""
        return self.covered / math.prod(self.extent)

    def __str__(self) -> str:
        unit = "samples" if len(self.extent) == 1 else "pixels"
        text = f"{self.covered:,} of {math.prod(self.extent):,} {unit} ({100 * self.fraction:.1f} %)"
        names = ("",) if len(self.extent) == 1 else ("rows ", "columns ")
        gaps = [
            f"{name}{start}..{stop}"
            for name, ranges in zip(names, self.uncovered, strict=True)
            for start, stop in ranges
        ]
        if not gaps:
            return text
        shown = ", ".join(gaps[:4]) + (f" and {len(gaps) - 4} more" if len(gaps) > 4 else "")
        return f"{text}; not covered: {shown}"


def per_axis(name: str, value: Any, axes: int, least: int) -> tuple[int, ...]:
    """What a user gave as one number, or one for each axis, as one for each axis.

    Raises:
        ArgumentTypeError: it is neither.
        ArgumentError: a number is smaller than `least`.

    >>> per_axis("step", 3, axes=2, least=1)
    (3, 3)
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    what = "a whole number" if axes == 1 else "a whole number or a pair of them"
    if len(values) != axes or any(
        isinstance(each, bool) or not isinstance(each, int | np.integer) for each in values
    ):
        raise ArgumentTypeError(f"{name} must be {what}. Got {value!r}.")
    if any(each < least for each in values):
        raise ArgumentError(f"{name} must be at least {least}. Got {value!r}.")
    return tuple(int(each) for each in values)


@overload
def one_or_pair(values: Sequence[int]) -> int | tuple[int, int]: ...
@overload
def one_or_pair(
    values: Sequence[tuple[int, int]],
) -> tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]: ...
def one_or_pair(values: Sequence[Any]) -> Any:
    """What belongs to each axis, as users see it: of a signal the thing itself, of an image (of rows, of columns)."""
    return values[0] if len(values) == 1 else (values[0], values[1])
