"""A stream is the scan of all that it was fed: bit for bit, however it was cut."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models
from scanwise.layers import Layer
from scanwise.scanning.sharing import obstacle
from tests.backends import BACKENDS, SIGNAL_SHAPE, random_values, signal_model
from tests.kernels.harness import host_targets
from tests.plan.drawn_networks import Case
from tests.scanning.drawn_signals import chunks_of, detectors, model_of

on_every_backend = pytest.mark.parametrize("backend", BACKENDS)


def fed(stream: sw.Stream, chunks: list[NDArray[Any]]) -> NDArray[np.float32]:
    return np.concatenate([stream.feed(chunk) for chunk in chunks], axis=1)


def pieces(signal: NDArray[Any], size: int) -> list[NDArray[Any]]:
    return [signal[:, i : i + size] for i in range(0, signal.shape[1], size)]


class TestContract:
    @settings(max_examples=40)
    @given(st.data(), detectors(), st.integers(0, 60), st.integers(1, 9) | st.none())
    def test_drawn_networks(self, data: st.DataObject, case: Case, more: int, step: int | None) -> None:
        model = model_of(case, data.draw(st.sampled_from(host_targets())))
        signal = random_values(case.input_shape[0], case.input_shape[1] + more)
        stream = sw.Stream(model, step)
        scores = fed(stream, data.draw(chunks_of(signal)))
        np.testing.assert_array_equal(scores, sw.scan(model, signal, step=step).scores)
        assert stream.position == signal.shape[1]

    @settings(max_examples=10)
    @given(st.data(), detectors(padding=True), st.integers(0, 30))
    def test_networks_that_pad(self, data: st.DataObject, case: Case, more: int) -> None:
        model = model_of(case)
        signal = random_values(case.input_shape[0], case.input_shape[1] + more)
        stream = sw.Stream(model)
        assert stream.method == ("shared" if obstacle(case.network, case.input_shape) is None else "windows")
        np.testing.assert_array_equal(
            fed(stream, data.draw(chunks_of(signal))), sw.scan(model, signal).scores
        )

    @on_every_backend
    @pytest.mark.parametrize("step", [None, 1, 2, 3, 4, 5, 12, 40])
    @pytest.mark.parametrize("size", [1, 7, 61])
    def test_steps(self, backend: str, step: int | None, size: int) -> None:
        model, signal = signal_model(backend), random_values(2, 61)
        stream = sw.Stream(model, step)
        np.testing.assert_array_equal(
            fed(stream, pieces(signal, size)), sw.scan(model, signal, step=step).scores
        )

    @on_every_backend
    def test_a_score_comes_with_the_last_sample_of_its_window(self, backend: str) -> None:
        model, signal = signal_model(backend), random_values(2, 40)
        stream = sw.Stream(model, 3)
        for i in range(40):
            count = stream.feed(signal[:, i : i + 1]).shape[1]
            assert count == (i + 1 >= 12 and (i + 1 - 12) % 3 == 0)
        assert stream.delay == 0

    @on_every_backend
    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, bool])
    def test_dtypes(self, backend: str, dtype: type) -> None:
        signal = np.random.default_rng(0).integers(0, 200, (2, 30)).astype(dtype)
        model = signal_model(backend)
        np.testing.assert_array_equal(fed(sw.Stream(model), pieces(signal, 4)), sw.scan(model, signal).scores)

    @pytest.mark.parametrize(
        "layers",
        [
            # Windows end in columns that a pooling does not read, or further layers do not.
            (sw.Conv1d(4, 3), sw.MaxPool1d(2), sw.Conv1d(5, 2, stride=2), sw.Aggregate("mean")),
            (sw.Downsample1d(5), sw.Aggregate("max")),
            (sw.AvgPool1d(2, 7), sw.Flatten(), sw.Linear(3)),
            (sw.MaxPool1d(3, 1), sw.Residual(sw.Conv1d(2, 1), sw.Tanh()), sw.Flatten(), sw.Linear(3)),
            (sw.Flatten(), sw.Linear(300), sw.ReLU(), sw.Linear(3)),
            (sw.Conv1d(20, 15),),
        ],
    )
    @pytest.mark.parametrize("step", [None, 1, 3])
    def test_ends_of_windows(self, layers: tuple[Layer, ...], step: int | None) -> None:
        model, signal = sw.Model(sw.Sequential(*layers), (2, 15)), random_values(2, 71)
        for size in (1, 2, 16):
            stream = sw.Stream(model, step)
            np.testing.assert_array_equal(
                fed(stream, pieces(signal, size)), sw.scan(model, signal, step=step).scores
            )

    def test_parameters_that_change_meanwhile(self) -> None:
        model, signal = signal_model("native"), random_values(2, 60)
        stream = sw.Stream(model)
        before = sw.scan(model, signal[:, :31]).scores
        np.testing.assert_array_equal(stream.feed(signal[:, :31]), before)
        model.parameters["6.bias"] = [1.0, 2.0, 3.0]
        model.parameters["0.weight"] = random_values(4, 2, 3, seed=5)
        after = sw.scan(model, signal).scores[:, before.shape[1] :]
        np.testing.assert_array_equal(stream.feed(signal[:, 31:]), after)

    def test_plans_that_are_compiled_again(self) -> None:
        model, signal = signal_model("native"), random_values(2, 60)
        stream = sw.Stream(model)
        parts = [stream.feed(signal[:, :31])]
        model.executor.forget_plans()  # type: ignore[attr-defined]
        gc.collect()
        parts.append(stream.feed(signal[:, 31:]))
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), sw.scan(model, signal).scores)


class TestCost:
    @pytest.mark.parametrize("name", ["tdnn", "ds-cnn"])
    def test_a_tick_costs_the_new_columns(self, name: str) -> None:
        """Of the convolutions over 98 frames each tick computes those of its own frames."""
        network = models.get(name, (1, 16000), 12, sample_rate=16000)
        model = sw.Model(network, (1, 16000), sample_rate=16000)
        stream = sw.Stream(model)
        assert stream.method == "shared"
        executor: Any = model.executor
        share = executor._graph.work / executor.ticks().runner.graph.work
        assert share > 0.7 * 16000 / stream.step
        assert stream.step == {"tdnn": 640, "ds-cnn": 320}[name]

    def test_memory_is_fixed(self) -> None:
        model = signal_model("native")
        stream, chunk = sw.Stream(model), random_values(2, 50)
        stream.feed(random_values(2, 200_000))
        tracemalloc.start()
        for _ in range(200):
            stream.feed(chunk)
        gc.collect()
        first, _ = tracemalloc.get_traced_memory()
        for _ in range(2000):
            stream.feed(chunk)
        gc.collect()
        last, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert last - first < 20_000
        assert peak < 200_000


class TestEnd:
    @on_every_backend
    @pytest.mark.parametrize("length", [12, 13, 14, 20, 23])
    @pytest.mark.parametrize("step", [None, 1, 5])
    def test_valid_adds_nothing(self, backend: str, length: int, step: int | None) -> None:
        stream = sw.Stream(signal_model(backend), step)
        stream.feed(random_values(2, length))
        assert stream.flush().shape == (3, 0)

    @on_every_backend
    @pytest.mark.parametrize("length", [1, 11, 12, 13, 16, 17, 18, 23])
    @pytest.mark.parametrize("step", [None, 1, 5, 12])
    def test_pad_puts_every_sample_into_a_window(self, backend: str, length: int, step: int | None) -> None:
        model, signal = signal_model(backend), random_values(2, length)
        stream = sw.Stream(model, step)
        scores = np.concatenate([stream.feed(signal), stream.flush("pad")], axis=1)
        assert stream.position == length
        count = -(-max(0, length - 12) // stream.step) + 1
        padded = np.pad(signal, ((0, 0), (0, 12 + (count - 1) * stream.step - length)))
        np.testing.assert_array_equal(scores, sw.scan(model, padded, step=step).scores)

    def test_pad_adds_no_window_of_zeros_alone(self) -> None:
        stream = sw.Stream(signal_model("native"), 20)
        assert stream.feed(random_values(2, 19)).shape[1] == 1
        assert stream.flush("pad").shape == (3, 0)  # samples 12 to 18 lie between windows
        stream.reset()
        stream.feed(random_values(2, 21))
        assert stream.flush("pad").shape == (3, 1)

    @on_every_backend
    @pytest.mark.parametrize("length", [12, 13, 16, 17])
    def test_extend_ends_with_the_signal(self, backend: str, length: int) -> None:
        model, signal = signal_model(backend), random_values(2, length)
        stream = sw.Stream(model, 5)
        stream.feed(signal)
        added = stream.flush("extend")
        if (length - 12) % 5 == 0:
            assert added.shape == (3, 0)
        else:
            np.testing.assert_array_equal(added[:, 0], model(signal[None, :, -12:])[0])

    def test_an_ended_stream_waits_for_reset(self) -> None:
        model, signal = signal_model("native"), random_values(2, 30)
        stream = sw.Stream(model)
        stream.feed(random_values(2, 17, seed=1))
        stream.flush("pad")
        for call in (lambda: stream.feed(signal), stream.flush):
            with pytest.raises(sw.ArgumentError, match=r"ended; reset it"):
                call()
        stream.reset()
        assert stream.position == 0
        np.testing.assert_array_equal(fed(stream, pieces(signal, 4)), sw.scan(model, signal).scores)

    @pytest.mark.parametrize("edge", ["valid", "extend"])
    def test_too_short(self, edge: str) -> None:
        stream = sw.Stream(signal_model("native"))
        with pytest.raises(sw.ShapeError, match=r"at least one window of 12 samples. Got 0\."):
            stream.flush("pad")
        stream.feed(random_values(2, 11))
        with pytest.raises(sw.ShapeError, match=r"Got 11; only edge='pad' takes a shorter one"):
            stream.flush(edge)
        assert stream.feed(random_values(2, 1)).shape == (3, 1)

    def test_an_unknown_edge(self) -> None:
        stream = sw.Stream(signal_model("native"))
        with pytest.raises(
            sw.ArgumentError, match=r"edge must be one of 'valid', 'pad', 'extend'. Got 'wrap'"
        ):
            stream.flush("wrap")


class TestState:
    @settings(max_examples=20)
    @given(st.data(), detectors(), st.integers(1, 5) | st.none())
    def test_at_every_moment(self, data: st.DataObject, case: Case, step: int | None) -> None:
        """In turn on each of the processors that this one can be."""
        signal = random_values(case.input_shape[0], case.input_shape[1] + 25)
        owners = [model_of(case, target) for target in host_targets()[:2]]
        streams = [sw.Stream(model, step) for model in owners]
        parts, state = [], streams[0].state()
        for i, chunk in enumerate(data.draw(chunks_of(signal))):
            stream = streams[i % len(streams)]
            stream.restore(state)
            parts.append(stream.feed(chunk))
            state = stream.state()
        np.testing.assert_array_equal(
            np.concatenate(parts, axis=1), sw.scan(owners[0], signal, step=step).scores
        )

    def test_back_to_an_earlier_moment(self) -> None:
        model, signal = signal_model("native"), random_values(2, 60)
        stream = sw.Stream(model)
        stream.feed(signal[:, :20])
        state = stream.state()
        first = stream.feed(signal[:, 20:])
        stream.restore(state)
        np.testing.assert_array_equal(stream.feed(signal[:, 20:]), first)

    def test_in_another_process_and_backend(self, tmp_path: Path) -> None:
        model, signal = signal_model("reference"), random_values(2, 60)
        stream = sw.Stream(model)
        stream.feed(signal[:, :25])
        (tmp_path / "state").write_bytes(stream.state())
        model.save(tmp_path / "model")
        np.save(tmp_path / "rest.npy", signal[:, 25:])
        code = (
            "import json, numpy as np, scanwise as sw; from pathlib import Path\n"
            "stream = sw.Stream(sw.load('model')); stream.restore(Path('state').read_bytes())\n"
            "print(json.dumps([stream.position, stream.feed(np.load('rest.npy')).tolist()]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        position, scores = json.loads(done.stdout)
        assert position == 25
        expected = sw.scan(signal_model("native"), signal).scores[:, 7:]
        np.testing.assert_array_equal(np.float32(scores), expected)

    def test_an_ended_stream_stays_ended(self) -> None:
        stream, other = (sw.Stream(signal_model("native")) for _ in range(2))
        stream.feed(random_values(2, 12))
        stream.flush()
        other.restore(stream.state())
        with pytest.raises(sw.ArgumentError, match=r"ended"):
            other.feed(random_values(2, 1))

    def test_damage(self) -> None:
        stream = sw.Stream(signal_model("native"))
        stream.feed(random_values(2, 15))
        state, scores = stream.state(), stream.feed(random_values(2, 4))
        stream.restore(state)
        for i in range(0, len(state), 7):
            wrong = bytearray(state)
            wrong[i] ^= 0x10
            with pytest.raises(sw.DataError, match=r"state must"):
                stream.restore(bytes(wrong))
            with pytest.raises(sw.DataError, match=r"state must"):
                stream.restore(state[:i])
        np.testing.assert_array_equal(stream.feed(random_values(2, 4)), scores)

    def test_of_another_kind(self) -> None:
        model = signal_model("native")
        stream = sw.Stream(model, 2)
        with pytest.raises(sw.DataError, match=r"step 3. Got 2"):
            sw.Stream(model, 3).restore(stream.state())
        with pytest.raises(sw.DataError, match=r"another network or other parameters"):
            sw.Stream(signal_model("native", seed=1)).restore(stream.state())
        with pytest.raises(sw.ArgumentTypeError, match=r"state must be bytes. Got str"):
            stream.restore("state")  # type: ignore[arg-type]

    def test_of_a_later_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = sw.Stream(signal_model("native"))
        monkeypatch.setattr("scanwise.scanning.state._VERSION", 2)
        state = stream.state()
        monkeypatch.undo()
        with pytest.raises(sw.DataError, match=r"version 1 at most for this Scanwise. Got 2"):
            stream.restore(state)


class TestWrongArguments:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @on_every_backend
    def test_not_finite(self, backend: str, value: float) -> None:
        model, signal = signal_model(backend), random_values(2, 40)
        stream = sw.Stream(model)
        parts = [stream.feed(signal[:, :21])]
        wrong = signal[:, 21:].copy()
        wrong[1, 4] = value
        with pytest.raises(sw.ArgumentError, match=r"at index \(1, 25\)"):
            stream.feed(wrong)
        parts.append(stream.feed(signal[:, 21:]))
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), sw.scan(model, signal).scores)

    def test_too_large_for_float32(self) -> None:
        with pytest.raises(sw.ArgumentError, match=r"chunk must be finite \(as float32\)"):
            sw.Stream(signal_model("native")).feed(np.full((2, 1), 1e39))

    def test_shapes_and_types(self) -> None:
        stream = sw.Stream(signal_model("native"))
        with pytest.raises(
            sw.ShapeError, match=r"chunk must have shape \(2, n\) for this model. Got \(3, 4\)"
        ):
            stream.feed(np.zeros((3, 4)))
        with pytest.raises(sw.ShapeError, match=r"Got \(4,\)\."):
            stream.feed(np.zeros(4))
        with pytest.raises(sw.ArgumentTypeError, match=r"real numbers"):
            stream.feed([["a"]])  # type: ignore[list-item]
        assert stream.feed(np.zeros((2, 0))).shape == (3, 0)
        assert stream.position == 0

    def test_models(self) -> None:
        image = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 4, 4))
        with pytest.raises(sw.ShapeError, match=r"must be \(C, T\) for a stream. Got \(1, 4, 4\)"):
            sw.Stream(image)
        with pytest.raises(sw.ShapeError, match=r"one vector of scores"):
            sw.Stream(sw.Model(sw.Sequential(sw.Conv1d(2, 3)), (1, 8)))
        with pytest.raises(sw.ArgumentTypeError, match=r"model must be a Model. Got str"):
            sw.Stream("model")  # type: ignore[arg-type]

    @pytest.mark.parametrize("step", [0, -1, 1.5, True, "1"])
    def test_wrong_steps(self, step: Any) -> None:
        with pytest.raises((sw.ArgumentError, sw.ArgumentTypeError), match=r"step must be"):
            sw.Stream(signal_model("native"), step)

    @pytest.mark.parametrize("step", [1 << 40, 1 << 80])
    def test_a_step_beyond_every_signal(self, step: int) -> None:
        stream = sw.Stream(signal_model("native"), step)
        assert stream.feed(random_values(2, 30)).shape == (3, 1)

    def test_an_interrupted_feed_was_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
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


class TestPool:
    @settings(max_examples=20)
    @given(st.data(), detectors(), st.integers(1, 5) | st.none(), st.integers(1, 3))
    def test_each_stream_is_as_by_itself(
        self, data: st.DataObject, case: Case, step: int | None, threads: int
    ) -> None:
        model = model_of(case)
        signals = [random_values(case.input_shape[0], case.input_shape[1] + 20, seed=i) for i in range(3)]
        chunks = [data.draw(chunks_of(signal)) for signal in signals]
        pool = sw.StreamPool(model, step)
        numbers = [pool.open() for _ in signals]
        parts: dict[int, list[NDArray[np.float32]]] = {number: [] for number in numbers}
        before = sw.get_threads()
        sw.set_threads(threads)
        try:
            for i in range(max(map(len, chunks))):
                ready = {n: c[i] for n, c in zip(numbers, chunks, strict=True) if i < len(c)}
                for number, scores in pool.feed(ready).items():
                    parts[number].append(scores)
        finally:
            sw.set_threads(before)
        for number, signal in zip(numbers, signals, strict=True):
            np.testing.assert_array_equal(
                np.concatenate(parts[number], axis=1), sw.scan(model, signal, step=step).scores
            )

    @pytest.mark.parametrize("threads", [1, 2, 3])
    def test_threads_take_streams(self, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scanwise.plan.ticks.LONG", 0)
        model = signal_model("native")
        pool = sw.StreamPool(model, 1)
        before = sw.get_threads()
        sw.set_threads(threads)
        try:
            signals = {pool.open(): random_values(2, 100 + i, seed=i) for i in range(9)}
            found = pool.feed(signals)
        finally:
            sw.set_threads(before)
        for number, signal in signals.items():
            np.testing.assert_array_equal(found[number], sw.scan(model, signal, step=1).scores)

    def test_states_move_between_pools_and_streams(self) -> None:
        model, signal = signal_model("native"), random_values(2, 60)
        pool, stream = sw.StreamPool(model), sw.Stream(model)
        first = pool.open()
        head = pool.feed({first: signal[:, :23]})[first]
        second = pool.restore(pool.state(first))
        stream.restore(pool.state(second))
        tails = [pool.feed({n: signal[:, 23:]})[n] for n in (first, second)] + [stream.feed(signal[:, 23:])]
        for tail in tails:
            np.testing.assert_array_equal(np.concatenate([head, tail], axis=1), sw.scan(model, signal).scores)
        assert pool.position(first) == 60
        assert len(pool) == 2

    def test_the_end_of_one(self) -> None:
        model, signal = signal_model("native"), random_values(2, 17)
        pool, stream = sw.StreamPool(model, 5), sw.Stream(model, 5)
        one, other = pool.open(), pool.open()
        pool.feed({one: signal, other: signal})
        stream.feed(signal)
        np.testing.assert_array_equal(pool.flush(one, "pad"), stream.flush("pad"))
        with pytest.raises(sw.ArgumentError, match=r"ended"):
            pool.feed({one: signal})
        pool.close(one)
        with pytest.raises(sw.ArgumentError, match=r"stream must be the number of one that is open. Got 0"):
            pool.close(one)
        assert pool.feed({other: signal})[other].shape[1] > 0
        assert pool.open() not in (one, other)

    def test_a_wrong_chunk_leaves_all_as_they_were(self) -> None:
        pool = sw.StreamPool(signal_model("native"))
        one, other = pool.open(), pool.open()
        with pytest.raises(sw.ArgumentError, match=r"chunks\[1\] must be finite .* at index \(0, 0\)"):
            pool.feed({one: np.ones((2, 20)), other: np.full((2, 1), np.nan)})
        assert (pool.position(one), pool.position(other)) == (0, 0)
        with pytest.raises(sw.ArgumentError, match=r"Got 7"):
            pool.feed({one: np.ones((2, 20)), 7: np.ones((2, 1))})
        with pytest.raises(sw.ArgumentTypeError, match=r"mapping from streams to samples. Got list"):
            pool.feed([np.ones((2, 20))])  # type: ignore[arg-type]
        with pytest.raises(sw.DataError, match=r"state must"):
            pool.restore(b"")
        assert pool.feed({}) == {}
        assert len(pool) == 2

    def test_window_by_window(self) -> None:
        model, signal = signal_model("reference"), random_values(2, 30)
        pool = sw.StreamPool(model)
        one = pool.open()
        np.testing.assert_array_equal(pool.feed({one: signal})[one], sw.scan(model, signal).scores)


def test_representations() -> None:
    stream = sw.Stream(signal_model("native"))
    assert repr(stream) == "<Stream at sample 0: window 12, step 2, method 'shared'>"
    assert (stream.window, stream.step, stream.reason) == (12, 2, "no layer pads inside the window")
    assert sw.Stream(signal_model("reference")).reason == "backend 'reference' runs every window by itself"
    assert sw.Stream(signal_model("native"), 40).reason == "the windows overlap too little to share work"
    assert repr(sw.StreamPool(signal_model("native"))) == "<StreamPool of 0 streams: window 12, step 2>"
    assert SIGNAL_SHAPE == (2, 12)
