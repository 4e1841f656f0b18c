"""Check-points of a training, so that one that was killed goes on as if nothing had happened."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scanwise.errors import ArgumentError, ArgumentTypeError, CheckpointError
from scanwise.model import Model
from scanwise.model_file import fingerprint
from scanwise.paths import require_path
from scanwise.training import checkpoint_file
from scanwise.training.checkpoint_file import Saved

__all__ = ["Checkpoint", "Keeper", "checked_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """Where `fit` keeps how far it has come, and how often.

    Killed at any moment and called again with the same arguments, `fit` goes on from the check-point and ends with the
    parameters and the history (but for `seconds`) of a training that was never interrupted, bit for bit. When training
    has ended, the check-point stays and holds the result: the same call then gives it at once. Remove the file to train
    anew.

    Args:
        path: of the check-point, a file of about the size of the parameters and the optimizer's moments. It is written
            beside its place and renamed, so that it is always whole.
        every: seconds from one check-point to the next, at least 0. A training loses at most about these.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated.

    >>> import scanwise as sw
    >>> sw.Checkpoint("digits.checkpoint", every=60)
    Checkpoint(path='digits.checkpoint', every=60)
    """

    path: str | PathLike[str]
    every: float = 30.0

    def __post_init__(self) -> None:
        require_path(self.path, "path")
        every: object = self.every
        if isinstance(every, bool) or not isinstance(every, int | float | np.integer | np.floating):
            raise ArgumentTypeError(f"every must be a number of seconds. Got {every!r}.")
        if not 0.0 <= every < math.inf:
            raise ArgumentError(f"every must be finite and at least 0. Got {every!r}.")


def checked_checkpoint(checkpoint: object) -> Checkpoint | None:
    """What `fit` was given, as a `Checkpoint`."""
    if checkpoint is None or isinstance(checkpoint, Checkpoint):
        return checkpoint
    if isinstance(checkpoint, str | PathLike):
        return Checkpoint(checkpoint)
    raise ArgumentTypeError(f"checkpoint must be a path or a Checkpoint. Got {checkpoint!r}.")


class Keeper:
    """Keeps the check-point of one training, or none.

    Attributes:
        saved: the moment to go on from, if an earlier run has left one.

    Raises:
        CheckpointError: the file is not a check-point of this training.
        FileError: it cannot be read.
    """

    def __init__(self, checkpoint: Checkpoint | None, run: dict[str, Any], model: Model) -> None:
        self.wanted = checkpoint is not None
        self._path = Path() if checkpoint is None else require_path(checkpoint.path, "checkpoint")
        self._every = math.inf if checkpoint is None else float(checkpoint.every)
        self._run: dict[str, Any] = json.loads(json.dumps(run))
        self.saved = checkpoint_file.read(self._path) if checkpoint is not None else None
        if self.saved is not None:
            _require_same(self._path, self._run, self.saved, fingerprint(model))
            self._run = self.saved.run  # from the first parameters, which an interrupted model no longer has
        self._next = time.monotonic() + self._every

    def keep_if_due(self, moment: Callable[[], Saved | None]) -> None:
        """Write a check-point if the last one is long enough ago."""
        if self.wanted and time.monotonic() >= self._next:
            self.keep(moment())

    def keep(self, moment: Saved | None) -> None:
        """Write a check-point now, unless the moment has nothing to go on from.

        Raises:
            FileError: it cannot be written.
        """
        if self.wanted and moment is not None:
            checkpoint_file.write(self._path, replace(moment, run=self._run))
            self._next = time.monotonic() + self._every


def _require_same(path: Path, here: dict[str, Any], saved: Saved, model: str) -> None:
    """Raise CheckpointError, saying what differs, unless the check-point is of the training that is to be done."""
    there = saved.run
    same_start = model == there.get("first_parameters") or (saved.left == model and not saved.finished)
    differing = [name for name in here if name != "first_parameters" and here[name] != there.get(name)]
    if not differing and same_start:
        return
    if differing:
        told = ", ".join(_difference(name, there.get(name), here[name]) for name in differing)
    else:
        told = "from other first parameters"
    state = "a finished one" if saved.finished else "one"
    raise CheckpointError(
        f"{path} must be a check-point of this training. Got {state} of a training {told}. "
        "Remove the file, or name another, to train anew."
    )


def _difference(name: str, there: object, here: object) -> str:
    if name == "scanwise":
        return f"by Scanwise {there}, now {here}"
    if name in ("network", "samples", "validation"):
        return f"with other {name}" if name != "network" else "of another network"
    return f"with {name} {there}, now {here}"
