"""Measurements in their own units: trained on at mean 0 and deviation 1, and given to the model as they are.

Sensor values of 1,000 +- 1 or 1e-6 train badly as they are. They are shifted and scaled for training, and the same
shift and scale become the model's first layer, a 1x1 convolution of each channel by itself: whatever the model is
run on later (scan, stream, another program) needs no preparation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.augment import Augment, standardised
from scanwise.data import Dataset
from scanwise.data.clips import Clips
from scanwise.layers import Conv1d, Conv2d, Sequential
from scanwise.model import Model

# Where all channels are this close to mean 0 and deviation 1, the data stay as they are: a mapped file stays mapped.
LARGEST_MEAN = 0.5
DEVIATIONS = (0.25, 4.0)

_PIECE = 1 << 22  # values converted at a time


@dataclass(frozen=True)
class Standardisation:
    """Mean and deviation of every channel, (C,) each."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @staticmethod
    def of(dataset: Dataset) -> Standardisation | None:
        """What the data need, or None: for audio and 8-bit images, which have a known scale, and for standard data."""
        if dataset.kind == "audio" or dataset.x.dtype == np.uint8:
            return None
        mean, deviation = _moments(dataset.x)
        low, high = DEVIATIONS
        if (np.abs(mean) <= LARGEST_MEAN * deviation).all() and (
            (deviation >= low) & (deviation <= high)
        ).all():
            return None
        return Standardisation(mean, np.where(deviation > 0, deviation, 1.0))

    def apply(self, dataset: Dataset) -> Dataset:
        """The data at mean 0 and deviation 1, as float32."""
        form = (-1,) + (1,) * (len(dataset.input_shape) - 1)
        mean, deviation = self.mean.reshape(form), self.deviation.reshape(form)
        if isinstance(dataset.x, Clips):
            return replace(dataset, x=dataset.x.standardised(mean, deviation))
        x = np.empty(dataset.x.shape, np.float32)
        for piece in _slices(dataset.x):
            x[piece] = (dataset.x[piece] - mean) / deviation
        return replace(dataset, x=x)

    def apply_to(self, augment: Augment | None) -> Augment | None:
        """What `augment` says of the data as they are, for the data at mean 0 and deviation 1."""
        return None if augment is None else standardised(augment, self.mean, self.deviation)

    def into(self, model: Model) -> Model:
        """A model for the data as they are: `model` behind the shift and scale."""
        channels = len(self.mean)
        layer = (Conv1d if len(model.input_shape) == 2 else Conv2d)(channels, 1, groups=channels)
        result = Model(
            Sequential(layer, *model.network.layers),
            model.input_shape,
            backend=model.backend,
            labels=model.labels,
            sample_rate=model.sample_rate,
            image_mode=model.image_mode,
        )
        kernel = (channels, 1) + (1,) * (len(model.input_shape) - 1)
        result.parameters["0.weight"] = (1 / self.deviation).reshape(kernel)
        result.parameters["0.bias"] = -self.mean / self.deviation
        for name, value in model.parameters.items():
            place, rest = name.split(".", 1)
            result.parameters[f"{int(place) + 1}.{rest}"] = value
        result.loss, result.history, result.training = model.loss, model.history, model.training
        if model.input_range is not None:
            low, high = model.input_range
            result.input_range = (
                float((low * self.deviation + self.mean).min()),
                float((high * self.deviation + self.mean).max()),
            )
        return result


def _moments(x: NDArray[Any] | Clips) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count, total = 0, np.zeros(1)
    for piece in _pieces(x):
        axes = (0, *range(2, piece.ndim))
        count += piece.size // piece.shape[1]
        total = total + piece.sum(axis=axes, dtype=np.float64)
    mean = total / count
    squares = np.zeros(len(mean))
    for piece in _pieces(x):
        form = (-1,) + (1,) * (piece.ndim - 2)
        squares = squares + np.square(piece - mean.reshape(form)).sum(axis=axes)
    return mean, np.sqrt(squares / count)


def _pieces(x: NDArray[Any] | Clips) -> Iterator[NDArray[Any]]:
    """Samples (n, C, ...), some at a time."""
    if isinstance(x, Clips):
        yield from (clip[np.newaxis] for clip in x)
    else:
        yield from (x[piece] for piece in _slices(x))


def _slices(x: NDArray[Any]) -> list[slice]:
    step = max(_PIECE // max(int(np.prod(x.shape[1:])), 1), 1)
    return [slice(start, start + step) for start in range(0, len(x), step)]
