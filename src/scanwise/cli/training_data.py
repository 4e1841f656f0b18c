"""The data of `scanwise train`: read, held out, and looked at for what would train on something else than was meant."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scanwise.cli.clips import ClipChoice
from scanwise.cli.console import parse_extent, plain, progress_bar, say, say_skipped
from scanwise.cli.labels import open_labelled
from scanwise.cli.request import Request
from scanwise.data import Clips, Dataset, Skipped, split
from scanwise.data.annotation.checking import SILENT
from scanwise.data.dataset import ImageMode, OnError
from scanwise.errors import ArgumentError, DataError
from scanwise.layers import Sequential

__all__ = ["open_training", "validation_fraction"]

NAMED = 3  # silent recordings that are named

_PIECE = 1 << 22  # values looked at in one go


def open_training(request: Request, described: Sequential | None) -> tuple[Dataset, Dataset | float | None]:
    """Training data, and validation data or, for a mapped file, the fraction that `fit` holds out without a copy."""
    fraction = validation_fraction(request.validation)
    if fraction == 0 and request.patience is not None:
        raise ArgumentError("patience must be left out without validation data. Got --validation 0.")
    window = None if request.window is None else parse_extent(request.window, "window")
    if isinstance(window, tuple) and len(window) != 2:
        raise ArgumentError(f"window must be a number, or HxW. Got {request.window!r}.")
    choice = ClipChoice(request.clips, request.network if described is None else described)
    with progress_bar("reading") as show:
        data = open_labelled(
            request.data,
            request.labels,
            presence={"auto": None, "cross_entropy": False, "binary_cross_entropy": True}[request.loss],
            seed=request.seed,
            window=window,
            sample_rate=request.sample_rate,
            image_mode=cast("ImageMode | None", request.image_mode),
            clips=choice,
            on_error=cast("OnError", request.on_error),
            progress=show,
        )
    say_skipped(data)
    _look_for_sound(data, request.data)
    if fraction is None:
        held_out = open_labelled(
            Path(request.validation),
            request.labels,
            presence=data.y.ndim == 2,
            seed=request.seed,
            input_shape=data.input_shape,
            sample_rate=data.sample_rate,
            image_mode=data.image_mode,
            labels=data.labels,
            clips=choice.made,
            on_error=cast("OnError", request.on_error),
            part="test",
        )
        held_out = _without(data, held_out, cast("OnError", request.on_error))
        say_skipped(held_out)
        return data, held_out
    if fraction == 0:
        return data, None
    if (
        isinstance(data.x, np.ndarray)
        and isinstance(data.x.base, np.memmap)
        and min(data.counts().values()) > 1
    ):
        return data, fraction
    return split(data, fraction, seed=request.seed)


def validation_fraction(text: str) -> float | None:
    """A fraction from 0 (no validation) to below 1, or None where the text is a path."""
    try:
        fraction = float(text)
    except ValueError:
        return None
    if not 0 <= fraction < 1:
        raise ArgumentError(
            f"validation must be a path, or a fraction of at least 0 and less than 1. Got {text}."
        )
    return fraction


def _without(data: Dataset, held_out: Dataset, on_error: OnError) -> Dataset:
    """Validation data without the files that are trained on, which would say how well they are remembered.

    Raises:
        DataError: there are such files, with `on_error="fatal"`; or no others.
    """
    known = {os.path.realpath(file) for file in data.files}
    both = [file for file in dict.fromkeys(held_out.files) if os.path.realpath(file) in known]
    if not both:
        return held_out
    others = np.flatnonzero([file not in both for file in held_out.files])
    if on_error == "fatal" or len(others) == 0:
        raise DataError(
            f"validation must hold other files than DATA. Got {len(both):,} that are in both, such as {both[0]}."
        )
    skipped = [Skipped(file, "it is trained on, too") for file in both]
    return replace(held_out.take(others), skipped=(*held_out.skipped, *skipped))


def _look_for_sound(data: Dataset, path: Path) -> None:
    """Say which recordings are silent throughout, as far as they are used.

    Raises:
        DataError: all are.
    """
    if data.kind != "audio" or not data.files:
        return
    peaks: defaultdict[str, float] = defaultdict(float)
    for first, samples in _pieces(data.x):
        for number, sample in enumerate(samples, first):
            peaks[data.files[number]] = max(peaks[data.files[number]], float(np.abs(sample).max(initial=0.0)))
    silent = [file for file, peak in peaks.items() if peak <= SILENT]
    if len(silent) == len(peaks):
        raise DataError(f"{path} must hold recordings with sound. Got {len(silent):,}, and all are silent.")
    if silent:
        named = ", ".join(map(plain, silent[:NAMED])) + (" and others" if len(silent) > NAMED else "")
        say(f"{len(silent):,} of {len(peaks):,} recordings are silent throughout: {named}")


def _pieces(x: NDArray[Any] | Clips) -> Iterator[tuple[int, NDArray[Any] | list[NDArray[Any]]]]:
    """The number of a first sample, and samples from there."""
    step = 1 if isinstance(x, Clips) else max(1, _PIECE // max(1, int(np.prod(x.shape[1:]))))
    for first in range(0, len(x), step):
        yield first, x[first : first + step]
