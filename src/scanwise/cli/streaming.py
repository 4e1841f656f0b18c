"""`scanwise stream`."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scanwise.cli.console import plain, say
from scanwise.cli.thresholds import say_thresholds
from scanwise.data.pcm import PcmFormat, PcmReader
from scanwise.errors import ArgumentError
from scanwise.model import Model, load
from scanwise.scanning import Detection, Stream
from scanwise.scanning.live import LiveDetections

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class StreamRequest:
    """What `scanwise stream` was asked for; None where the user has not said."""

    model: Path
    rate: int | None
    dtype: str | None
    channels: int | None
    threshold: float | None
    backend: str
    as_json: bool


def run_stream(request: StreamRequest) -> None:
    """Scan what comes on standard input, and print what was found as soon as it is certain."""
    if request.threshold is not None and not 0 <= request.threshold <= 1:
        raise ArgumentError(f"threshold must be between 0 and 1. Got {request.threshold:g}.")
    model = load(request.model, backend=request.backend)
    stream = Stream(model)
    if model.input_shape[0] != 1:
        raise ArgumentError(f"model must take one channel for 'stream'. Got {model.input_shape[0]}.")
    if request.threshold is None:
        say_thresholds(model)
    live = LiveDetections(model, stream.step, request.threshold)
    try:
        reader = _reader(request, model)
        for samples in _resampled(reader, model):
            _tell(live.feed(stream.feed(samples[np.newaxis])), request)
        _say_rest(reader)
    except KeyboardInterrupt:
        pass  # that is how one ends a stream
    _tell(live.flush(), request)
    _say_uncovered(stream, model)


def _reader(request: StreamRequest, model: Model) -> PcmReader:
    if sys.stdin is None or sys.stdin.isatty():
        raise ArgumentError("standard input must be audio, from a pipe or a file. Got a terminal, or none.")
    raw = PcmFormat(request.dtype or "int16", request.rate or model.sample_rate, request.channels or 1)
    stated = {"dtype": request.dtype, "rate": request.rate, "channels": request.channels}
    return PcmReader(
        cast("io.BufferedReader", sys.stdin.buffer),
        raw,
        {name: value for name, value in stated.items() if value is not None},
    )


def _resampled(reader: PcmReader, model: Model) -> Iterator[Samples]:
    """What comes, at the model's rate."""
    rate = reader.format.rate
    if rate is None or model.sample_rate is None or rate == model.sample_rate:
        yield from reader
        return
    import soxr

    say(f"resampling from {rate:g} to {model.sample_rate:g} Hz")
    resampler: Any = soxr.ResampleStream(rate, model.sample_rate, 1, dtype="float32")
    for samples in reader:
        yield resampler.resample_chunk(samples)
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _tell(found: list[Detection], request: StreamRequest) -> None:
    for detection in found:
        print(_as_json(detection) if request.as_json else _as_text(detection), flush=True)


def _as_json(found: Detection) -> str:
    fields = {
        "label": found.label,
        "score": found.score,
        "start": found.start,
        "stop": found.stop,
        "seconds": found.seconds,
    }
    return json.dumps(fields, allow_nan=False)


def _as_text(found: Detection) -> str:
    seconds = found.seconds
    places = [f"{t:.3f}" for t in seconds] if seconds is not None else [str(place) for place in found.box]
    return "  ".join([*places, plain(found.label), f"{found.score:.3f}"])


def _say_rest(reader: PcmReader) -> None:
    if reader.missing:
        say(f"standard input ended {reader.missing:,} bytes before the end that its WAV head states")
    if reader.left_out:
        say(f"the last {reader.left_out} bytes are no whole sample of all channels and were left out")


def _say_uncovered(stream: Stream, model: Model) -> None:
    """Name what lies in no window, as a scan does."""
    windows = math.floor((stream.position - stream.window) / stream.step) + 1
    left = stream.position - (stream.window + (windows - 1) * stream.step if windows > 0 else 0)
    if left > 0:
        extent = f"{left:,} samples" if model.sample_rate is None else f"{left / model.sample_rate:.3f} s"
        say(f"not covered: the last {extent}, less than a window or a step")
