"""A stream is the scan of all that it was fed: bit for bit, however it was cut."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models
from scanwise.layers import Layer
from scanwise.scanning.grid import EDGES
from scanwise.scanning.sharing import obstacle
from tests.backends import BACKENDS, random_values, signal_model
from tests.kernels.harness import host_targets
from tests.plan.drawn_networks import Case
from tests.scanning.drawn_signals import chunks_of, detectors, fed, model_of, pieces

on_every_backend = pytest.mark.parametrize("backend", BACKENDS)


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
        signal: NDArray[Any] = np.random.default_rng(0).integers(0, 200, (2, 30)).astype(dtype)
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
    @pytest.mark.parametrize("name", ["tdnn", "tdnn-bn", "ds-cnn"])
    def test_a_tick_costs_the_new_columns(self, name: str) -> None:
        """Of the convolutions over 98 frames each tick computes those of its own frames."""
        network = models.get(name, (1, 16000), 12, sample_rate=16000)
        model = sw.Model(network, (1, 16000), sample_rate=16000)
        stream = sw.Stream(model)
        assert stream.method == "shared"
        executor: Any = model.executor
        share = executor._graph.work / executor.ticks().runner.graph.work
        assert share > 0.7 * 16000 / stream.step
        assert stream.step == (320 if name == "ds-cnn" else 640)

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

    @settings(max_examples=60)
    @given(st.integers(1, 70), st.integers(1, 30), st.sampled_from(EDGES))
    def test_edges_are_those_of_a_scan(self, length: int, step: int, edge: str) -> None:
        model, signal = signal_model("native"), random_values(2, length)
        stream = sw.Stream(model, step)
        scores = stream.feed(signal)
        if length < 12 and edge != "pad":
            for end in (lambda: stream.flush(edge), lambda: sw.scan(model, signal, step=step, edge=edge)):
                with pytest.raises(sw.ShapeError):
                    end()
            return
        scores = np.concatenate([scores, stream.flush(edge)], axis=1)
        np.testing.assert_array_equal(scores, sw.scan(model, signal, step=step, edge=edge).scores)

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
        with pytest.raises(sw.ArgumentError, match=r"to be fed. Got one that flush has ended; reset it"):
            stream.feed(signal)
        with pytest.raises(sw.ArgumentError, match=r"to be flushed. Got one that flush has ended; reset it"):
            stream.flush()
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
