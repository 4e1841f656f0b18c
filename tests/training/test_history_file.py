"""A history on disk, a line an epoch."""

from __future__ import annotations

import json
import math
import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw

X, Y = np.eye(4, 2), np.arange(4) % 2


def train(path: Path, epochs: int = 3, **options: Any) -> sw.History:
    model = sw.Model(sw.Sequential(sw.Linear(2)), (2,), backend="reference")
    callbacks = [sw.HistoryFile(path), *options.pop("callbacks", ())]
    return sw.fit(model, X, Y, epochs=epochs, batch_size=2, callbacks=callbacks, **options)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_epoch_is_a_line_when_it_ends(tmp_path: Path) -> None:
    seen: list[int] = []
    history = train(
        tmp_path / "h", callbacks=[lambda *_: seen.append(len(rows(tmp_path / "h")))], validation_data=(X, Y)
    )
    assert seen == [1, 2, 3]
    assert rows(tmp_path / "h") == [{"epoch": i + 1, **epoch} for i, epoch in enumerate(history)]


def test_another_training_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_text("something else\n" * 9)
    train(path, epochs=1)
    assert len(rows(path)) == 1


class Interrupt(sw.Callback):
    """Ctrl-C after the second epoch, once."""

    def epoch(self, model: sw.Model, history: sw.History) -> None:
        if len(history) == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("left", ["whole", "torn", "gone"])
def test_a_training_that_goes_on_goes_on_with_it(tmp_path: Path, left: str) -> None:
    path, checkpoint = tmp_path / "h", tmp_path / "c"

    class Once(Interrupt):
        done = False

        def epoch(self, model: sw.Model, history: sw.History) -> None:
            if not Once.done and len(history) == 2:
                Once.done = True
                raise KeyboardInterrupt

    assert train(path, checkpoint=checkpoint, callbacks=[Once()]).interrupted
    assert len(rows(path)) == 2
    content = path.read_text()
    path.write_text({"whole": content, "torn": content[:-9], "gone": ""}[left])
    history = train(path, checkpoint=checkpoint, callbacks=[Once()])
    assert [row["epoch"] for row in rows(path)] == [1, 2, 3]
    assert [row["loss"] for row in rows(path)] == history["loss"]


def test_a_check_point_does_not_know_of_it(tmp_path: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Linear(2)), (2,), backend="reference")
    options: Any = {"epochs": 2, "batch_size": 2, "checkpoint": tmp_path / "c"}
    first = model.copy()
    sw.fit(model, X, Y, **options, callbacks=[sw.EarlyStopping(monitor="loss")])
    again = first.copy()
    both = [sw.HistoryFile(tmp_path / "h"), sw.EarlyStopping(monitor="loss")]
    sw.fit(again, X, Y, **options, callbacks=both)  # at its end already
    assert again.training == model.training
    sw.HistoryFile(tmp_path / "h").write(sw.History())
    assert (tmp_path / "h").read_text() == ""


def test_what_is_not_finite_is_null() -> None:
    history = sw.History()
    history.append({"loss": 0.25, "validation_loss": math.inf})
    assert history.json_lines() == '{"epoch": 1, "loss": 0.25, "validation_loss": null}\n'


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(sw.FileError, match=r"h: the history must be writable. No such file or directory"):
        train(tmp_path / "missing" / "h")
    with pytest.raises(sw.FileError, match=r"/dev/full: the history must be writable. It is a folder, a dev"):
        train(Path("/dev/full"))


def test_a_disk_that_fills_up_ends_the_training(tmp_path: Path) -> None:
    """The model has the last epoch's parameters, and the file goes on from its torn line."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    model = sw.Model(sw.Sequential(sw.Linear(2)), (2,), backend="reference")
    first = {name: value.copy() for name, value in model.parameters.items()}
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
    try:
        with pytest.raises(sw.FileError, match=r"h: the history must be writable. File too large"):
            sw.fit(model, X, Y, epochs=9, batch_size=2, callbacks=[sw.HistoryFile(tmp_path / "h")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "h").stat().st_size == 150
    assert any(not np.array_equal(first[name], value) for name, value in model.parameters.items())
    train(tmp_path / "h")
    assert len(rows(tmp_path / "h")) == 3
