"""Check-points: a training goes on from each of its moments, and one that is not its own is refused and stays."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import scanwise as sw
from scanwise.training import checkpoint, checkpoint_file, evaluate, run
from scanwise.training.checkpoint_file import KEY, Saved, read
from scanwise.training.native_program import NativeProgram
from scanwise.training.reference_program import ReferenceProgram
from tests.backends import BACKENDS

NETWORK = sw.Sequential(sw.Linear(6), sw.Dropout(0.2), sw.Tanh(), sw.Linear(3))
X = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
Y = np.arange(40) % 3
OPTIMIZERS = (sw.SGD(0.1), sw.SGD(sw.Cosine(0.1), momentum=0.9, nesterov=True), sw.AdamW(sw.OneCycle(0.05)))
PROGRAMS = {"native": NativeProgram, "reference": ReferenceProgram}


class StopError(Exception):
    """Ends a training as a killed process does: nothing is done after it."""


def train(
    backend: str, checkpoint: object, x: Any = X, y: Any = Y, **options: Any
) -> tuple[sw.Model, sw.History]:
    model = options.pop("model", None) or sw.Model(NETWORK, (4,), seed=1, backend=backend)
    settings: dict[str, Any] = {
        "epochs": 3,
        "batch_size": 10,
        "optimizer": OPTIMIZERS[2],
        "validation_data": 0.25,
        "seed": 5,
        "callbacks": [sw.EarlyStopping(patience=2)],
    }
    return model, sw.fit(model, x, y, checkpoint=checkpoint, **(settings | options))


def same(found: tuple[sw.Model, sw.History], expected: tuple[sw.Model, sw.History]) -> None:
    for name, value in expected[0].parameters.items():
        assert found[0].parameters[name].tobytes() == value.tobytes(), name
    one, other = (history.to_json() for _, history in (found, expected))
    assert [row | {"seconds": 0} for row in one.pop("epochs")] == [
        row | {"seconds": 0} for row in other.pop("epochs")
    ]
    assert one == other


@pytest.fixture
def single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SLICE_SECONDS", 0.0)


@pytest.mark.usefixtures("single_steps")
@pytest.mark.parametrize("backend", BACKENDS)
class TestGoingOn:
    @pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
    def test_after_every_step(
        self, backend: str, optimizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = train(backend, None, optimizer=optimizer)
        kind: Any = PROGRAMS[backend]
        advance, steps = kind.advance, 0

        def one_step(self: Any, seconds: float) -> int:
            nonlocal steps
            steps += 1
            if steps == 2:
                raise StopError
            return int(advance(self, seconds))

        monkeypatch.setattr(kind, "advance", one_step)
        place, starts = sw.Checkpoint(tmp_path / "c", every=0), 0
        while True:
            steps, starts = 0, starts + 1
            try:
                found = train(backend, place, optimizer=optimizer)
                break
            except StopError:
                pass
        assert starts == 9  # 3 epochs of 3 steps
        same(found, expected)

    def test_is_written_at_most_so_often(
        self, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind: Any = PROGRAMS[backend]
        advance, write, clock, written = kind.advance, checkpoint_file.write, 0.0, []

        def a_second_each(self: Any, seconds: float) -> int:
            nonlocal clock
            clock += 1.0
            return int(advance(self, seconds))

        def noted(path: Path, saved: checkpoint_file.Saved) -> None:
            written.append((clock, saved.finished))
            write(path, saved)

        monkeypatch.setattr(kind, "advance", a_second_each)
        monkeypatch.setattr(checkpoint_file, "write", noted)
        monkeypatch.setattr(checkpoint, "time", SimpleNamespace(monotonic=lambda: clock))
        train(backend, sw.Checkpoint(tmp_path / "c", every=4))
        # At the beginning, so that a place that cannot be written ends it at once; and the result, of 9 steps.
        assert written == [(0.0, False), (4.0, False), (8.0, False), (9.0, True)]

    @pytest.mark.parametrize("where", ["validation", "callback", "end"])
    def test_after_a_ctrl_c_between_epochs(
        self, backend: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = train(backend, None, callbacks=[sw.EarlyStopping(2), sw.Callback()])

        class Interrupts(sw.Callback):
            def epoch(self, model: sw.Model, history: sw.History) -> None:
                if len(history) == 2:
                    raise KeyboardInterrupt

        Interrupts.__qualname__ = "Callback"
        with monkeypatch.context() as patch:
            second = Interrupts() if where == "callback" else sw.Callback()
            if where == "validation":
                patch.setattr(run, "evaluate", interrupting(evaluate))
            elif where == "end":
                patch.setattr(run.Run, "_close", interrupting(run.Run._close))
            model, history = train(backend, tmp_path / "c", callbacks=[sw.EarlyStopping(2), second])
        assert history.interrupted
        saved = read(tmp_path / "c")
        assert saved is not None
        assert len(saved.history["epochs"]) <= 1
        # The same model, as in a notebook, and a new one, as in a new process.
        callbacks = [sw.EarlyStopping(2), sw.Callback()]
        content = (tmp_path / "c").read_bytes()
        same(train(backend, tmp_path / "c", callbacks=callbacks), expected)
        (tmp_path / "c").write_bytes(content)
        same(train(backend, tmp_path / "c", model=model, callbacks=callbacks), expected)

    def test_a_finished_training_is_not_done_again(
        self, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = train(backend, tmp_path / "c")
        monkeypatch.setattr(PROGRAMS[backend], "begin_epoch", lambda *_: pytest.fail("trained"))
        found = train(backend, tmp_path / "c")
        same(found, expected)
        assert found[1]["seconds"] == expected[1]["seconds"]
        assert str(found[1]) == str(expected[1])
        assert found[0].history == expected[0].history
        assert found[0].training == expected[0].training
        with pytest.raises(
            sw.CheckpointError, match=r"Got a finished one of a training from other first param"
        ):
            train(backend, tmp_path / "c", model=found[0])

    def test_early_stopping_that_has_stopped(self, backend: str, tmp_path: Path) -> None:
        options: dict[str, Any] = {"epochs": 30, "validation_data": (X, (Y + 1) % 3)}
        expected = train(backend, sw.Checkpoint(tmp_path / "c", every=0), **options)
        assert expected[1].stopped is not None
        assert len(expected[1]) < 30
        same(train(backend, tmp_path / "c", **options), expected)

    def test_parameters_that_a_callback_assigned(self, backend: str, tmp_path: Path) -> None:
        def halve(model: sw.Model, history: sw.History) -> None:
            model.parameters["0.bias"] = model.parameters["0.bias"] / 2
            if len(history) == 2 and stops:
                raise StopError

        stops = False
        expected = train(backend, None, callbacks=[halve])
        stops = True
        with pytest.raises(StopError):
            train(backend, sw.Checkpoint(tmp_path / "c", every=0), callbacks=[halve])
        stops = False
        same(train(backend, tmp_path / "c", callbacks=[halve]), expected)


def interrupting(function: Any) -> Any:
    """The function, with a Ctrl-C at the second call."""
    calls = 0

    def interrupts(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return function(*arguments)

    return interrupts


class TestRefused:
    @pytest.fixture
    def begun(self, tmp_path: Path) -> Path:
        """The check-point of a training that was interrupted."""
        place = tmp_path / "checkpoint"

        def stop(model: sw.Model, history: sw.History) -> None:
            raise StopError

        stop.__qualname__ = "EarlyStopping"
        with pytest.raises(StopError):
            train("reference", sw.Checkpoint(place, every=0), callbacks=[stop])
        return place

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"epochs": 4}, "with epochs 3, now 4"),
            ({"batch_size": 5}, "with batch_size 10, now 5"),
            ({"seed": 6}, "with seed 5, now 6"),
            ({"optimizer": sw.AdamW(sw.OneCycle(0.1))}, "with optimizer AdamW"),
            ({"loss": "mse", "y": np.eye(3)[Y]}, "with loss cross_entropy, now mse"),
            ({"x": 2 * X}, "with other samples"),
            ({"x": np.concatenate([X, X]), "y": np.concatenate([Y, Y])}, "with other samples"),
            ({"y": (Y + 1) % 3}, "with other samples"),
            ({"validation_data": (X, Y)}, "with other samples, with other validation"),
            ({"model": sw.Model(NETWORK, (4,), seed=2, backend="reference")}, "from other first parameters"),
            (
                {"model": sw.Model(sw.Sequential(sw.Linear(3)), (4,), seed=1, backend="reference")},
                "of another network",
            ),
        ],
    )  # fmt: skip
    def test_another_training(self, begun: Path, changes: dict[str, Any], text: str) -> None:
        def stop(model: sw.Model, history: sw.History) -> None:
            raise StopError

        stop.__qualname__ = "EarlyStopping"
        content = begun.read_bytes()
        with pytest.raises(sw.CheckpointError, match=text) as caught:
            train("reference", begun, **({"callbacks": [stop]} | changes))
        assert "now 3" not in str(caught.value)
        assert begun.read_bytes() == content

    def test_another_backend_or_version(self, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(sw.CheckpointError, match="with backend reference, now native"):
            train("native", begun)
        monkeypatch.setattr(sw, "__version__", "9.9")
        with pytest.raises(sw.CheckpointError, match=r"by Scanwise .*, now 9\.9"):
            train("reference", begun)

    def test_damaged_anywhere(self, begun: Path) -> None:
        content = begun.read_bytes()
        for place in range(0, len(content), 61):
            damaged = bytearray(content)
            damaged[place] ^= 0x10
            begun.write_bytes(damaged)
            with pytest.raises(sw.CheckpointError, match=str(begun)):
                read(begun)
        for length in range(0, len(content), 61):
            begun.write_bytes(content[:length])
            with pytest.raises(sw.CheckpointError, match=str(begun)):
                read(begun)

    @pytest.mark.parametrize("content", [b"", b"text that is none, but long enough", os.urandom(500)])
    def test_another_file(self, begun: Path, content: bytes) -> None:
        begun.write_bytes(content)
        with pytest.raises(
            sw.CheckpointError, match=r"must be a check-point that Scanwise wrote\. It is not one"
        ):
            train("reference", begun)
        assert begun.read_bytes() == content

    def test_a_model(self, tmp_path: Path) -> None:
        sw.Model(NETWORK, (4,), backend="reference").save(tmp_path / "m")
        with pytest.raises(sw.CheckpointError, match="It is not one"):
            train("reference", tmp_path / "m")

    def test_of_a_newer_version(self, begun: Path) -> None:
        content = begun.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][KEY])
        begun.write_bytes(
            safetensors.numpy.save(
                safetensors.numpy.load(content), {KEY: json.dumps(header | {"version": 2})}
            )
        )
        with pytest.raises(
            sw.CheckpointError, match=r"at most 1 for this Scanwise. Got 2: .* by a newer one"
        ):
            train("reference", begun)

    @pytest.mark.parametrize("every", [-1.0, np.inf, np.nan])
    def test_times(self, every: float) -> None:
        with pytest.raises(sw.ArgumentError, match="every must be finite and at least 0"):
            sw.Checkpoint("c", every=every)

    def test_types(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"every must be a number of seconds\. Got '1'"):
            sw.Checkpoint("c", every="1")  # type: ignore[arg-type]
        with pytest.raises(sw.ArgumentTypeError, match="path"):
            sw.Checkpoint(3)  # type: ignore[arg-type]


class TestUnwritable:
    @pytest.mark.parametrize("place", ["no/c", "."])
    def test_place(self, tmp_path: Path, place: str) -> None:
        with pytest.raises(sw.FileError, match=r"check-point must be readable|must be writable"):
            train("reference", tmp_path / place)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_full_disk(
        self, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, single_steps: None
    ) -> None:
        """The training ends at once with an error; the model has the last step, and the check-point before is good."""
        expected = train(backend, None)
        written: list[bytes] = []

        def full(_: int) -> None:
            if len(written) == 5:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written.append((tmp_path / "c").read_bytes() if written else b"")

        model = sw.Model(NETWORK, (4,), seed=1, backend=backend)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(sw.FileError, match="No space left on device"):
                train(backend, sw.Checkpoint(tmp_path / "c", every=0), model=model)
        assert [path.name for path in tmp_path.iterdir()] == ["c"]
        saved = read(tmp_path / "c")
        assert isinstance(saved, Saved)
        assert not np.array_equal(
            model.parameters["0.weight"], saved.parameters["0.weight"]
        )  # a step further
        same(train(backend, tmp_path / "c"), expected)

    def test_a_state_that_is_no_data(self, tmp_path: Path) -> None:
        class Keeps(sw.Callback):
            def state(self) -> Mapping[str, object]:
                return {"what": object()}

        with pytest.raises(
            sw.ArgumentTypeError, match=r"state\(\) must give arrays and values that JSON knows"
        ):
            train("reference", tmp_path / "c", callbacks=[Keeps()])
