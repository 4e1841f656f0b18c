"""Checks of the options that every way to open a data set takes."""

from __future__ import annotations

import math
import operator

from scanwise.errors import ArgumentError, ArgumentTypeError

_CHOICES = {
    "kind": ("audio", "image", "series"),
    "image_mode": ("L", "RGB"),
    "on_error": ("fatal", "skip"),
    "part": ("train", "test"),
}
_REQUIRED = ("on_error", "part")

_LARGEST_WINDOW = 1e15  # more than any memory holds, and still exact as a float


def check_options(
    *,
    window: object = None,
    sample_rate: object = None,
    labels: object = None,
    **choices: object,
) -> None:
    """Raise ArgumentError or ArgumentTypeError for an option that fits no data at all.

    Whether a window fits the kind of data (`scanwise.data.window`) is asked when the kind is known.

    Args:
        window: a number, or a pair of numbers.
        sample_rate: a whole number of Hz, at least 1.
        labels: strings that differ.
        choices: `kind`, `image_mode`, `on_error`, `part`.
    """
    for name, value in choices.items():
        if value is None and name not in _REQUIRED:
            continue
        if not isinstance(value, str) or value not in _CHOICES[name]:
            raise ArgumentError(
                f"{name} must be one of {', '.join(map(repr, _CHOICES[name]))}. Got {value!r}."
            )
    _check_window(window)
    if sample_rate is not None:
        try:
            rate = -1 if isinstance(sample_rate, bool) else operator.index(sample_rate)  # type: ignore[arg-type]
        except TypeError:
            raise ArgumentTypeError(
                f"sample_rate must be a whole number of Hz. Got {sample_rate!r}."
            ) from None
        if rate < 1:
            raise ArgumentError(f"sample_rate must be at least 1 Hz. Got {sample_rate!r}.")
    if labels is not None:
        if not isinstance(labels, tuple | list) or not all(isinstance(label, str) for label in labels):
            raise ArgumentTypeError(f"labels must be a sequence of strings. Got {labels!r}.")
        if len(set(labels)) != len(labels):
            raise ArgumentError(f"labels must differ from each other. Got {tuple(labels)!r}.")


def _check_window(window: object) -> None:
    if window is None:
        return
    numbers = window if isinstance(window, tuple) else (window,)
    if isinstance(window, tuple) and len(window) != 2:
        raise ArgumentError(f"window must be a number, or (rows, columns). Got {window!r}.")
    for number in numbers:
        if isinstance(number, bool | str | complex):
            raise ArgumentTypeError(f"window must be a number, or (rows, columns). Got {window!r}.")
        try:
            finite = math.isfinite(number)
        except (TypeError, OverflowError):
            raise ArgumentTypeError(f"window must be a number, or (rows, columns). Got {window!r}.") from None
        if not finite or abs(number) > _LARGEST_WINDOW:
            raise ArgumentError(f"window must be finite, and at most {_LARGEST_WINDOW:g}. Got {window!r}.")


def check_input_shape(input_shape: object) -> None:
    """Raise ArgumentError unless `input_shape` is that of a model for signals: (C, T) or (C, H, W)."""
    if isinstance(input_shape, tuple) and len(input_shape) in (2, 3):
        if all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in input_shape):
            return
    raise ArgumentError(f"input_shape must be (C, T) or (C, H, W), whole numbers. Got {input_shape!r}.")
