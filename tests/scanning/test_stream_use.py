"""Wrong arguments, interruption, and what a stream says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scanwise as sw
from tests.backends import BACKENDS, random_values, signal_model

on_every_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@on_every_backend
def test_not_finite(backend: str, value: float) -> None:
    model, signal = signal_model(backend), random_values(2, 40)
    stream = sw.Stream(model)
    parts = [stream.feed(signal[:, :21])]
    wrong = signal[:, 21:].copy()
    wrong[1, 4] = value
    with pytest.raises(sw.ArgumentError, match=r"at index \(1, 25\)"):
        stream.feed(wrong)
    parts.append(stream.feed(signal[:, 21:]))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), sw.scan(model, signal).scores)


def test_too_large_for_float32() -> None:
    with pytest.raises(sw.ArgumentError, match=r"chunk must be finite \(as float32\)"):
        sw.Stream(signal_model("native")).feed(np.full((2, 1), 1e39))


def test_shapes_and_types() -> None:
    stream = sw.Stream(signal_model("native"))
    with pytest.raises(sw.ShapeError, match=r"chunk must have shape \(2, n\) for this model. Got \(3, 4\)"):
        stream.feed(np.zeros((3, 4)))
    with pytest.raises(sw.ShapeError, match=r"Got \(4,\)\."):
        stream.feed(np.zeros(4))
    with pytest.raises(sw.ArgumentTypeError, match=r"real numbers"):
        stream.feed([["a"]])
    assert stream.feed(np.zeros((2, 0))).shape == (3, 0)
    assert stream.position == 0


def test_models() -> None:
    image = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 4, 4))
    with pytest.raises(sw.ShapeError, match=r"must be \(C, T\) for a stream. Got \(1, 4, 4\)"):
        sw.Stream(image)
    with pytest.raises(sw.ShapeError, match=r"one vector of scores"):
        sw.Stream(sw.Model(sw.Sequential(sw.Conv1d(2, 3)), (1, 8)))
    with pytest.raises(sw.ArgumentTypeError, match=r"model must be a Model. Got str"):
        sw.Stream("model")  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [0, -1, 1.5, True, "1"])
def test_wrong_steps(step: Any) -> None:
    with pytest.raises((sw.ArgumentError, sw.ArgumentTypeError), match=r"step must be"):
        sw.Stream(signal_model("native"), step)


@pytest.mark.parametrize("step", [1 << 40, 1 << 80])
def test_a_step_beyond_every_signal(step: int) -> None:
    stream = sw.Stream(signal_model("native"), step)
    assert stream.feed(random_values(2, 30)).shape == (3, 1)


def test_an_interrupted_feed_was_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model, signal = signal_model("native"), random_values(2, 40)
    stream = sw.Stream(model)
    parts = [stream.feed(signal[:, :15])]
    executor: Any = model.executor
    for late in (False, True):
        run = type(executor).run_ticks

        def interrupted(self: Any, turns: Any, run: Any = run, late: bool = late) -> None:
            if late:
                run(self, turns)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(type(executor), "run_ticks", interrupted)
            with pytest.raises(KeyboardInterrupt):
                stream.feed(random_values(2, 9, seed=3))
        assert stream.position == 15
    parts.append(stream.feed(signal[:, 15:]))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), sw.scan(model, signal).scores)


def test_representations() -> None:
    stream = sw.Stream(signal_model("native"))
    assert repr(stream) == "<Stream at sample 0: window 12, step 2, method 'shared'>"
    assert (stream.window, stream.step, stream.reason) == (12, 2, "no layer pads inside the window")
    assert sw.Stream(signal_model("reference")).reason == "backend 'reference' runs every window by itself"
    assert sw.Stream(signal_model("native"), 40).reason == "the windows overlap too little to share work"
    assert repr(sw.StreamPool(signal_model("native"))) == "<StreamPool of 0 streams: window 12, step 2>"
