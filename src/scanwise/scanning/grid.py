"""Where the windows of a scan lie, and what they cover."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError

EDGES = ("valid", "pad", "extend")

# Ranges (start, stop), one an axis.
Region = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Axis:
    """The windows along one axis: they start at 0, step, 2 step, ..., and `edge` says which is the last.

    Attributes:
        extent: of the signal, in samples or pixels.
        window: extent of a window.
        step: between the starts of neighbouring windows.
        stride: the network's own, at which it evaluates windows together.
        edge: `"valid"`: windows that fit. `"pad"`: one more, filled up with zeros, if that reaches further.
            `"extend"`: one more, shifted back to end with the signal, if that reaches further.
    """

    extent: int
    window: int
    step: int
    stride: int
    edge: str = "valid"

    @property
    def fitting(self) -> int:
        """Windows at multiples of the step that lie within the signal."""
        return max(0, (self.extent - self.window) // self.step + 1)

    @property
    def regular(self) -> int:
        """Windows at multiples of the step."""
        reached = self.span(self.fitting) if self.fitting else 0
        more = self.edge == "pad" and reached < self.extent and self.fitting * self.step < self.extent
        return self.fitting + more

    @property
    def shifted(self) -> bool:
        """Whether a window follows the regular ones that is shifted back to end with the signal."""
        return self.edge == "extend" and self.fitting > 0 and self.span(self.fitting) < self.extent

    @property
    def count(self) -> int:
        """Number of windows."""
        return self.regular + self.shifted

    @property
    def starts(self) -> NDArray[np.int64]:
        """Starts of the windows, `(count,)`."""
        starts = np.arange(self.count, dtype=np.int64) * self.step
        if self.shifted:
            starts[-1] = self.extent - self.window
        return starts

    def start(self, number: int) -> int:
        """Start of one window."""
        return self.extent - self.window if number >= self.regular else number * self.step

    def span(self, windows: int) -> int:
        """From the start of a regular window to the end of the last of so many."""
        return self.window + (windows - 1) * self.step

    @property
    def padding(self) -> int:
        """Zeros behind the end that the last window reaches."""
        return max(0, self.span(self.regular) - self.extent) if self.regular > self.fitting else 0

    def uncovered(self) -> Iterator[tuple[int, int]]:
        """Ranges (start, stop) along this axis that no window reaches."""
        if self.step > self.window:
            for start in range(self.window, (self.regular - 1) * self.step, self.step):
                yield start, start + self.step - self.window
        end = self.span(self.regular) if self.regular else 0
        stop = self.extent - self.window if self.shifted else self.extent
        if end < stop:
            yield end, stop

    @property
    def reached(self) -> int:
        """Samples or pixels of the signal along this axis that lie in a window."""
        between = max(0, self.step - self.window) * max(0, self.regular - 1)
        end = self.span(self.regular) if self.regular else 0
        stop = self.extent - self.window if self.shifted else self.extent
        return self.extent - between - max(0, stop - end)

    def padded(self) -> Iterator[tuple[int, int]]:
        """The range that lies in the padded window only, if there is one."""
        if self.padding:
            inner = self.span(self.fitting) if self.fitting else 0
            yield max(inner, self.fitting * self.step), self.extent


@dataclass(frozen=True)
class Coverage:
    """Which part of a signal a scan looked at.

    Attributes:
        axes: where the windows lie.
        skipped: windows that have no score, since they hold a value that is not finite (`nan="skip"`).
        not_finite: where such values are: ranges (start, stop), one an axis, at most the first 1,000 runs of
            neighbours along the last axis. All windows that touch one are skipped.

    >>> coverage = Coverage.of((Axis(extent=10, window=4, step=3, stride=1),))
    >>> coverage.complete, coverage.fraction
    (True, 1.0)
    >>> print(Coverage.of((Axis(extent=12, window=4, step=3, stride=1),)))
    10 of 12 samples (83.3 %); not covered: 10..12
    >>> print(Coverage.of((Axis(extent=12, window=4, step=3, stride=1, edge="pad"),)))
    12 of 12 samples (100.0 %); padded: 10..12
    """

    axes: tuple[Axis, ...]
    skipped: int = 0
    not_finite: tuple[Region, ...] = ()

    @staticmethod
    def of(axes: tuple[Axis, ...]) -> Coverage:
        """The coverage of windows along every axis."""
        return Coverage(axes)

    @property
    def extent(self) -> tuple[int, ...]:
        """Of the signal, one entry an axis, in samples or pixels."""
        return tuple(axis.extent for axis in self.axes)

    @property
    def covered(self) -> int:
        """Samples or pixels that lie in at least one window."""
        return math.prod(axis.reached for axis in self.axes)

    @property
    def uncovered(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each axis the ranges (start, stop) that no window reaches.

        A pixel is covered if neither its row nor its column is in such a range.
        """
        return tuple(tuple(axis.uncovered()) for axis in self.axes)

    @property
    def padded(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each axis the ranges (start, stop) that lie only in a window filled up with zeros (`edge="pad"`)."""
        return tuple(tuple(axis.padded()) for axis in self.axes)

    @property
    def padding(self) -> tuple[int, ...]:
        """For each axis the number of zeros behind the end."""
        return tuple(axis.padding for axis in self.axes)

    @property
    def complete(self) -> bool:
        """Whether every sample or pixel lies in a window, and every window has a score."""
        return self.skipped == 0 and all(axis.reached == axis.extent for axis in self.axes)

    @property
    def fraction(self) -> float:
        """Covered share, 0 to 1."""
        return self.covered / math.prod(self.extent)

    def __str__(self) -> str:
        unit = "samples" if len(self.axes) == 1 else "pixels"
        text = f"{self.covered:,} of {math.prod(self.extent):,} {unit} ({100 * self.fraction:.1f} %)"
        text += self._named("not covered", [axis.uncovered() for axis in self.axes])
        text += self._named("padded", [axis.padded() for axis in self.axes])
        if self.skipped:
            text += f"; {self.skipped:,} windows skipped: values at {_box(self.not_finite[0])}"
            text += " are not finite" if len(self.not_finite) == 1 else " and elsewhere are not finite"
        return text

    def _named(self, what: str, ranges: list[Iterator[tuple[int, int]]]) -> str:
        names = ("",) if len(self.axes) == 1 else ("rows ", "columns ")
        named = (
            f"{name}{start}..{stop}"
            for name, along in zip(names, ranges, strict=True)
            for start, stop in along
        )
        shown = ", ".join(itertools.islice(named, 4))
        more = sum(1 for _ in named)
        return (f"; {what}: {shown}" + (f" and {more} more" if more else "")) if shown else ""


def _box(region: Region) -> str:
    return ", ".join(f"{start}..{stop}" for start, stop in region)


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
