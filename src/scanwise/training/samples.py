"""Training and validation samples: checked once, in bounded pieces, and never copied where they need not be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError
from scanwise.executor import Target
from scanwise.initialization import raw_words
from scanwise.inputs import as_target, check_finite, number_array, real_array, wrong_shape
from scanwise.model import Model
from scanwise.presence import AggregatingNetwork
from scanwise.presence.signals import as_signal
from scanwise.training.losses import Score, correct, gives_probabilities, losses
from scanwise.training.program import SAMPLE_DTYPES

_NO_SIGNALS = (str, bytes, bytearray, memoryview, range)  # sequences all the same

_PIECE_BYTES = 1 << 24  # of samples looked at in one go: small beside the memory of any machine

# Which words of the seed's Philox counter serve what; the streams below 2**32 are the parameters' first values.
_SHUFFLE_STREAM = 1 << 32
_SPLIT_STREAM = 1 << 33


@runtime_checkable
class LabelledSamples(Protocol):
    """A data set: `scanwise.data` makes them."""

    x: Any
    y: Any
    labels: Any
    sample_rate: Any
    image_mode: Any


@dataclass(frozen=True)
class Samples:
    """Rows `rows` of `x` and `y`; signals of unequal size are a list, or a sequence that reads them when asked."""

    x: NDArray[Any] | Sequence[NDArray[Any]]
    y: Target
    rows: NDArray[np.int64]

    @property
    def unequal(self) -> bool:
        """Whether these are signals of unequal size."""
        return not isinstance(self.x, np.ndarray)

    def gathered(self, rows: NDArray[np.int64]) -> NDArray[Any] | list[NDArray[Any]]:
        """Some of the samples."""
        return self.x[rows] if isinstance(self.x, np.ndarray) else [self.x[row] for row in rows]

    def shuffled(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The rows in the order of epoch number `epoch`: the same for the same seed, everywhere."""
        return self.rows[_permutation(seed, _SHUFFLE_STREAM + epoch, len(self.rows))]


def training_samples(
    model: Model, x: object, y: ArrayLike | None, loss: str, validation_data: object, seed: int
) -> tuple[Samples, Samples | None]:
    """The samples to train on and those to validate on, checked.

    A data set also gives the model its labels, sample rate and image mode, where the model has none.
    """
    if isinstance(x, LabelledSamples):
        data: LabelledSamples = x
        if y is not None:
            raise ArgumentError("y must be None if x is a data set, which has its own. Got both.")
        _adopt(model, data)
        x, y = data.x, data.y
    if y is None:
        raise ArgumentError("y must be given, unless x is a data set. Got None.")
    train = _samples(model, x, y, loss, "x", "y")
    if validation_data is None:
        validation = None
    elif isinstance(validation_data, float | np.floating):
        train, validation = _split(train, float(validation_data), seed)
    else:
        validation = _samples(
            model, *_pair(validation_data), loss, "validation_data's x", "validation_data's y"
        )
    # A model that has a loss has been trained: it may go on with a part of the data, which has what it has.
    if loss == "cross_entropy" and model.loss is None:
        _check_several_labels(train)
    return train, validation


def evaluate(model: Model, samples: Samples, loss: str) -> Score:
    """Loss and accuracy of a model on samples, a bounded piece at a time."""
    total, right = 0.0, 0
    probabilities = gives_probabilities(model.network, loss)
    counts = True
    for rows, x in _pieces(samples):
        outputs = model.presence(x).scores if isinstance(x, list) else model(x)
        target = samples.y[rows]
        total += float(losses(outputs, target, loss, probabilities=probabilities).sum())
        hits = correct(outputs, target, loss)
        if hits is None:
            counts = False
        else:
            right += int(hits.sum())
    n = len(samples.rows)
    return Score(total / n, right / n if counts else None)


def _samples(model: Model, x: object, y: ArrayLike, loss: str, x_name: str, y_name: str) -> Samples:
    if are_signals(x, model.input_shape):
        return _signals(model, x, y, loss, x_name, y_name)
    array = _gatherable(x, x_name)
    if array.ndim == 0 or array.shape[1:] != model.input_shape:
        raise wrong_shape(x_name, array.shape, model.input_shape)
    if len(array) == 0:
        raise DataError(f"{x_name} must hold at least one sample. Got none.")
    target = as_target(y, len(array), model.output_shape, loss, y_name)
    if array.dtype.kind == "f":
        step = _rows_at_once(array)
        for first in range(0, len(array), step):
            with np.errstate(over="ignore"):
                values = np.asarray(array[first : first + step], np.float32)
            check_finite(values, x_name, (first,), DataError)
    return Samples(array, target, np.arange(len(array), dtype=np.int64))


def are_signals(x: object, input_shape: tuple[int, ...]) -> TypeGuard[Sequence[Any]]:
    """Whether `x` is a list of signals of which at least one has another size than a sample, or any other sequence
    of signals, which is not read to find out: a data set may have a class for clips that lie in files.
    """
    if len(input_shape) < 2:
        return False
    if isinstance(x, list | tuple):
        return all(isinstance(each, np.ndarray) and each.ndim == len(input_shape) for each in x) and any(
            each.shape != input_shape for each in x
        )
    return isinstance(x, Sequence) and not isinstance(x, _NO_SIGNALS) and not hasattr(x, "__array__")


def _signals(
    model: Model, x: Sequence[NDArray[Any]], y: ArrayLike, loss: str, x_name: str, y_name: str
) -> Samples:
    """Signals, checked one after the other, and those a bounded piece at a time."""
    network = AggregatingNetwork(model.network, model.input_shape, model.backend)
    if len(x) == 0:
        raise DataError(f"{x_name} must hold at least one signal. Got none.")
    target = as_target(y, len(x), model.output_shape, loss, y_name)
    for number in range(len(x)):
        signal, name = x[number], f"{x_name}[{number}]"
        if not isinstance(signal, np.ndarray):
            raise ArgumentTypeError(f"{name} must be an array. Got {type(signal).__name__}.")
        array = as_signal(signal, model.input_shape, name)
        network.laid_out(number, array, x_name)
        flat = array.reshape(array.shape[0], -1) if array.flags.c_contiguous else array
        if array.dtype.kind == "f":
            for first in range(0, flat.shape[1], _PIECE_BYTES // 4):
                with np.errstate(over="ignore"):
                    values = np.asarray(flat[:, first : first + _PIECE_BYTES // 4], np.float32)
                check_finite(values, name, (0, first), DataError)
    return Samples(x, target, np.arange(len(x), dtype=np.int64))


def _gatherable(x: object, name: str) -> NDArray[Any]:
    """`x` as an array that a program gathers from: as it is if possible, else converted, but never a whole file."""
    mapped = isinstance(x, np.memmap)
    array = number_array(x, name)  # type: ignore[arg-type]  # it checks
    accepted = array.dtype.isnative and any(array.dtype == dtype for dtype in SAMPLE_DTYPES)
    if accepted and array.flags.c_contiguous:
        return array
    if mapped:
        names = ", ".join(np.dtype(dtype).name for dtype in SAMPLE_DTYPES)
        raise ArgumentTypeError(
            f"{name} must be C-contiguous and one of {names} to be trained on from a memory map. "
            f"Got {array.dtype}{'' if array.flags.c_contiguous else ', not contiguous'}."
        )
    return np.ascontiguousarray(array) if accepted else real_array(array, name)


def _pair(validation_data: object) -> tuple[Any, Any]:
    if isinstance(validation_data, LabelledSamples):
        return validation_data.x, validation_data.y
    if isinstance(validation_data, tuple | list) and len(validation_data) == 2:
        return validation_data[0], validation_data[1]
    raise ArgumentTypeError(
        "validation_data must be a pair (x, y), a data set, or a fraction between 0 and 1. "
        f"Got {type(validation_data).__name__}."
    )


def _split(samples: Samples, fraction: float, seed: int) -> tuple[Samples, Samples]:
    """Hold out a fraction of the samples, drawn from the seed."""
    n = len(samples.rows)
    if not 0.0 < fraction < 1.0:
        raise ArgumentError(f"validation_data must be between 0 and 1 if it is a fraction. Got {fraction!r}.")
    held_out = max(1, round(fraction * n))
    if held_out >= n:
        raise DataError(f"x must hold enough samples to keep {fraction:g} of them for validation. Got {n}.")
    order = samples.rows[_permutation(seed, _SPLIT_STREAM, n)]
    train, validation = np.sort(order[held_out:]), np.sort(order[:held_out])
    return Samples(samples.x, samples.y, train), Samples(samples.x, samples.y, validation)


def _check_several_labels(samples: Samples) -> None:
    seen = np.unique(samples.y[samples.rows])
    if len(seen) < 2:
        raise DataError(f"y must hold at least two different labels to learn from. Got only {int(seen[0])}.")


def _adopt(model: Model, data: LabelledSamples) -> None:
    if model.labels is None and data.labels is not None:
        if len(data.labels) != model.output_shape[0]:
            raise ShapeError(
                f"the network's output must be one score for each of the data set's {len(data.labels)} labels. "
                f"Got output shape {model.output_shape}."
            )
        model.labels = data.labels
    if model.sample_rate is None:
        model.sample_rate = data.sample_rate
    if model.image_mode is None:
        model.image_mode = data.image_mode


def _pieces(samples: Samples) -> Iterator[tuple[NDArray[np.int64], NDArray[Any] | list[NDArray[Any]]]]:
    """Rows and their samples, a bounded piece at a time."""
    x, rows = samples.x, samples.rows
    if isinstance(x, np.ndarray):
        step = _rows_at_once(x)
        for start in range(0, len(rows), step):
            yield rows[start : start + step], x[rows[start : start + step]]
        return
    held: list[NDArray[Any]] = []
    for number, row in enumerate(rows):
        held.append(x[row])
        if number + 1 == len(rows) or 4 * sum(each.size for each in held) >= _PIECE_BYTES:
            yield rows[number + 1 - len(held) : number + 1], held
            held = []


def _rows_at_once(x: NDArray[Any]) -> int:
    return max(1, _PIECE_BYTES // max(1, 4 * math.prod(x.shape[1:])))


def _permutation(seed: int, stream: int, n: int) -> NDArray[np.intp]:
    """An order of n things: that of n random words. Stable, so that it is the same on every platform."""
    return np.argsort(raw_words(seed, stream, n), kind="stable")
