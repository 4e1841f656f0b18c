"""A model's training in words, for `scanwise inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scanwise.cli.console import plain
from scanwise.cli.labels import LabelOptions
from scanwise.training import History

__all__ = ["training_lines"]

# Of a long history: the first and the last epochs.
FIRST, LAST = 3, 8

# What options are that nobody has given.
_UNSAID = (None, "auto", "0.1")


def training_lines(training: dict[str, Any], epochs: Sequence[dict[str, float]]) -> list[str]:
    """What a model was trained on and how, and its history as a table."""
    lines = []
    command = training.get("command")
    if isinstance(command, dict):
        lines.append(f"trained on {plain(str(command.get('data')))}{_reading(command)}")
    names = ("optimizer", "batch_size", "epochs", "seed", "callbacks", "scanwise")
    told = [(name.replace("_", " "), training.get(name)) for name in names]
    # As it was asked for: what `train` makes of it goes back to the data's units and has their numbers.
    told.append(("augmentation", _asked_for(command) or training.get("augment")))
    lines += [f"{name} {_text(value)}" for name, value in told if value not in (None, [])]
    for name in ("samples", "validation"):
        data = training.get(name)
        if isinstance(data, dict):
            lines.append(f"{name} {data.get('number'):,}, checksum {str(data.get('sha256'))[:16]}")
    if epochs:
        history = History()
        history.epochs = [dict(epoch) for epoch in epochs]
        rows = str(history).splitlines()
        if len(rows) > 1 + FIRST + LAST:
            rows = [*rows[: 1 + FIRST], "...".rjust(len("epoch")), *rows[-LAST:]]
        lines += ["", *rows]
    return lines


def _reading(command: dict[str, Any]) -> str:
    """How the data were read, as far as it was said."""
    names = ("window", "sample_rate", "image_mode", "validation", "loss", "clips")
    given = {name: command.get(name) for name in names if command.get(name) not in _UNSAID}
    labels = command.get("labels")
    if isinstance(labels, dict):
        given |= {name: value for name, value in labels.items() if value != vars(LabelOptions()).get(name)}
    told = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in given.items())
    return f" ({told})" if told else ""


def _asked_for(command: object) -> object:
    return command.get("augment") if isinstance(command, dict) else None


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else plain(str(value))


def _text(value: object) -> str:
    return plain(", ".join(map(str, value)) if isinstance(value, list) else str(value))
