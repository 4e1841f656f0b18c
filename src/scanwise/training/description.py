"""A training described: everything that decides what comes of it, as JSON data.

Two trainings with equal descriptions end with the same parameters, bit for bit. A check-point goes on only with the one
that it is of, and a model keeps that of its last one (`Model.training`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.model import Model
from scanwise.model_file import fingerprint
from scanwise.training.callbacks import Callback
from scanwise.training.samples import Samples
from scanwise.training.settings import FunctionCallback, Settings

# Of samples and of targets: what is read for a checksum. More is told by rows that lie evenly among all.
LARGEST_WHOLE = 1 << 24
ROWS = 64

Range = tuple[float, float]


def describe(model: Model, train: Samples, validation: Samples | None, settings: Settings) -> dict[str, Any]:
    """What decides a training from the model's present parameters."""
    from scanwise import __version__

    return {
        "scanwise": __version__,
        "network": model.network.to_json(),
        "input_shape": list(model.input_shape),
        "backend": model.backend,
        "first_parameters": fingerprint(model),
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "optimizer": _told(settings.optimizer),
        "loss": settings.loss,
        "seed": settings.seed,
        "augment": None if settings.augment is None else repr(settings.augment),
        "callbacks": [_callback(callback) for callback in settings.deciding],
        "samples": _samples(train),
        "validation": None if validation is None else _samples(validation),
    }


def value_range(samples: Samples) -> Range:
    """The smallest and largest value of samples, as a model sees them; of many, those of some rows."""
    if not isinstance(samples.x, np.ndarray):
        limits = [_limits(samples.x[row]) for row in samples.rows[:ROWS]]  # one signal at a time in memory
        return min(low for low, _ in limits), max(high for _, high in limits)
    if samples.x.dtype == np.uint8:
        return 0.0, 1.0
    return _limits(samples.x[_some(samples.rows, samples.x)])


def _limits(values: NDArray[Any]) -> Range:
    return (0.0, 1.0) if values.dtype == np.uint8 else (float(values.min()), float(values.max()))


def _samples(samples: Samples) -> dict[str, Any]:
    x, y = samples.x, samples.y
    if not isinstance(x, np.ndarray):
        return _signals(x, y, samples.rows)
    digest = hashlib.sha256(np.ascontiguousarray(samples.rows).data)
    for values in (x, y):
        digest.update(f"{values.dtype.str} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values[_some(samples.rows, values)]).data)
    return {
        "number": len(samples.rows),
        "shape": list(x.shape[1:]),
        "dtype": x.dtype.name,
        "sha256": digest.hexdigest(),
    }


def _signals(x: Sequence[NDArray[Any]], y: NDArray[Any], rows: NDArray[np.int64]) -> dict[str, Any]:
    """Of signals the first and last samples, and how many there are, stand for all."""
    digest = hashlib.sha256(np.ascontiguousarray(rows).data)
    digest.update(np.ascontiguousarray(y[rows]).data)
    dtype = ""
    for row in rows:
        signal = x[row]
        dtype = dtype or signal.dtype.name
        digest.update(f"{signal.dtype.str} {signal.shape}".encode())
        for part in (signal[..., :ROWS], signal[..., -ROWS:]):
            digest.update(np.ascontiguousarray(part[..., :ROWS]).data)
    return {"number": len(rows), "shape": None, "dtype": dtype, "sha256": digest.hexdigest()}


def _some(rows: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.int64]:
    """The rows to look at: all where that is quick."""
    size = max(1, values[:1].nbytes)
    count = len(rows) if len(rows) * size <= LARGEST_WHOLE else max(2, min(ROWS, LARGEST_WHOLE // size))
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]


def _told(value: object) -> str:
    """Frozen data as the call that makes it; of anything else the name of its type, which has no address in it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = ", ".join(
            f"{field.name}={_told_field(getattr(value, field.name))}"
            for field in dataclasses.fields(value)
            if field.init
        )
        return f"{type(value).__qualname__}({told})"
    return type(value).__qualname__


def _told_field(value: object) -> str:
    plain = value is None or isinstance(value, str | int | float | bool | tuple | list | np.generic)
    return repr(value) if plain else _told(value)


def _callback(callback: Callback) -> str:
    if isinstance(callback, FunctionCallback):
        return getattr(callback.function, "__qualname__", type(callback.function).__qualname__)
    return _told(callback)
