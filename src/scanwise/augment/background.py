"""`MixBackground`: other recordings behind the samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scanwise.augment.base import Augmentation, Pair, decibels, interval
from scanwise.augment.steps import Augment
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError
from scanwise.inputs import check_finite, real_array
from scanwise.layers import Shape, arguments

__all__ = ["MixBackground", "Recordings", "bind"]


class Recordings:
    """Signals `(C, T)` of any lengths, all with as many channels; equal and hashable by their content.

    Args:
        signals: one array `(C, T)` or `(N, C, T)`, or a sequence of arrays `(C, T)`; any real dtype.

    Raises:
        ArgumentTypeError: it holds no arrays of real numbers.
        ShapeError: a signal has another shape, or other channels than the first.
        DataError: a signal holds NaN or infinity.

    >>> import numpy as np
    >>> Recordings([np.zeros((1, 100)), np.zeros((1, 50))])
    <2 recordings of 1 channels, d9dc3416>
    """

    def __init__(self, signals: Sequence[NDArray[Any]] | NDArray[Any]) -> None:
        single = isinstance(signals, np.ndarray) and signals.ndim == 2
        entries = [signals] if single else arguments.listed(signals)
        if entries is None:
            raise ArgumentTypeError(f"background must hold arrays (C, T). Got {signals!r}.")
        found = [real_array(each, "background") for each in entries]
        if not found:
            raise DataError("background must hold at least one signal. Got none.")
        for each in found:
            if each.ndim != 2 or each.size == 0 or len(each) != len(found[0]):
                raise ShapeError(
                    f"background must hold signals (C, T) with equally many channels, none empty. Got {each.shape}."
                )
            if each.dtype != np.uint8:
                check_finite(each, "background", error=DataError)
        self.signals = tuple(each.view() for each in found)
        for each in self.signals:
            each.flags.writeable = False
        digest = hashlib.sha256()
        for each in found:
            digest.update(f"{each.dtype.str} {each.shape}\n".encode())
            digest.update(each.data)
        self._digest = digest.digest()

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.signals[0])

    def __len__(self) -> int:
        return len(self.signals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recordings) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __deepcopy__(self, memo: dict[int, Any]) -> Recordings:
        return self  # nothing in it can be changed

    def __repr__(self) -> str:
        return f"<{len(self)} recordings of {self.channels} channels, {self._digest.hex()[:8]}>"


@dataclass(frozen=True)
class MixBackground(Augmentation):
    """Add a stretch of a background recording at a signal-to-noise ratio uniform in `snr`.

    Every recording is as likely, and every place in it where the stretch can begin; one that is shorter than the sample
    is repeated. The ratio is that of the mean squares. A sample of zeros stays as it is, and so does any sample where
    the stretch is all zeros.

    Args:
        background: names of recordings, or the recordings: `Recordings`, an array `(C, T)` or `(N, C, T)`, or a
            sequence of arrays. Names have to be read by `bind` before use; only they can be written as JSON.
        snr: decibels, from -200 to 200: (low, high), or one number.
        p: probability that it is applied.

    Raises:
        ArgumentError, ArgumentTypeError, ShapeError, DataError: an argument is not as stated.

    >>> MixBackground(["street.wav", "rain.wav"], snr=(0, 15)).to_json()["background"]
    ['street.wav', 'rain.wav']
    """

    axes: ClassVar[tuple[int, ...]] = (2,)

    p: float = field(default=0.5, kw_only=True)
    background: Any
    snr: float | Pair = (0.0, 20.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settle("background", _background(self.background))
        self._settle("snr", decibels(self.kind, "snr", interval(self.kind, "snr", self.snr)))

    @property
    def recordings(self) -> Recordings:
        """The recordings.

        Raises:
            ArgumentError: they are names of files that have not been read.
        """
        if not isinstance(self.background, Recordings):
            raise ArgumentError(
                f"{self.kind}: background must have been read before use, by augment.bind. "
                f"Got names of files: {self.background[0]!r}."
            )
        return self.background

    def check(self, input_shape: Shape) -> None:
        """Raise ShapeError unless the recordings have as many channels as the samples."""
        super().check(input_shape)
        if isinstance(self.background, Recordings) and self.background.channels != input_shape[0]:
            raise ShapeError(
                f"{self.kind}: samples must have as many channels as the background, "
                f"{self.background.channels}. Got {input_shape}."
            )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data.

        Raises:
            ArgumentError: the background is not names of files.
        """
        if isinstance(self.background, Recordings):
            raise ArgumentError(
                f"{self.kind}: background must be names of files to be written as JSON. Got {self.background!r}."
            )
        return super().to_json()


def bind(augment: Augment, read: Callable[[str], NDArray[Any]]) -> Augment:
    """The same augmentation, with every background that is named by files read from them.

    Args:
        augment: what may have names of files in it.
        read: gives the signal `(C, T)` in the file of that name, such as a function that calls `data.read_signal` with
            the model's input shape and sample rate.

    Raises:
        ArgumentTypeError: `augment` is no `Augment`.
        ShapeError, DataError: what `read` gives is no recording.

    >>> import numpy as np
    >>> named = Augment(MixBackground("rain.wav"))
    >>> bind(named, lambda name: np.ones((1, 1000))).steps[0].recordings
    <1 recordings of 1 channels, e686752f>
    """
    if not isinstance(augment, Augment):
        raise ArgumentTypeError(f"augment must be an Augment. Got {augment!r}.")

    def bound(step: Augmentation) -> Augmentation:
        if isinstance(step, MixBackground) and not isinstance(step.background, Recordings):
            return replace(step, background=Recordings([read(name) for name in step.background]))
        return step

    return Augment(*map(bound, augment.steps))


def _background(value: object) -> tuple[str, ...] | Recordings:
    """`value` as names of files, or recordings."""
    if isinstance(value, Recordings):
        return value
    if isinstance(value, str | PathLike):
        value = [value]
    if isinstance(value, np.ndarray):
        return Recordings(value)
    if not isinstance(value, Sequence) or isinstance(value, bytes) or len(value) == 0:
        raise ArgumentTypeError(
            f"MixBackground: background must be names of files, or signals. Got {value!r}."
        )
    if all(isinstance(each, str | PathLike) for each in value):
        names = tuple(str(fspath(each)) for each in value)
        if "" in names:
            raise ArgumentError(
                f"MixBackground: background must be names of files. Got an empty one in {names}."
            )
        return names
    return Recordings(value)
