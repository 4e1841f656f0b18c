"""Checks at the door: samples, targets and facts of a model, converted once, so that nothing below has to ask again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ScanwiseError, ShapeError
from scanwise.executor import Samples, Target
from scanwise.memory import available_bytes, gibibytes
from scanwise.shapes import Row

LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")

_FLOAT32 = np.dtype(np.float32)
_UINT8 = np.dtype(np.uint8)


def as_samples(
    x: ArrayLike, input_shape: tuple[int, ...], name: str = "x", *, finite: bool = True
) -> Samples:
    """`x` as a C-contiguous float32 (or uint8) array of shape `(N, *input_shape)`; with `finite`, all finite.

    Any real dtype is converted to float32. The order of the tests keeps the common case, a float32 array that needs no
    conversion, at about a microsecond.
    """
    if type(x) is np.ndarray and x.dtype is _FLOAT32 and x.flags.c_contiguous:
        samples = x
    else:
        samples = real_array(x, name)
    if samples.shape[1:] != input_shape or samples.ndim == 0:
        raise wrong_shape(name, samples.shape, input_shape)
    if finite and samples.dtype != _UINT8:
        check_finite(samples, name)
    return samples


def is_window(x: object, input_shape: tuple[int, ...]) -> TypeGuard[Samples]:
    """Whether `x` needs no conversion to be the samples of one window. Whether its values are finite is not looked at.

    It is part of the latency of a single prediction.
    """
    return (
        type(x) is np.ndarray and x.shape == (1, *input_shape) and (x.dtype is _FLOAT32 or x.dtype is _UINT8)
    )


def real_array(x: ArrayLike, name: str) -> NDArray[Any]:
    """`x` as a C-contiguous float32 or uint8 array of any shape."""
    array = number_array(x, name)
    dtype = _UINT8 if array.dtype == _UINT8 else _FLOAT32
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the caller's check names
        return np.require(array, dtype, "C")


def number_array(x: ArrayLike, name: str) -> NDArray[Any]:
    """`x` as an array of any real dtype.

    Raises:
        ArgumentTypeError: it is none, or what it is does not want to become one (a tensor that needs gradients, say).
        ArgumentError: it is a masked array with masked values, which would count as values.
    """
    try:
        array = np.asarray(x)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        raise ArgumentTypeError(
            f"{name} must be an array of real numbers. Got {type(x).__name__}: {reason}."
        ) from None
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(f"{name} must be an array of real numbers. Got dtype {array.dtype}.")
    if isinstance(x, np.ma.MaskedArray) and np.any(x.mask):
        raise ArgumentError(f"{name} must have no masked values. Got {np.count_nonzero(x.mask)} of {x.size}.")
    return array


def check_finite(
    x: NDArray[np.floating[Any]],
    name: str,
    origin: tuple[int, ...] = (),
    error: type[ScanwiseError] = ArgumentError,
) -> None:
    """Raise `error` naming the first value that is not finite.

    The sum of squares is one pass without a temporary array, and is finite only if every value is. It can overflow
    for finite values too, so that a sum that is not finite asks for the slow look.

    Args:
        origin: added to the index in the message: the place of `x` within a larger array.
    """
    if math.isfinite(np.vdot(x, x)):
        return
    finite = np.isfinite(x)
    if finite.all():
        return
    index = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), x.shape))
    shown = tuple(i + o for i, o in itertools.zip_longest(index, origin, fillvalue=0))
    raise error(f"{name} must be finite (as float32). Got {x[index]} at index {shown}.")


def as_gradient(dy: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`dy` as a C-contiguous float32 array of exactly `shape`, all finite."""
    array = real_array(dy, "dy").astype(np.float32, copy=False)
    if array.shape != shape:
        raise ShapeError(f"dy must have the shape of the output, {shape}. Got {array.shape}.")
    check_finite(array, "dy")
    return array


def check_loss(loss: object) -> str:
    """The name of a loss, or `ArgumentError`."""
    if not isinstance(loss, str) or loss not in LOSSES:
        raise ArgumentError(f"loss must be one of {', '.join(map(repr, LOSSES))}. Got {loss!r}.")
    return loss


def as_target(
    y: ArrayLike, samples: int, output_shape: tuple[int, ...], loss: str, name: str = "y"
) -> Target:
    """`y` as the target that `loss` needs, for `samples` samples.

    cross_entropy: int64 `(N,)`, each a label number in 0..K-1, for an output of shape `(K,)` with K at least 2.
    binary_cross_entropy: float32 `(N, *output_shape)`, each in 0..1; `(N,)` is accepted for an output of one value.
    mse: float32 `(N, *output_shape)`; `(N,)` is accepted for an output of one value.
    """
    array = number_array(y, name)
    if array.ndim == 0 or len(array) != samples:
        found = "a single number" if array.ndim == 0 else f"{len(array)}"
        raise ShapeError(f"{name} must have one entry for each of the {samples} samples of x. Got {found}.")
    if loss == "cross_entropy":
        return _label_numbers(array, output_shape, name)
    return _values(array, samples, output_shape, loss, name)


def _label_numbers(y: NDArray[Any], output_shape: tuple[int, ...], name: str) -> NDArray[np.int64]:
    if len(output_shape) != 1 or output_shape[0] < 2:
        raise ShapeError(
            "the network's output must be one score for each of at least two labels with loss='cross_entropy'. "
            f"Got output shape {output_shape}."
        )
    labels = output_shape[0]
    if y.ndim != 1:
        raise ShapeError(
            f"{name} must be label numbers of shape (N,) with loss='cross_entropy'. Got shape {y.shape}."
        )
    if y.dtype.kind == "f":
        raise ArgumentTypeError(
            f"{name} must be whole label numbers with loss='cross_entropy'. Got dtype {y.dtype}."
        )
    wrong = (y < 0) | (y >= labels)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ArgumentError(f"{name} must be label numbers from 0 to {labels - 1}. Got {y[i]} at index {i}.")
    return np.ascontiguousarray(y, np.int64)


def _values(
    y: NDArray[Any], samples: int, output_shape: tuple[int, ...], loss: str, name: str
) -> NDArray[np.float32]:
    if y.ndim == 1 and math.prod(output_shape) == 1:
        y = y.reshape(samples, *output_shape)
    if y.shape[1:] != output_shape:
        raise ShapeError(
            f"{name} must have the shape of the output, {(samples, *output_shape)}, with loss={loss!r}. Got {y.shape}."
        )
    with np.errstate(over="ignore"):
        values = np.require(y, np.float32, "C")
    check_finite(values, name)
    if loss == "binary_cross_entropy" and values.size and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise ArgumentError(
            f"{name} must lie between 0 and 1 with loss={loss!r}. Got {values.min():g} to {values.max():g}."
        )
    return values


def wrong_shape(name: str, shape: tuple[int, ...], input_shape: tuple[int, ...]) -> ShapeError:
    """The error for samples of another shape, with a guess at what happened."""
    wanted = f"(N, {', '.join(map(str, input_shape))})"
    text = f"{name} must have shape {wanted}. Got {shape}"
    if shape == input_shape:
        text += f"; a single sample is {name}[None]"
    elif len(shape) == len(input_shape) + 1 and shape[1] != input_shape[0]:
        if shape[2:] + shape[1:2] == input_shape[1:] + input_shape[:1] or shape[-1] == input_shape[0]:
            text += "; channels come first"
        else:
            text += f": {shape[1]} channels where the network takes {input_shape[0]}"
    return ShapeError(f"{text}.")


def as_labels(labels: Sequence[str], outputs: int) -> tuple[str, ...]:
    """Names of the K outputs, checked.

    Raises:
        ArgumentTypeError: it is not a sequence of strings.
        ArgumentError: there is not one for each output, or two are equal.
    """
    given: object = labels
    if (
        isinstance(given, str)
        or not isinstance(given, Sequence | np.ndarray)
        or not all(isinstance(label, str) for label in given)
    ):
        raise ArgumentTypeError(f"labels must be a sequence of strings. Got {labels!r}.")
    if len(labels) != outputs:
        raise ArgumentError(
            f"labels must be one name for each of the {outputs} outputs. Got {len(labels)}: {labels!r}."
        )
    if len(set(labels)) != len(labels):
        raise ArgumentError(f"labels must differ from each other. Got {tuple(labels)!r}.")
    return tuple(map(str, labels))


def as_sample_rate(rate: float) -> float:
    """Samples per second, checked; whole numbers stay whole.

    Raises:
        ArgumentTypeError: it is not a number.
        ArgumentError: it is not positive and finite.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
        raise ArgumentTypeError(f"sample_rate must be a number of samples per second. Got {rate!r}.")
    if not 0 < rate < math.inf:
        raise ArgumentError(f"sample_rate must be a positive number of samples per second. Got {rate!r}.")
    return rate if isinstance(rate, int) else float(rate)


def check_memory(rows: list[Row]) -> None:
    """Refuse a network that cannot fit into memory: its parameters (the model's, the engine's, and one copy on the way
    between them) and its largest two maps.
    """
    memory = available_bytes()
    maps = max(math.prod(row.input_shape) + math.prod(row.output_shape) for row in rows)
    needed = 4 * (3 * sum(row.parameters for row in rows) + maps)
    if needed > memory:
        raise ArgumentError(
            f"input_shape must leave the network small enough for memory ({gibibytes(memory)} available). "
            f"Got {rows[0].input_shape}, which needs {gibibytes(needed)}."
        )
