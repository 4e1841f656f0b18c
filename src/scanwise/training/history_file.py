"""A history on disk while the training goes on: one line of JSON an epoch."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from scanwise.errors import FileError
from scanwise.paths import require_path
from scanwise.training.callbacks import Callback
from scanwise.training.history import History

if TYPE_CHECKING:
    from scanwise.model import Model

__all__ = ["HistoryFile"]


class HistoryFile(Callback):
    """Write each epoch as a line of JSON when it ends, so that the training can be followed, with `tail -f` say.

    Lines are whole whenever the training is killed. One that goes on from a check-point goes on with the file; what
    does not belong to the training is replaced when the first epoch ends. The callback decides nothing: check-points
    and the model's `training` do not know of it.

    Args:
        path: of the file.

    Raises:
        FileError: from `fit`, the file cannot be written. The model then has the parameters of the last epoch.

    >>> import numpy as np, pathlib, scanwise as sw, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "history.jsonl"
    >>> model = sw.Model(sw.Sequential(sw.Linear(2)), (1,), backend="reference")
    >>> _ = sw.fit(model, np.eye(2)[:, :1], [0, 1], epochs=3, callbacks=[sw.HistoryFile(path)])
    >>> [line[:22] for line in path.read_text().splitlines()]
    ['{"epoch": 1, "loss": 0', '{"epoch": 2, "loss": 0', '{"epoch": 3, "loss": 0']
    >>> folder.cleanup()
    """

    decides = False

    def __init__(self, path: str | Path) -> None:
        self.path = require_path(path, "path")

    def epoch(self, model: Model, history: History) -> None:
        """Add the epoch."""
        del model
        self.write(history)

    def write(self, history: History) -> None:
        """Make the file hold the epochs of the history, adding to what it has if that is where they begin.

        Raises:
            FileError: it cannot be written.
        """
        wanted = history.json_lines().encode()
        try:
            if self.path.exists() and not self.path.is_file():
                raise OSError(errno.EINVAL, "It is a folder, a device or a pipe, not an ordinary file")
            with self.path.open("a+b") as file:
                file.seek(0)
                found = file.read(len(wanted) + 1)
                if not wanted.startswith(found):
                    file.truncate(0)
                    found = b""
                file.write(wanted[len(found) :])
        except OSError as error:
            raise FileError(
                f"{self.path}: the history must be writable. {error.strerror or error}."
            ) from error
