"""A labelled data set in memory or mapped from a file, and how its validation part is split off."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scanwise.data.clips import Clips
from scanwise.data.decoding import shown
from scanwise.data.dividing import held_out_files
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError

Kind = Literal["audio", "image", "series"]
ImageMode = Literal["L", "RGB"]
OnError = Literal["fatal", "skip"]

PLURAL: dict[Kind, str] = {"audio": "audio", "image": "images", "series": "series"}

# Elements looked at for NaN at a time, so that a mapped file is never in memory as a whole.
CHECKED_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Skipped:
    """A file or row that was left out, and why."""

    source: str
    reason: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled windows of one kind of signal, ready for `scanwise.fit`.

    Attributes:
        x: (N, C, T) or (N, C, H, W); uint8 (taken as 0..1 by a model) or float32. May be a `numpy.memmap`. Or `Clips`,
            a sequence of arrays of unequal extent.
        y: (N,) int64, index into `labels`; or (N, K) float32, 0 or 1 for every label, for
            `loss="binary_cross_entropy"`: several labels at once, or none, which is background.
        labels: the label names, in the order of a model's outputs.
        kind: "audio" | "image" | "series".
        sample_rate: of audio, in Hz; None otherwise.
        image_mode: "L" | "RGB" for images; None otherwise.
        files: the file that each sample is, or is cut from; empty where they are not files.
        skipped: files and rows left out with `on_error="skip"`.

    Example:
        >>> import numpy as np
        >>> data = Dataset(np.zeros((3, 1, 8), np.float32), np.array([0, 1, 1]), ("no", "yes"), "series")
        >>> len(data), data.input_shape, data.counts()
        (3, (1, 8), {'no': 1, 'yes': 2})
    """

    x: Any
    y: NDArray[Any]
    labels: tuple[str, ...]
    kind: Kind
    sample_rate: int | None = None
    image_mode: ImageMode | None = None
    files: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample, of clips that of a window: (C, T) or (C, H, W)."""
        return self.x.input_shape if isinstance(self.x, Clips) else tuple(self.x.shape[1:])

    def counts(self) -> dict[str, int]:
        """The number of samples of each label."""
        if self.y.ndim == 2:
            number = np.count_nonzero(self.y, axis=0)
        else:
            number = np.bincount(self.y, minlength=len(self.labels))
        return {label: int(n) for label, n in zip(self.labels, number, strict=True)}

    def take(self, indices: NDArray[np.int64]) -> Dataset:
        """The data set of these samples, in this order (copied)."""
        files = tuple(self.files[i] for i in indices) if self.files else ()
        x = self.x.take(indices) if isinstance(self.x, Clips) else self.x[indices]
        return replace(self, x=x, y=self.y[indices], files=files)


def sort_labels(names: set[str]) -> tuple[str, ...]:
    """Sort label names: by value if all are numbers, else by letters with runs of digits compared by value.

    Example:
        >>> sort_labels({"10", "9", "-1"}), sort_labels({"b", "a10", "a9"})
        (('-1', '9', '10'), ('a9', 'a10', 'b'))
    """
    try:
        values = {name: float(name) for name in names}
    except ValueError:
        values = {}
    if values and not any(math.isnan(value) for value in values.values()):  # NaN has no place in an order
        return tuple(sorted(names, key=lambda name: (values[name], name)))
    return tuple(sorted(names, key=_by_letters))


def _by_letters(name: str) -> tuple[list[tuple[int, str, str]], str]:
    """A name's parts, text at even places and runs of digits at odd ones, so that places compare alike."""
    parts = []
    for i, part in enumerate(re.split(r"([0-9]+)", name)):
        digits = part.lstrip("0")
        parts.append((len(digits), digits, "") if i % 2 else (0, "", part))  # by value, whatever the length
    return parts, name


def encode_labels(
    names: list[str], labels: tuple[str, ...] | None, source: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Turn label names into indices; without given `labels` they are those that occur, at least two."""
    if labels is None:
        labels = sort_labels(set(names))
        if len(labels) < 2:
            raise DataError(f"{source} must hold at least 2 labels. Got 1: {labels[0]!r}.")
    index = {label: i for i, label in enumerate(labels)}
    unknown = sort_labels(set(names) - set(labels))
    if unknown:
        raise DataError(
            f"{source} must hold only the model's labels ({', '.join(labels)}). Got {shown(', '.join(unknown[:5]))}"
            f"{' and others' if len(unknown) > 5 else ''}."
        )
    return np.array([index[name] for name in names], dtype=np.int64), labels


def split(dataset: Dataset, fraction: float, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Split a data set into a training and a validation part, label by label.

    Of every label `round(fraction * n)` samples, at least one and at most all but one, go to validation.
    Which ones depends on `seed`, the label's place and the number of its samples only. Samples with several labels at
    once, or none, are split by files instead: no file gives samples to both parts (see `scanwise.data.dividing`).

    Args:
        dataset: the samples; every label needs at least two, or two files.
        fraction: of the samples that go to validation, between 0 and 1, both excluded.
        seed: of the choice.

    Returns:
        The training part and the validation part, each in the data set's order.

    Raises:
        ArgumentError: `fraction` is not between 0 and 1.
        DataError: a label has fewer than two samples.

    Example:
        >>> import numpy as np
        >>> data = Dataset(np.zeros((10, 1, 4), np.float32), np.arange(10) % 2, ("a", "b"), "series")
        >>> training, validation = split(data, 0.2)
        >>> training.counts(), validation.counts()
        ({'a': 4, 'b': 4}, {'a': 1, 'b': 1})
    """
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.floating | np.integer):
        raise ArgumentTypeError(f"fraction must be a number. Got {fraction!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ArgumentTypeError(f"seed must be a whole number. Got {seed!r}.")
    if seed < 0:
        raise ArgumentError(f"seed must be at least 0. Got {seed}.")
    if not 0 < fraction < 1:
        raise ArgumentError(f"fraction must be greater than 0 and less than 1. Got {fraction!r}.")
    if dataset.y.ndim == 2:
        held_out = held_out_files(dataset.y, dataset.files, fraction, seed)
        return dataset.take(np.flatnonzero(~held_out)), dataset.take(np.flatnonzero(held_out))
    chosen = np.zeros(len(dataset), dtype=bool)
    for k, label in enumerate(dataset.labels):
        members = np.flatnonzero(dataset.y == k)
        if len(members) < 2:
            raise DataError(
                f"label {label!r} must have at least 2 samples so that one can be kept for validation. "
                f"Got {len(members)}. Add files, or train without validation."
            )
        number = min(max(round(fraction * len(members)), 1), len(members) - 1)
        chosen[np.random.default_rng([seed, k]).permutation(members)[:number]] = True
    return dataset.take(np.flatnonzero(~chosen)), dataset.take(np.flatnonzero(chosen))


def finite_as_float32(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the values stay finite as float32, which a model computes in."""
    if values.dtype.itemsize <= 4:
        finite: NDArray[np.bool_] = np.isfinite(values)
        return finite
    limit = np.finfo(np.float32).max
    inside: NDArray[np.bool_] = np.logical_and(values >= -limit, values <= limit)  # false for NaN
    return inside


def require_kind(kind: Kind, expected: Kind | None, source: str) -> None:
    """Raise DataError where a model takes another kind of signal than the data are."""
    if expected is not None and kind != expected:
        raise DataError(f"{source} must hold {PLURAL[expected]}, as the model takes. Got {PLURAL[kind]}.")


def require_finite(values: NDArray[Any], source: str) -> None:
    """Raise DataError that names the first NaN or infinity in `values` and its place."""
    if values.dtype.kind != "f":
        return
    flat = values.reshape(-1)
    for start in range(0, len(flat), CHECKED_AT_ONCE):
        bad = np.flatnonzero(~finite_as_float32(flat[start : start + CHECKED_AT_ONCE]))
        if len(bad):
            place = tuple(int(i) for i in np.unravel_index(start + bad[0], values.shape))
            where = f"position {place[0] if len(place) == 1 else place}"
            raise DataError(
                f"{source} must hold values that are finite as float32. Got {values[place]} at {where}."
            )
