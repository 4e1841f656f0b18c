"""How files are read for a model."""

from __future__ import annotations

from typing import Any

from scanwise.data.opening import taken_by
from scanwise.model import Model

__all__ = ["as_taken", "whole_rate"]


def whole_rate(model: Model) -> int | None:
    """The model's sample rate as audio files state it."""
    return None if model.sample_rate is None else round(model.sample_rate)


def as_taken(model: Model) -> dict[str, Any]:
    """The options of `open_signal` and `read_signal` that make a file what a model takes."""
    rate = whole_rate(model)
    mode = model.image_mode or taken_by(model.input_shape, rate)[2]
    return {"input_shape": model.input_shape, "sample_rate": rate, "image_mode": mode}
