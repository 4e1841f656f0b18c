"""`scanwise eval`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from scanwise.cli.clips import padded_for, trained_whole
from scanwise.cli.console import print_json, progress_bar, say, say_skipped, table
from scanwise.cli.history_picture import require_plot
from scanwise.cli.labels import LabelOptions, open_collection, open_labelled
from scanwise.cli.located import Located, located_json, located_text
from scanwise.cli.measures import clip_json, shown_share
from scanwise.cli.trade_off_picture import draw_trade_off
from scanwise.cli.writable import require_writable
from scanwise.data import Collection, Dataset
from scanwise.data.dataset import OnError
from scanwise.data.for_model import as_taken
from scanwise.errors import ArgumentError, ShapeError
from scanwise.evaluation import ClipMeasures, measure_clips, scan_files
from scanwise.evaluation.scanned import rule_of
from scanwise.evaluation.scoring import clip_probabilities, one_hot
from scanwise.model import Model, load
from scanwise.scanning.reading import Reading
from scanwise.scanning.selection import Selection

_REPEATS = (100, 1000)  # of the bootstrap, at least and at most
_DRAWN = 4_000_000  # answers that are drawn again in all, as far as at least the fewest repeats allow


@dataclass(frozen=True)
class EvalRequest:
    """What `scanwise eval` was asked for."""

    model: Path
    data: Path
    options: LabelOptions
    threshold: float | None
    tolerance: float | None
    overlap: float | None
    step: int | None
    low: float | None
    on_error: str
    plot: Path | None
    backend: str
    as_json: bool

    @property
    def about_places(self) -> list[str]:
        """Options that are given and say how whole files are scanned."""
        names = ("tolerance", "overlap", "step", "low", "plot")
        return [name for name in names if getattr(self, name) is not None]


def run_eval(request: EvalRequest) -> None:
    """Print how well a saved model labels data that it was not trained on."""
    model = load(request.model, backend=request.backend)
    labels = label_names(model)
    reading = Reading.of(model)
    Selection(request.threshold, low=request.low).check(reading, len(model.input_shape) - 1)
    thresholds = Selection(request.threshold).thresholds(reading)
    rule = rule_of(model, request.tolerance, request.overlap)
    if request.plot is not None:
        require_plot(request.plot)
        require_writable(request.plot, request.model, request.data, name="plot")
    presence = model.loss == "binary_cross_entropy"
    collection = open_collection(request.data, request.options, presence=presence)
    located = collection is not None and collection.located
    if request.about_places and not located:
        raise ArgumentError(
            f"{request.about_places[0]} must be left out for labels without places. Got {request.data}."
        )
    with progress_bar("reading") as show:
        data = open_labelled(
            request.data,
            request.options,
            presence=presence,
            labels=labels,
            on_error=cast("OnError", request.on_error),
            part="test",
            clips="whole" if trained_whole(model) and not located else "windows",
            progress=show,
            collection=collection,
            **as_taken(model),
        )
    data = padded_for(model.network, data)
    say_skipped(data)
    whole = None
    if collection is not None and not located and presence:
        whole = {str(file.path): file for file in collection.files}
    with progress_bar("predicting") as show:
        scores = clip_probabilities(model, data, whole, show)
    measured = _measured(scores, data, thresholds)
    result = _result(scores, data, labels, thresholds)
    found = (
        None if collection is None or not located else _located(model, collection, rule, thresholds, request)
    )
    if request.as_json:
        print_json(_with_intervals(result, measured, found))
    else:
        print(_text(result, measured))
        if found is not None:
            print("\n" + located_text(found))
    if request.plot is not None and found is not None:
        draw_trade_off(request.plot, found, title=f"{request.model.name} on {request.data.name}")
        say(f"saved {request.plot}")


def _measured(scores: NDArray[np.float64], data: Dataset, thresholds: NDArray[np.float64]) -> ClipMeasures:
    fewest, most = _REPEATS
    return measure_clips(
        scores,
        one_hot(data),
        data.labels,
        thresholds=thresholds.tolist(),
        exclusive=data.y.ndim == 1,
        files=np.array(data.files) if data.files else None,
        repeats=min(most, max(fewest, _DRAWN // max(scores.size, 1))),
    )


def _located(
    model: Model, collection: Collection, rule: Any, thresholds: NDArray[np.float64], request: EvalRequest
) -> Located:
    with progress_bar("scanning files") as show:
        scanned = scan_files(
            model,
            collection,
            step=request.step,
            low=request.low,
            unlabelled=request.options.unlabelled,
            on_error=cast("OnError", request.on_error),
            progress=show,
        )
    by_label = dict(zip(Reading.of(model).names, thresholds.tolist(), strict=True))
    return Located(scanned, rule, by_label, scanned.measures(by_label, rule, repeats=_REPEATS[1]))


def _result(
    scores: NDArray[np.float64], data: Dataset, labels: tuple[str, ...], thresholds: NDArray[np.float64]
) -> dict[str, Any]:
    if data.y.ndim == 2:
        return presence_measures(scores, data, thresholds)
    predicted = scores.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (data.y, predicted), 1)
    result = summarise(confusion, labels)
    result["wrong"] = [
        {"file": data.files[i], "label": labels[data.y[i]], "predicted": labels[predicted[i]]}
        for i in np.flatnonzero(data.y != predicted)
        if data.files
    ]
    result["skipped"] = [skipped.source for skipped in data.skipped]
    return result


def _with_intervals(result: dict[str, Any], measured: ClipMeasures, found: Located | None) -> dict[str, Any]:
    rows = {label.label: {**result["labels"][label.label], **clip_json(label)} for label in measured.labels}
    events = {} if found is None else {"events": located_json(found)}
    return {**result, **clip_json(measured), "labels": rows, **events}


def label_names(model: Model) -> tuple[str, ...]:
    """The model's labels, or the numbers of its outputs."""
    fewest = 1 if model.loss == "binary_cross_entropy" else 2
    if len(model.output_shape) != 1 or model.output_shape[0] < fewest:
        raise ShapeError(
            f"model must give one score for each of several labels. Got output shape {model.output_shape}."
        )
    return model.labels or tuple(str(k) for k in range(model.output_shape[0]))


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


def presence_measures(
    scores: NDArray[np.float64], data: Dataset, thresholds: NDArray[np.float64]
) -> dict[str, Any]:
    """Measures where every label is there or not: each sample's labels whose probability reaches their threshold.

    A sample is right if all its labels are. Precision is None for a label that was never found, recall for one that
    does not occur.

    Args:
        scores: probabilities, (N, K).
        data: with targets (N, K).
        thresholds: (K,).
    """
    found, there = scores >= thresholds, data.y > 0
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


def _measures(result: dict[str, Any]) -> str:
    measures = [["label", "precision", "recall", "samples"]]
    for label, row in result["labels"].items():
        measures.append([label, _percent(row["precision"]), _percent(row["recall"]), f"{row['samples']:,}"])
    return table(measures, right=(1, 2, 3))


def _text(result: dict[str, Any], measured: ClipMeasures) -> str:
    whole = "confusion" not in result
    remark = " (all labels right)" if whole else ""
    parts = [
        f"accuracy {_percent(result['accuracy'])} of {result['samples']:,} samples{remark}",
        _measures(result),
    ]
    if not whole:
        labels = tuple(result["labels"])
        confusion = [["label \\ predicted", *labels]]
        for label, counts in zip(labels, result["confusion"], strict=True):
            confusion.append([label, *(f"{n:,}" if n else "." for n in counts)])
        parts.append(table(confusion, right=range(1, len(labels) + 1)))
    return "\n\n".join([*parts, _intervals(measured)])


def _intervals(measured: ClipMeasures) -> str:
    rows = [["95 % intervals", "precision", "recall", "average precision", "ROC area"]]
    for label in measured.labels:
        each = (label.precision, label.recall, label.average_precision, label.area)
        rows.append([label.label, *map(shown_share, each)])
    return table(
        [
            *rows,
            [
                "all",
                f"accuracy {shown_share(measured.all_right)}",
                "",
                shown_share(measured.average_precision),
                "",
            ],
        ]
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
