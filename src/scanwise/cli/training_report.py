"""What `scanwise train` tells of data, network and result."""

from __future__ import annotations

from typing import Any

import numpy as np

from scanwise import models
from scanwise.cli.console import plain
from scanwise.cli.request import Request
from scanwise.data import Clips, Dataset
from scanwise.model import BACKGROUND_NAMES, Model
from scanwise.training import History

__all__ = [
    "describe",
    "epochs_text",
    "labels_of",
    "network_name",
    "parameter_count",
    "result_of",
    "size_of",
    "summary_of",
]

LABELS_SHOWN = 20


def network_name(request: Request, data: Dataset) -> str:
    if request.network == "auto":
        return models.auto(data.input_shape, sample_rate=data.sample_rate)
    return request.network


def parameter_count(model: Model) -> int:
    return sum(value.size for value in model.parameters.values())


def describe(data: Dataset) -> str:
    extent = "x".join(map(str, data.input_shape[1:]))
    if data.sample_rate is not None:
        window = f"{data.input_shape[-1] / data.sample_rate:g} s at {data.sample_rate} Hz"
    else:
        window = f"{extent} {'pixels' if data.kind == 'image' else 'elements'}"
    samples = "clips of unequal length" if isinstance(data.x, Clips) else "samples"
    labels = "1 label" if len(data.labels) == 1 else f"{len(data.labels)} labels"
    return f"{len(data):,} {samples} of {labels}, window {window}"


def labels_of(data: Dataset) -> str:
    """What a wrong folder shows (`train, test`), and what a scan will do with the labels."""
    shown = ", ".join(map(plain, data.labels[:LABELS_SHOWN]))
    more = len(data.labels) - LABELS_SHOWN
    line = f"labels {shown}{f' and {more:,} more' if more > 0 else ''}"
    if data.y.ndim == 2:
        none = len(data) - np.count_nonzero(data.y.any(axis=1))
        return f"{line}; each by itself: {none:,} samples have none of them"
    if any(label.lower() in BACKGROUND_NAMES for label in data.labels):
        return line
    return f"{line}; no 'background' or 'none': a scan takes every window for one of these"


def size_of(validation: Dataset | float, training: Dataset) -> str:
    if isinstance(validation, float):
        return f"{round(len(training) * validation):,} of them for validation"
    return f"{len(validation):,} for validation"


def result_of(
    request: Request, data: Dataset, model: Model, history: History, seconds: float
) -> dict[str, Any]:
    last = history[-1] if history.best_epoch is None else history[history.best_epoch]
    return {
        "model": str(request.output),
        "network": network_name(request, data),
        "parameters": parameter_count(model),
        "labels": list(data.labels),
        "input_shape": list(data.input_shape),
        "sample_rate": data.sample_rate,
        "samples": len(data),
        "whole_clips": isinstance(data.x, Clips),
        "skipped": [skipped.source for skipped in data.skipped],
        "epochs": len(history),
        "seconds": seconds,
        "loss": last["loss"],
        "accuracy": last.get("accuracy"),
        "validation_loss": last.get("validation_loss"),
        "validation_accuracy": last.get("validation_accuracy"),
        "history": history.to_json(),
    }


def epochs_text(number: int) -> str:
    return f"{number} epoch{'' if number == 1 else 's'}"


def summary_of(result: dict[str, Any]) -> str:
    parts = [f"{epochs_text(result['epochs'])} in {result['seconds']:.1f} s", f"loss {result['loss']:.4f}"]
    if result["accuracy"] is not None:
        parts.append(f"accuracy {100 * result['accuracy']:.1f} %")
    if result["validation_loss"] is not None:
        parts.append(f"validation loss {result['validation_loss']:.4f}")
    if result["validation_accuracy"] is not None:
        parts.append(f"validation accuracy {100 * result['validation_accuracy']:.1f} %")
    if result["history"]["stopped"]:
        parts.append(result["history"]["stopped"])
    return f"{', '.join(parts)}\nsaved {result['model']}"
