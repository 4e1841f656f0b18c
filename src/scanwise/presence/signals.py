"""The signals that `Model.presence` takes: checked at the door, their values where they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.inputs import check_finite, number_array, real_array
from scanwise.layers import Shape

__all__ = ["as_signal", "as_signals", "read"]

_AXES = {2: "C, T", 3: "C, H, W"}


def as_signals(
    signals: Sequence[ArrayLike] | ArrayLike, input_shape: Shape, name: str = "signals"
) -> list[NDArray[Any]]:
    """Arrays of real numbers with the model's axes and channels, of any extent. Nothing is copied or read yet.

    Raises:
        ArgumentTypeError: it is not a list of arrays of real numbers.
        ArgumentError: there is none.
        ShapeError: one has other axes or channels.
    """
    axes = _AXES.get(len(input_shape), "C, H, W")
    if isinstance(signals, np.ndarray):
        if signals.ndim != len(input_shape) + 1:
            hint = "; a single signal is [signal]" if signals.ndim == len(input_shape) else ""
            raise ShapeError(f"{name} must have shape (N, {axes}) as one array. Got {signals.shape}{hint}.")
    elif not isinstance(signals, list | tuple):
        raise ArgumentTypeError(f"{name} must be a list of arrays ({axes}). Got {type(signals).__name__}.")
    if len(signals) == 0:
        raise ArgumentError(f"{name} must hold at least one signal. Got none.")
    return [as_signal(signal, input_shape, f"{name}[{number}]") for number, signal in enumerate(signals)]


def as_signal(signal: ArrayLike, input_shape: Shape, name: str) -> NDArray[Any]:
    """One of them."""
    array = number_array(signal, name)
    if array.ndim != len(input_shape) or array.shape[0] != input_shape[0]:
        raise ShapeError(
            f"{name} must have shape ({_AXES[len(input_shape)]}) with {input_shape[0]} channels. Got {array.shape}."
        )
    return array


def read(signal: NDArray[Any], number: int, start: Shape, extent: Shape) -> NDArray[Any]:
    """A part of a signal, as an executor takes it: C-contiguous float32, or uint8.

    Raises:
        ArgumentError: a value is not finite; the message has its place in the signal.
    """
    part = signal[(slice(None), *(slice(s, s + e) for s, e in zip(start, extent, strict=True)))]
    values = real_array(part, f"signals[{number}]")
    if values.dtype != np.uint8:
        check_finite(values, f"signals[{number}]", (0, *start))
    return values
