"""What happened during training, epoch by epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, overload

Epoch = dict[str, float]

# As columns of a table; what else there is comes after these.
_COLUMNS = ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds")


class History(Sequence[Epoch]):
    """One dictionary per finished epoch, in order; prints as a table.

    The keys are `loss` (mean over the epoch's samples, as each step saw them), `accuracy` (likewise; only with labels),
    `validation_loss` and `validation_accuracy` (after the epoch; only with validation data), `learning_rate` (of
    the epoch's last step) and `seconds` (of training, without validation).

    Attributes:
        interrupted: True if Ctrl-C ended the training.
        stopped: why a callback ended the training, or None.
        best_epoch: number (from 0) of the epoch whose parameters early stopping restored, or None.

    >>> history = History()
    >>> history.append({"loss": 0.5, "seconds": 2.0})
    >>> history[-1]["loss"], history["loss"], len(history)
    (0.5, [0.5], 1)
    >>> print(history)
    epoch    loss  seconds
        1  0.5000     2.00
    """

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.interrupted = False
        self.stopped: str | None = None
        self.best_epoch: int | None = None

    def append(self, epoch: Epoch) -> None:
        """Add a finished epoch."""
        self.epochs.append(epoch)

    @overload
    def __getitem__(self, key: int) -> Epoch: ...
    @overload
    def __getitem__(self, key: slice) -> list[Epoch]: ...
    @overload
    def __getitem__(self, key: str) -> list[float]: ...
    def __getitem__(self, key: int | slice | str) -> Epoch | list[Epoch] | list[float]:
        if isinstance(key, str):
            return [epoch[key] for epoch in self.epochs]
        return self.epochs[key]

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def json_lines(self) -> str:
        """The epochs as lines of JSON, with their numbers from 1. What is not finite is null, since JSON has no name
        for it.

        >>> history = History()
        >>> history.append({"loss": 0.5, "validation_loss": math.nan})
        >>> print(history.json_lines(), end="")
        {"epoch": 1, "loss": 0.5, "validation_loss": null}
        """
        lines = []
        for number, epoch in enumerate(self.epochs, 1):
            values = {name: value if math.isfinite(value) else None for name, value in epoch.items()}
            lines.append(json.dumps({"epoch": number, **values}) + "\n")
        return "".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON data."""
        return {
            "epochs": [dict(epoch) for epoch in self.epochs],
            "interrupted": self.interrupted,
            "stopped": self.stopped,
            "best_epoch": self.best_epoch,
        }

    def take_json(self, data: dict[str, Any]) -> None:
        """Become what `to_json` gave."""
        self.epochs = [dict(epoch) for epoch in data["epochs"]]
        self.interrupted, self.stopped = data["interrupted"], data["stopped"]
        self.best_epoch = data["best_epoch"]

    def __str__(self) -> str:
        found = list(self.epochs[0]) if self.epochs else []
        columns = [name for name in _COLUMNS if name in found]
        columns += [name for name in found if name not in columns]
        lines = [["epoch", *(name.replace("_", " ") for name in columns)]]
        for number, epoch in enumerate(self.epochs, 1):
            lines.append([str(number), *(_cell(name, epoch[name]) for name in columns)])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        ]
        notes = [f"stopped: {self.stopped}"] * (self.stopped is not None) + ["interrupted"] * self.interrupted
        return "\n".join(rows + notes)

    def __repr__(self) -> str:
        return f"<History of {len(self)} epochs>"


def _cell(name: str, value: float) -> str:
    if name.endswith("accuracy"):
        return f"{100.0 * value:.2f} %"
    if name == "seconds":
        return f"{value:.2f}"
    return f"{value:.3g}" if name == "learning_rate" else f"{value:.4f}"
