"""Augmentations of signals `(C, T)`; `Gain` and `AddNoise` take images, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scanwise.augment.base import Augmentation, Pair, count_of, decibels, interval, symmetric
from scanwise.errors import ShapeError
from scanwise.layers import Shape, arguments

__all__ = ["AddNoise", "FrequencyMask", "Gain", "TimeMask", "TimeShift"]


@dataclass(frozen=True)
class TimeShift(Augmentation):
    """Move the signal by up to `most` samples, earlier or later; every whole number is as likely.

    Args:
        most: samples, at least 1 and below the signal's length.
        wrap: whether what leaves at one end comes in at the other. Otherwise zeros come in.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> TimeShift(800)
    TimeShift(p=1.0, most=800, wrap=False)
    """

    axes: ClassVar[tuple[int, ...]] = (2,)

    most: int
    wrap: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("most", arguments.integer(self.kind, "most", self.most))
        arguments.boolean(self.kind, "wrap", self.wrap)

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless the signal is longer than the shift."""
        super().check(input_shape)
        if self.most >= input_shape[1]:
            raise ShapeError(f"{self.kind}: samples must be longer than most={self.most}. Got {input_shape}.")


@dataclass(frozen=True)
class Gain(Augmentation):
    """Make the sample louder or softer: multiply it by 10^(g/20), for g uniform in `decibels`.

    Args:
        decibels: (low, high), or one number m for (-m, m); from -200 to 200.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> Gain(6)
    Gain(p=1.0, decibels=(-6.0, 6.0))
    """

    decibels: float | Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle(
            "decibels", decibels(self.kind, "decibels", symmetric(self.kind, "decibels", self.decibels))
        )


@dataclass(frozen=True)
class AddNoise(Augmentation):
    """Add white noise at a signal-to-noise ratio uniform in `snr`. A sample of zeros stays as it is.

    The ratio is that of the mean squares over all of the sample. The noise is the sum of four uniform numbers, which is
    normal but for its tails (kurtosis 2.7 rather than 3, at most 3.5 standard deviations).

    Args:
        snr: decibels, from -200 to 200: (low, high), or one number.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> AddNoise((5, 20))
    AddNoise(p=1.0, snr=(5.0, 20.0))
    """

    snr: float | Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("snr", decibels(self.kind, "snr", interval(self.kind, "snr", self.snr)))


@dataclass(frozen=True)
class _Mask(Augmentation):
    """Stretches along one axis, `count` of them, each at most `most` long."""

    axes: ClassVar[tuple[int, ...]] = (2,)

    most: int
    count: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("most", arguments.integer(self.kind, "most", self.most))
        self._settle("count", count_of(self.kind, self.count))


@dataclass(frozen=True)
class TimeMask(_Mask):
    """Set stretches of time to zero in all channels: each 0 to `most` samples long, anywhere within the signal.

    Source: Park et al., "SpecAugment", Interspeech 2019, section 2.

    Args:
        most: samples, at least 1 and at most the signal's length.
        count: stretches, 1 to 1000. They may overlap.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> TimeMask(20, count=2)
    TimeMask(p=1.0, most=20, count=2)
    """

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless the longest mask lies within the signal."""
        super().check(input_shape)
        if self.most > input_shape[1]:
            raise ShapeError(
                f"{self.kind}: samples must be at least most={self.most} long. Got {input_shape}."
            )


@dataclass(frozen=True)
class FrequencyMask(_Mask):
    """Set bands of neighbouring channels to zero at all times: for signals whose channels are frequencies.

    Source: Park et al., "SpecAugment", Interspeech 2019, section 2.

    Args:
        most: channels of a band, at least 1 and below the number of channels. Each has 0 to that many.
        count: bands, 1 to 1000. They may overlap.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> FrequencyMask(8).check((40, 100))
    """

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless a band leaves channels."""
        super().check(input_shape)
        if self.most >= input_shape[0]:
            raise ShapeError(
                f"{self.kind}: samples must have more channels than most={self.most}, one for each frequency. "
                f"Got {input_shape}."
            )
