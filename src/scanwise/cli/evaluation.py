"""`scanwise eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scanwise.cli.console import print_json, progress_bar, say_skipped, table
from scanwise.data import Dataset, open_dataset
from scanwise.data.dataset import ImageMode, OnError
from scanwise.errors import ShapeError
from scanwise.model import Model, load

_PIECE = 1 << 22  # values given to the model at a time


def run_eval(model_path: Path, data_path: Path, *, on_error: str, backend: str, as_json: bool) -> None:
    """Print how well a saved model labels data that it was not trained on."""
    model = load(model_path, backend=backend)
    labels = label_names(model)
    with progress_bar("reading") as show:
        data = open_dataset(
            data_path,
            input_shape=model.input_shape,
            sample_rate=whole_rate(model),
            image_mode=cast("ImageMode | None", model.image_mode),
            labels=labels,
            on_error=cast("OnError", on_error),
            part="test",
            progress=show,
        )
    say_skipped(data)
    predicted = _predict(model, data)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (data.y, predicted), 1)
    result = summarise(confusion, labels)
    result["wrong"] = [
        {"file": data.files[i], "label": labels[data.y[i]], "predicted": labels[predicted[i]]}
        for i in np.flatnonzero(data.y != predicted)
        if data.files
    ]
    result["skipped"] = [skipped.source for skipped in data.skipped]
    if as_json:
        print_json(result)
    else:
        print(_text(result, labels))


def label_names(model: Model) -> tuple[str, ...]:
    """The model's labels, or the numbers of its outputs."""
    if len(model.output_shape) != 1 or model.output_shape[0] < 2:
        raise ShapeError(
            f"model must give one score for each of several labels. Got output shape {model.output_shape}."
        )
    return model.labels or tuple(str(k) for k in range(model.output_shape[0]))


def whole_rate(model: Model) -> int | None:
    """The model's sample rate as audio files state it."""
    return None if model.sample_rate is None else round(model.sample_rate)


def summarise(confusion: NDArray[np.int64], labels: tuple[str, ...]) -> dict[str, Any]:
    """Accuracy, and precision and recall of every label, from `confusion[label, predicted]`.

    Precision is None for a label that was never predicted, recall for one that does not occur.

    Example:
        >>> summarise(np.array([[3, 1], [0, 0]]), ("a", "b"))["labels"]["b"]
        {'precision': 0.0, 'recall': None, 'samples': 0}
    """
    right, predicted, actual = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    return {
        "accuracy": float(right.sum() / confusion.sum()),
        "samples": int(confusion.sum()),
        "labels": {
            label: {
                "precision": float(right[k] / predicted[k]) if predicted[k] else None,
                "recall": float(right[k] / actual[k]) if actual[k] else None,
                "samples": int(actual[k]),
            }
            for k, label in enumerate(labels)
        },
        "confusion": confusion.tolist(),
    }


def _predict(model: Model, data: Dataset) -> NDArray[np.int64]:
    step = max(_PIECE // max(int(np.prod(data.input_shape)), 1), 1)
    predicted = np.empty(len(data), np.int64)
    with progress_bar("predicting") as show:
        for start in range(0, len(data), step):
            piece = slice(start, start + step)
            predicted[piece] = model(data.x[piece]).argmax(axis=1)
            show(min(start + step, len(data)), len(data))
    return predicted


def _text(result: dict[str, Any], labels: tuple[str, ...]) -> str:
    measures = [["label", "precision", "recall", "samples"]]
    for label, row in result["labels"].items():
        measures.append([label, _percent(row["precision"]), _percent(row["recall"]), f"{row['samples']:,}"])
    confusion = [["label \\ predicted", *labels]]
    for label, counts in zip(labels, result["confusion"], strict=True):
        confusion.append([label, *(f"{n:,}" if n else "." for n in counts)])
    return "\n\n".join(
        (
            f"accuracy {_percent(result['accuracy'])} of {result['samples']:,} samples",
            table(measures, right=(1, 2, 3)),
            table(confusion, right=range(1, len(labels) + 1)),
        )
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
