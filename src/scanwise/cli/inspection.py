"""`scanwise inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scanwise.cli.console import parse_extent, print_json
from scanwise.cli.history import training_lines
from scanwise.cli.network_file import read_network
from scanwise.cli.thresholds import thresholds_text
from scanwise.errors import ArgumentError
from scanwise.layers import Sequential, Shape
from scanwise.model import load
from scanwise.scanning.methods import method_for
from scanwise.scanning.sharing import advice
from scanwise.shapes import receptive_field, summary_table, walk
from scanwise.training import History


def run_inspect(source: Path, input_shape: str | None, *, as_json: bool) -> None:
    """Print the layers of a saved model or of a network file."""
    facts: dict[str, Any] = {}
    thresholds = None
    if source.suffix.lower() == ".json":
        network, shape = read_network(source), _shape(input_shape)
    else:
        if input_shape is not None:
            raise ArgumentError(
                f"input-shape must be left out for a model, which has its own. Got {input_shape!r}."
            )
        model = load(source, backend="reference")  # nothing is run
        network, shape = model.network, model.input_shape
        facts = {
            "labels": None if model.labels is None else list(model.labels),
            "background": model.background,
            "sample_rate": model.sample_rate,
            "image_mode": model.image_mode,
            "loss": model.loss,
            "input_range": model.input_range,
            "training": model.training,
            "history": model.history,
            "calibration": None if model.calibration is None else model.calibration.to_json(),
        }
        thresholds = thresholds_text(model)
    if as_json:
        print_json(_as_json(network, shape, facts))
    else:
        print(_text(network, shape, facts, thresholds))


def run_inspect_history(source: Path) -> None:
    """Print the epochs of a saved model's training as lines of JSON."""
    epochs = load(source, backend="reference").history
    if epochs is None:
        raise ArgumentError(f"model must have been trained to have a history. Got {source}, which was not.")
    history = History()
    history.epochs = list(epochs)
    print(history.json_lines(), end="")


def _shape(text: str | None) -> Shape:
    if text is None:
        raise ArgumentError("input-shape must be given for a network file, such as 1x28x28. Got none.")
    shape = parse_extent(text, "input-shape")
    if isinstance(shape, float):
        if not shape.is_integer():  # nor NaN or infinity
            raise ArgumentError(f"input-shape must be whole numbers, such as 1x28x28. Got {text!r}.")
        return (int(shape),)
    return shape


def _as_json(network: Sequential, shape: Shape, facts: dict[str, Any]) -> dict[str, Any]:
    rows = walk(network, shape)
    return {
        **facts,
        "input_shape": list(shape),
        "output_shape": list(rows[-1].output_shape),
        "parameters": sum(row.parameters for row in rows),
        "operations": sum(row.operations for row in rows),
        "connections": sum(row.connections for row in rows),
        "scan": _scan(network, shape) if len(shape) > 1 else None,
        "layers": [
            {
                "place": row.name,
                "layer": repr(row.layer),
                "output_shape": list(row.output_shape),
                "parameters": row.parameters,
                "operations": row.operations,
                "connections": row.connections,
                "receptive_field": list(row.receptive_field),
                "stride": list(row.stride),
            }
            for row in rows
        ],
        "network": network.to_json(),
    }


def _scan(network: Sequential, shape: Shape) -> dict[str, str | None]:
    """How a scan at the network's own stride evaluates windows, why, and what to change so that it shares all work."""
    method = method_for(network, shape, receptive_field(network, shape)[1])
    return {"method": method.name, "reason": method.reason, "advice": advice(network, shape)}


_METHODS = {
    "shared": "a scan computes once what windows have in common",
    "partly shared": "a scan computes once what windows have in common before it, and the rest for every window",
    "windows": "a scan evaluates every window by itself",
}


def _text(network: Sequential, shape: Shape, facts: dict[str, Any], thresholds: str | None) -> str:
    lines = [summary_table(network, shape), "", f"connections {network.connection_count(shape):,}"]
    if len(shape) > 1:
        rate = facts.get("sample_rate")
        extent = "x".join(map(str, shape[1:]))
        window = f"{extent} ({shape[-1] / rate:g} s at {rate:g} Hz)" if rate else extent
        stride = receptive_field(network, shape)[1]
        lines.append(f"window {window}, scanned at steps of {'x'.join(map(str, stride))}")
        scan = _scan(network, shape)
        lines.append(f"{scan['reason']}: {_METHODS[str(scan['method'])]}")
        if scan["advice"] is not None:
            lines.append(f"to share all work, {scan['advice']}")
    for name in ("labels", "background", "image_mode", "loss"):
        value = facts.get(name)
        if value is not None:
            lines.append(f"{name.replace('_', ' ')} {', '.join(value) if isinstance(value, list) else value}")
    if thresholds is not None:
        lines.append(thresholds)
    if facts.get("training"):
        lines += ["", *training_lines(facts["training"], facts.get("history") or ())]
    return "\n".join(lines).rstrip()
