"""`scanwise eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scanwise.cli.console import print_json, progress_bar, say_skipped, table
from scanwise.cli.labels import LabelOptions, open_labelled
from scanwise.data import Dataset
from scanwise.data.dataset import ImageMode, OnError
from scanwise.errors import ShapeError
from scanwise.model import Model, load
from scanwise.scanning.probability import activation_of, probabilities

PRESENT = 0.5  # the probability from which on a label counts as there

_PIECE = 1 << 22  # values given to the model at a time


def run_eval(
    model_path: Path, data_path: Path, *, options: LabelOptions, on_error: str, backend: str, as_json: bool
) -> None:
    """Print how well a saved model labels data that it was not trained on."""
    model = load(model_path, backend=backend)
    labels = label_names(model)
    with progress_bar("reading") as show:
        data = open_labelled(
            data_path,
            options,
            presence=model.loss == "binary_cross_entropy",
            input_shape=model.input_shape,
            sample_rate=whole_rate(model),
            image_mode=cast("ImageMode | None", model.image_mode),
            labels=labels,
            on_error=cast("OnError", on_error),
            part="test",
            progress=show,
        )
    say_skipped(data)
    if data.y.ndim == 2:
        result = presence_measures(probabilities(_predict(model, data).T, activation_of(model)).T, data)
        if as_json:
            print_json(result)
        else:
            print(_presence_text(result))
        return
    predicted = _predict(model, data).argmax(axis=1)
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
    fewest = 1 if model.loss == "binary_cross_entropy" else 2
    if len(model.output_shape) != 1 or model.output_shape[0] < fewest:
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


def presence_measures(scores: NDArray[np.float64], data: Dataset) -> dict[str, Any]:
    """Measures where every label is there or not: each sample's labels with a probability of at least one half.

    A sample is right if all its labels are. Precision is None for a label that was never found, recall for one that
    does not occur.

    Args:
        scores: probabilities, (N, K).
        data: with targets (N, K).
    """
    found, there = scores >= PRESENT, data.y > 0
    right = (found == there).all(axis=1)
    hits = found & there
    wrong = [
        {
            "file": data.files[i],
            "labels": [label for label, is_there in zip(data.labels, there[i], strict=True) if is_there],
            "predicted": [label for label, is_found in zip(data.labels, found[i], strict=True) if is_found],
        }
        for i in np.flatnonzero(~right)
        if data.files
    ]
    return {
        "accuracy": float(right.mean()),
        "samples": len(data),
        "labels": {
            label: {
                "precision": float(hits[:, k].sum() / found[:, k].sum()) if found[:, k].any() else None,
                "recall": float(hits[:, k].sum() / there[:, k].sum()) if there[:, k].any() else None,
                "samples": int(there[:, k].sum()),
            }
            for k, label in enumerate(data.labels)
        },
        "wrong": wrong,
        "skipped": [skipped.source for skipped in data.skipped],
    }


def _predict(model: Model, data: Dataset) -> NDArray[np.float32]:
    """Scores (N, K)."""
    step = max(_PIECE // max(int(np.prod(data.input_shape)), 1), 1)
    scores = np.empty((len(data), *model.output_shape), np.float32)
    with progress_bar("predicting") as show:
        for start in range(0, len(data), step):
            piece = slice(start, start + step)
            scores[piece] = model(data.x[piece])
            show(min(start + step, len(data)), len(data))
    return scores


def _presence_text(result: dict[str, Any]) -> str:
    return "\n\n".join(
        (
            f"accuracy {_percent(result['accuracy'])} of {result['samples']:,} samples (all labels right)",
            _measures(result),
        )
    )


def _measures(result: dict[str, Any]) -> str:
    measures = [["label", "precision", "recall", "samples"]]
    for label, row in result["labels"].items():
        measures.append([label, _percent(row["precision"]), _percent(row["recall"]), f"{row['samples']:,}"])
    return table(measures, right=(1, 2, 3))


def _text(result: dict[str, Any], labels: tuple[str, ...]) -> str:
    confusion = [["label \\ predicted", *labels]]
    for label, counts in zip(labels, result["confusion"], strict=True):
        confusion.append([label, *(f"{n:,}" if n else "." for n in counts)])
    return "\n\n".join(
        (
            f"accuracy {_percent(result['accuracy'])} of {result['samples']:,} samples",
            _measures(result),
            table(confusion, right=range(1, len(labels) + 1)),
        )
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
