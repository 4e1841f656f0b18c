"""What `scanwise train` was asked for, also as data in the model that comes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanwise.cli.console import say
from scanwise.cli.labels import LabelOptions
from scanwise.errors import ArgumentError, ModelFileError, ScanwiseError
from scanwise.layers import Sequential
from scanwise.model import Model, load

# Options that say where something is put, not what the training is.
_PLACES = ("output", "checkpoint", "history", "origin", "described")
# What may be said beside `--from`, which says the rest.
_BESIDE_FROM = {"data", "output", "checkpoint", "history", "origin", "plot", "json"}


@dataclass(frozen=True)
class Request:
    """The options of `scanwise train`; `app.py` says what each means.

    `origin` is the model of `--from`, and `described` its network, where that came from a file.
    """

    data: Path
    output: Path
    network: str
    epochs: int | None
    validation: str
    learning_rate: float | None
    batch_size: int | None
    optimizer: str
    seed: int
    window: str | None
    sample_rate: int | None
    image_mode: str | None
    patience: int | None
    on_error: str
    backend: str
    loss: str
    labels: LabelOptions
    augment: tuple[str, ...] = ()
    clips: str = "windows"  # as before there was a choice
    find_rate: bool = False
    checkpoint: Path | None = None
    history: Path | None = None
    origin: Path | None = None
    described: Sequential | None = None

    def __post_init__(self) -> None:
        if self.find_rate and self.learning_rate is not None:
            raise ArgumentError(f"learning-rate must be left out with --find-lr. Got {self.learning_rate}.")

    def as_json(self) -> dict[str, Any]:
        """What decides the training, as plain data; paths as they were given."""
        told = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _PLACES
        }
        told["labels"] = {name: _plain(value) for name, value in vars(self.labels).items()}
        told["augment"] = list(self.augment)
        return {name: _plain(value) for name, value in told.items()}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def as_before(origin: Path, data: Path | None, given: Iterable[str], **places: Path | None) -> Request:
    """The request that a model came of, with the data that are given now, if any.

    Args:
        origin: the model.
        data: another path of the data.
        given: names of the options that the user has given.
        places: where the new model, its check-point and its history go.

    Raises:
        ArgumentError: an option is given that the model's training has decided, or the model was not trained here.
    """
    others = sorted(set(given) - _BESIDE_FROM)
    if others:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise ArgumentError(
            f"with --from the options that decide the training must be left out. Got {named}."
        )
    model = load(origin, backend="reference")
    training = model.training or {}
    command = training.get("command")
    if not isinstance(command, dict):
        raise ArgumentError(
            f"from must be a model that 'scanwise train' saved with its training. Got {origin}, which has none."
        )
    try:
        described = (
            Sequential.from_json(training["network"]) if str(command["network"]).endswith(".json") else None
        )
        told = {**command, "data": Path(command["data"]) if data is None else data}
        labels = dict(command["labels"])
        if labels.get("folder") is not None:
            labels["folder"] = Path(labels["folder"])
        told["labels"] = LabelOptions(**labels)
        told["augment"] = tuple(map(str, command.get("augment", ())))
        return Request(**told, origin=origin, described=described, **places)  # type: ignore[arg-type]
    except (KeyError, TypeError, ScanwiseError) as error:
        raise ModelFileError(
            f"{origin}: the training in the file must be one that can be done again. {error}"
        ) from error


def say_differences(request: Request, model: Model) -> None:
    """Say what makes a training another than the one that it repeats, if anything does."""
    if request.origin is None:
        return
    here, there = model.training or {}, load(request.origin, backend="reference").training or {}
    names = {"scanwise": "Scanwise's version", "samples": "the data", "validation": "the validation data"}
    names["augment"] = "the values of the augmentation"
    differing = [told for name, told in names.items() if here.get(name) != there.get(name)]
    if differing:
        say(f"not the training of {request.origin}: {' and '.join(differing)} differ")
