"""What a person at a terminal sees: the progress bar, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading

import numpy as np
import pytest

import scanwise as sw
from tests.backends import BACKENDS

NETWORK = sw.Sequential(sw.Linear(8), sw.Tanh(), sw.Linear(3))
X = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)
Y = np.arange(300) % 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_within_an_epoch(backend: str) -> None:
    model = sw.Model(NETWORK, (4,), backend=backend)
    before = model.parameters["0.weight"]
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])

    def start_timer(_: sw.Model, history: sw.History) -> None:
        if len(history) == 1:  # compiled by now, however busy the machine is
            timer.start()

    history = sw.fit(model, X, Y, epochs=10**7, batch_size=8, callbacks=[start_timer])
    timer.join()
    assert history.interrupted
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not np.array_equal(model.parameters["0.weight"], before)
    assert np.isfinite(model(X)).all()


def test_ctrl_c_that_a_finalizer_swallows() -> None:
    class Swallows(sw.Callback):
        def epoch(self, model: sw.Model, history: sw.History) -> None:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    history = sw.fit(sw.Model(NETWORK, (4,), backend="reference"), X, Y, epochs=5, callbacks=[Swallows()])
    assert history.interrupted
    assert len(history) == 1


def test_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    sw.fit(sw.Model(NETWORK, (4,), backend="reference"), X, Y, epochs=2)
    shown = capsys.readouterr()
    assert shown.out == ""
    for part in ("epoch 2/2", "loss", "samples/s", "left"):
        assert part in shown.err


@pytest.mark.parametrize(("terminal", "progress"), [(False, True), (True, False)])
def test_no_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool, progress: bool
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
    sw.fit(sw.Model(NETWORK, (4,), backend="reference"), X, Y, epochs=2, progress=progress)
    assert capsys.readouterr().err == ""
