"""Scores of clips: of windows, and of whole files that are longer than one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.data import Clips, Collection, Dataset, open_signal, read_signal, windows_from
from scanwise.data.annotation.collection import AnnotatedFile
from scanwise.data.dataset import OnError
from scanwise.data.for_model import as_taken, whole_rate
from scanwise.data.opening import taken_by
from scanwise.errors import ArgumentError
from scanwise.evaluation.scanned import is_longer
from scanwise.model import Model
from scanwise.presence.aggregating import AggregatingNetwork
from scanwise.scanning import detect
from scanwise.scanning.reading import Reading

__all__ = ["clip_probabilities", "one_hot", "outputs", "windows_of"]

_PIECE = 1 << 22  # values given to the model at a time

Progress = Callable[[int, int], None]


def outputs(model: Model, data: Dataset, progress: Progress | None = None) -> NDArray[np.float32]:
    """The network's outputs `(N, K)` for all samples."""
    step = max(_PIECE // max(int(np.prod(data.input_shape)), 1), 1)
    scores = np.empty((len(data), *model.output_shape), np.float32)
    for start in range(0, len(data), step):
        piece = slice(start, start + step)
        scores[piece] = model(data.x[piece])
        if progress is not None:
            progress(min(start + step, len(data)), len(data))
    return scores


def clip_probabilities(
    model: Model,
    data: Dataset,
    files: Mapping[str, AnnotatedFile] | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Probabilities `(N, K)` of clips, or of the files that they were cropped from.

    A file that is longer than the window is scored whole: by a network that ends in `Aggregate` as `Model.presence`
    does, by any other as the largest probability of any of its windows. `Clips` are scored as they are, by `presence`.

    Args:
        model: the model.
        data: the clips.
        files: by name, those that are clips as a whole; None: the samples are what they are.
        progress: is called with (clips, clips in all).
    """
    reading = Reading.of(model)
    if isinstance(data.x, Clips):
        return _as_they_are(model, reading, data.x, progress)
    found = np.ascontiguousarray(reading.probabilities(outputs(model, data, progress).T).T)
    longer = [
        (i, files[name]) for i, name in enumerate(data.files) if files and is_longer(files[name], model)
    ]
    whole = _whole(model, reading)
    for done, (i, file) in enumerate(longer, 1):
        found[i] = whole(file)
        if progress is not None:
            progress(done, len(longer))
    return found


def _whole(model: Model, reading: Reading) -> Callable[[AnnotatedFile], NDArray[np.float64]]:
    """Scores one file, with one of them in memory at a time."""
    options = as_taken(model)
    try:
        AggregatingNetwork(model.network, model.input_shape, model.backend)
    except ArgumentError:  # not of any size
        return lambda file: detect(model, open_signal(file.path, **options)).presence
    return lambda file: _presence(model, reading, read_signal(file.path, **options))


def _as_they_are(
    model: Model, reading: Reading, clips: Clips, progress: Progress | None
) -> NDArray[np.float64]:
    found = np.empty((len(clips), *model.output_shape))
    for i, clip in enumerate(clips):
        found[i] = _presence(model, reading, clip)
        if progress is not None:
            progress(i + 1, len(clips))
    return found


def _presence(model: Model, reading: Reading, signal: NDArray[Any]) -> NDArray[np.float64]:
    return reading.probabilities(model.presence([signal]).scores[0])


def windows_of(
    model: Model, collection: Collection, *, unlabelled: bool = False, on_error: OnError = "fatal"
) -> Dataset:
    """Windows of a collection, as a model takes them: about events and from the gaps, or of clips."""
    rate = whole_rate(model)
    kind, window, _ = taken_by(model.input_shape, rate)
    return windows_from(
        collection,
        window,
        unlabelled=unlabelled,
        kind=kind,
        sample_rate=rate,
        image_mode=as_taken(model)["image_mode"],
        labels=Reading.of(model).names,
        on_error=on_error,
    )


def one_hot(data: Dataset) -> NDArray[np.float32]:
    """Targets `(N, K)`, 0 or 1 for every label."""
    return data.y if data.y.ndim == 2 else np.eye(len(data.labels), dtype=np.float32)[data.y]
