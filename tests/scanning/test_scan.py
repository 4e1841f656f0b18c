"""A scan is its windows: bit for bit, at every step, and whichever way they are evaluated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.plan import larger_input
from scanwise.scanning import evaluation, evaluators, tiling
from scanwise.scanning.grid import Axis
from scanwise.scanning.sharing import advice
from scanwise.scanning.source import ArraySource
from tests.backends import (
    BACKENDS,
    IMAGE_SHAPE,
    PADDED_NETWORK,
    SIGNAL_NETWORK,
    SIGNAL_SHAPE,
    image_model,
    random_values,
    signal_model,
)

on_every_backend = pytest.mark.parametrize("backend", BACKENDS)


def assert_scan_is_its_windows(model: sw.Model, signal: NDArray[Any], result: sw.ScanResult) -> None:
    """Every score against the model run on that window alone, bit for bit."""
    counts = result.scores.shape[1:]
    for place in np.ndindex(counts):
        start = np.atleast_1d(result.positions[place])
        window = tuple(slice(s, s + w) for s, w in zip(start, model.input_shape[1:], strict=True))
        expected = model(signal[(None, slice(None), *window)])[0].reshape(-1)
        np.testing.assert_array_equal(result.scores[(slice(None), *place)], expected, err_msg=str(place))


@on_every_backend
class TestContract:
    @pytest.mark.parametrize("step", [None, 1, 2, 3, 4, 5, 12, 40])
    @pytest.mark.parametrize("extent", [12, 13, 47])
    def test_signals(self, backend: str, step: int | None, extent: int) -> None:
        model = signal_model(backend)
        signal = random_values(2, extent)
        result = sw.scan(model, signal, step=step)
        assert result.step == (2 if step is None else step)  # the pooling's stride
        assert result.window == 12
        assert result.positions.tolist() == list(range(0, extent - 11, result.step))
        assert_scan_is_its_windows(model, signal, result)

    @pytest.mark.parametrize("step", [None, 1, (1, 2), (4, 3), (9, 1)])
    def test_images(self, backend: str, step: tuple[int, int] | int | None) -> None:
        model = image_model(backend)
        signal = random_values(2, 17, 15)
        result = sw.scan(model, signal, step=step)
        assert result.window == (8, 7)
        assert result.step == {None: (2, 2), 1: (1, 1)}.get(step, step)  # type: ignore[arg-type]
        assert result.positions.shape == (*result.scores.shape[1:], 2)
        assert_scan_is_its_windows(model, signal, result)

    @pytest.mark.parametrize("cap", [1, 2, 4, 8])
    @pytest.mark.parametrize("step", [None, 1, 3, 4])
    def test_tiles_do_not_show(
        self, backend: str, cap: int, step: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, picture = signal_model(backend), image_model(backend)
        signal, image = random_values(2, 61), random_values(2, 19, 22)
        whole, area = sw.scan(model, signal, step=step), sw.scan(picture, image, step=step)
        monkeypatch.setattr(evaluators, "TILE_POSITIONS", {1: cap, 2: cap})
        monkeypatch.setattr(evaluators, "TILE_WINDOWS", 0)
        monkeypatch.setattr(evaluation, "_BATCH_TILES", 3)
        np.testing.assert_array_equal(sw.scan(model, signal, step=step).scores, whole.scores)
        np.testing.assert_array_equal(sw.scan(picture, image, step=step).scores, area.scores)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, bool])
    def test_dtypes(self, backend: str, dtype: type) -> None:
        signal: NDArray[Any] = np.random.default_rng(0).integers(0, 200, (2, 30)).astype(dtype)
        model = signal_model(backend)
        assert_scan_is_its_windows(model, signal, sw.scan(model, signal))

    def test_padding_inside_the_window(self, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(evaluators, "_BATCH_WINDOWS", 5)
        model = sw.Model(PADDED_NETWORK, IMAGE_SHAPE, backend=backend)
        signal = random_values(2, 13, 12)
        result = sw.scan(model, signal)
        assert result.method == "windows"
        assert result.reason == "layer 0 Conv2d(3, 3, padding='same') pads inside the window"
        assert_scan_is_its_windows(model, signal, result)

    def test_memory_map(self, backend: str, tmp_path: Path) -> None:
        signal = random_values(2, 50)
        np.save(tmp_path / "signal.npy", signal)
        mapped = np.load(tmp_path / "signal.npy", mmap_mode="r")
        model = signal_model(backend)
        np.testing.assert_array_equal(sw.scan(model, mapped).scores, sw.scan(model, signal).scores)

    def test_views_of_any_order(self, backend: str) -> None:
        signal = random_values(2, 17, 15)
        model = image_model(backend)
        turned = np.asfortranarray(signal)
        np.testing.assert_array_equal(sw.scan(model, turned).scores, sw.scan(model, signal).scores)

    @pytest.mark.parametrize(
        "network",
        [
            sw.Sequential(sw.Conv1d(4, 3, dilation=2), sw.Aggregate("logsumexp")),
            sw.Sequential(sw.Conv1d(4, 3, stride=2), sw.ReLU(), sw.Aggregate("softmax")),
            sw.Sequential(sw.Conv1d(4, 12), sw.Softmax()),
            sw.Sequential(sw.Residual(sw.Conv1d(2, 1), sw.Tanh()), sw.AvgPool1d(3, 2), sw.Aggregate("mean")),
            sw.Sequential(
                sw.Sequential(sw.Downsample1d(3), sw.Flatten()), sw.Sequential(sw.Linear(3), sw.Sigmoid())
            ),
            sw.Sequential(sw.Flatten(), sw.Linear(3)),
            sw.Sequential(sw.Conv1d(3, 2), sw.Subsample1d(3, 2), sw.Tanh(), sw.Flatten(), sw.Linear(2)),
            sw.Sequential(
                sw.Conv1d(3, 10),
                sw.Tanh(),
                sw.Flatten(),
                sw.RadialBasis(random_values(2, 9) * np.float32(0.3)),
            ),
            sw.Sequential(sw.Conv1d(3, 3, bias=False), sw.UnitBias(), sw.Tanh(), sw.Flatten(), sw.Linear(2)),
            sw.Sequential(sw.Pad1d(1), sw.Conv1d(3, 3), sw.Aggregate("max")),
            sw.Sequential(sw.MaxPool1d(5, ceil_mode=True), sw.Flatten(), sw.Linear(2)),
            sw.Sequential(sw.Conv1d(2, 12), sw.Residual(sw.Downsample1d(2)), sw.Flatten()),
            sw.Sequential(sw.Conv1d(4, 3, 2), sw.ConvTranspose1d(3, 3, 2), sw.Conv1d(2, 2), sw.Flatten()),
            sw.Sequential(sw.Conv1d(4, 3), sw.Aggregate("max", grid=4), sw.Flatten(), sw.Linear(3)),
            sw.Sequential(sw.Conv1d(3, 3), sw.Aggregate("softmax", grid=5), sw.Conv1d(2, 5)),
        ],
        ids=repr,
    )
    def test_networks(self, backend: str, network: sw.Sequential) -> None:
        model = sw.Model(network, SIGNAL_SHAPE, backend=backend)
        signal = random_values(2, 31)
        for step in (None, 1):
            assert_scan_is_its_windows(model, signal, sw.scan(model, signal, step=step))


PARTLY_SHARED = {
    "signal": (
        sw.Sequential(
            *[sw.LogMel(8000, 16, 4, 6), sw.Conv1d(64, 3), sw.Conv1d(8, 3), sw.MaxPool1d(3, 2)],
            *[sw.Conv1d(4, 3, padding="same"), sw.ReLU(), sw.Flatten(), sw.Linear(3)],
        ),
        (1, 60),
        "4",
    ),
    "cells": (
        sw.Sequential(
            *[sw.LogMel(8000, 16, 4, 6), sw.Conv1d(64, 3), sw.Conv1d(4, 3), sw.Aggregate("mean", grid=3)],
            *[sw.Flatten(), sw.Linear(3)],
        ),
        (1, 60),
        "3",
    ),
    "image": (
        sw.Sequential(
            *[sw.Conv2d(32, 3), sw.ReLU(), sw.Sequential(sw.Conv2d(6, 3, stride=(2, 1)), sw.Tanh())],
            *[sw.Residual(sw.Conv2d(6, 3, padding=1)), sw.Aggregate("max"), sw.Linear(3)],
        ),
        (2, 11, 9),
        "3",
    ),
}


@pytest.mark.parametrize(("network", "shape", "place"), PARTLY_SHARED.values(), ids=PARTLY_SHARED)
class TestPartlyShared:
    """The layers before the first padded one see a whole tile, those from there on one window."""

    @pytest.mark.parametrize("step", [None, 1, 2, 3])
    def test_equals_its_windows(
        self, network: sw.Sequential, shape: tuple[int, ...], place: str, step: int | None
    ) -> None:
        signal = random_values(shape[0], *(extent + 15 for extent in shape[1:]))
        for backend in BACKENDS:
            model = sw.Model(network, shape, backend=backend)
            result = sw.scan(model, signal, step=step)
            assert_scan_is_its_windows(model, signal, result)
            assert result.reason.startswith(f"layer {place}")
            assert result.method == "partly shared" or step == 3

    def test_what_overflows_within_the_network(
        self, network: sw.Sequential, shape: tuple[int, ...], place: str
    ) -> None:
        """The map that windows share may hold infinite values: they go on as they do in a window by itself."""
        model = sw.Model(network, shape)
        signal = random_values(shape[0], *(extent + 15 for extent in shape[1:]))
        signal[(slice(None), *(slice(9, 14) for _ in shape[1:]))] = 3e38
        for step in (None, 1):
            result = sw.scan(model, signal, step=step)
            assert result.method == "partly shared"
            assert_scan_is_its_windows(model, signal, result)

    def test_tiles_and_batches_do_not_show(
        self, network: sw.Sequential, shape: tuple[int, ...], place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = sw.Model(network, shape)
        signal = random_values(shape[0], *(extent + 15 for extent in shape[1:]))
        whole = sw.scan(model, signal, step=1)
        monkeypatch.setattr(evaluators, "_TILE_VALUES", 1)
        monkeypatch.setattr(larger_input, "_BATCH_WINDOWS", 3)
        np.testing.assert_array_equal(sw.scan(model, signal, step=1).scores, whole.scores)


@given(extent=st.integers(12, 90), step=st.integers(1, 30), cap=st.sampled_from([1, 2, 8, 16]))
def test_any_extent_step_and_tile(extent: int, step: int, cap: int) -> None:
    model = signal_model("reference")
    signal = random_values(2, extent)
    expected = np.stack([model(signal[None, :, s : s + 12])[0] for s in range(0, extent - 11, step)], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluators, "TILE_POSITIONS", {1: cap, 2: cap})
        patch.setattr(evaluators, "TILE_WINDOWS", 0)
        np.testing.assert_array_equal(sw.scan(model, signal, step=step).scores, expected)


class TestMethod:
    @pytest.mark.parametrize(
        ("step", "method"), [(None, "shared"), (1, "shared"), (2, "shared"), (4, "shared"), (12, "windows")]
    )
    def test_windows_that_do_not_overlap_have_nothing_to_share(self, step: int | None, method: str) -> None:
        assert sw.scan(signal_model("reference"), random_values(2, 60), step=step).method == method

    @pytest.mark.parametrize(
        ("network", "reason"),
        [
            (sw.Sequential(sw.Pad1d(1), sw.Aggregate("max")), r"layer 0 Pad1d\(1\) pads inside the window"),
            (
                sw.Sequential(
                    sw.Sequential(sw.ReLU(), sw.Conv1d(3, 3, padding="causal")), sw.Aggregate("max")
                ),
                r"layer 0.1 Conv1d\(3, 3, padding='causal'\) pads inside the window",
            ),
            (
                sw.Sequential(sw.Residual(sw.ConvTranspose1d(2, 1)), sw.Aggregate("max")),
                r"layer 0.0 ConvTranspose1d\(2, 1\) adds neighbouring windows together at their edges",
            ),
            (
                sw.Sequential(sw.Conv1d(2, 12), sw.Residual(sw.Downsample1d(2)), sw.Flatten()),
                "layer 1 .* has a stride within",
            ),
            (
                sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max", grid=3), sw.Flatten(), sw.Linear(2)),
                r"layer 1 Aggregate\('max', grid=3\) cuts the window into cells",
            ),
            (
                sw.Sequential(sw.Pad1d(1, value=-1.0), sw.Conv1d(3, 3), sw.Aggregate("max")),
                r"layer 0 Pad1d\(1, value=-1.0\) pads inside the window",
            ),
        ],
        ids=repr,
    )
    def test_reason_names_the_layer(self, network: sw.Sequential, reason: str) -> None:
        model = sw.Model(network, SIGNAL_SHAPE, backend="reference")
        result = sw.scan(model, random_values(2, 20))
        assert result.method in ("partly shared", "windows")
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(result.reason)

    @pytest.mark.parametrize("step", [None, 1, 20])
    def test_progress_counts_every_window_once(self, step: int | None) -> None:
        seen: list[tuple[int, int]] = []
        result = sw.scan(
            signal_model("reference"), random_values(2, 70), step=step, progress=lambda *n: seen.append(n)
        )
        total = result.scores.shape[1]
        assert seen[-1] == (total, total)
        assert seen == sorted(seen)


def test_a_network_that_takes_the_advice_keeps_its_parameters_and_shares_all_work() -> None:
    def network(padding: int) -> sw.Sequential:
        first, second = sw.Conv1d(4, 3, padding=padding), sw.Conv1d(4, 5, padding=2 * padding)
        return sw.Sequential(first, sw.ReLU(), sw.MaxPool1d(2), second, sw.Flatten(), sw.Linear(3))

    assert advice(network(1), (1, 16)) == "use padding=0 in layers 0 and 3 with a window larger by 10"
    assert network(0).parameter_shapes((1, 26)) == network(1).parameter_shapes((1, 16))
    assert advice(network(0), (1, 26)) is None
    cells = sw.Sequential(sw.Conv1d(4, 3), sw.Aggregate("max", grid=3), sw.Flatten(), sw.Linear(3))
    assert advice(cells, (1, 16)) == "leave out the grid of layer 1"


class TestTiles:
    @pytest.mark.parametrize(
        ("axes", "caps"),
        [
            ([(12, 1)], [1024]),
            ([(8000, 320)], [512]),
            ([(10**6, 1000)], [1024]),
            ([(28, 4), (28, 4)], [32, 32]),
            ([(64, 32), (64, 8)], [16, 32]),
            ([(512, 64), (512, 64)], [8, 8]),
            ([(1, 10**9)], [1]),
        ],
    )
    def test_are_small_enough(self, axes: list[tuple[int, int]], caps: list[int]) -> None:
        long = [Axis(10**13, window, stride, stride) for window, stride in axes]
        assert tiling.tile_counts(long, [evaluators.TILE_POSITIONS[len(axes)]] * len(axes)) == caps

    @pytest.mark.parametrize("step", [1, 4, 32])
    @pytest.mark.parametrize("window", [64, 512])
    def test_hold_a_bounded_number_of_values(self, window: int, step: int) -> None:
        layers = [sw.Conv2d(64, 3, stride=4), sw.ReLU(), sw.Conv2d(64, 3), sw.MaxPool2d(8), sw.Flatten()]
        model = sw.Model(sw.Sequential(*layers, sw.Linear(10)), (1, window, window))
        axes = [Axis(10**6, window, step, 32)] * 2
        evaluator = evaluators.evaluator_for(model, axes)
        assert evaluator.method == "shared"
        counts = tiling.tile_counts(axes, evaluator.most)
        pixels = math.prod(axis.span(n) for axis, n in zip(axes, counts, strict=True))
        assert pixels * (3 * 64 / 4**2 + 10 / step**2) < max(1 << 23, 16 * window**2)

    def test_are_no_larger_than_the_signal(self) -> None:
        assert tiling.tile_counts([Axis(75, 12, 1, 1)], [1024]) == [64]
        assert tiling.tile_counts([Axis(80, 12, 1, 1)], [1024]) == [32]  # 3 tiles of 43, not 2 of 75
        source = ArraySource(np.zeros((1, 20)))
        runs = [run for (run,) in tiling.tiles([Axis(20, 12, 1, 1)], [4], source)]
        assert [(run.first, run.start, run.stop) for run in runs] == [(0, 0, 15), (4, 4, 19), (5, 5, 20)]
        assert [(run.new_windows, run.new_start) for run in runs] == [(0, 0), (4, 15), (8, 19)]

    @pytest.mark.parametrize(
        ("extent", "axis", "threads", "counts"),
        [
            (75, (12, 1), 2, 32),  # one for each thread
            (10**6, (16000, 320), 2, 769),  # four, of 262,144 samples at most
            (12, (12, 1), 2, 1),
            (75, (12, 1), 1, 64),
        ],
    )
    def test_that_need_not_fit_other_signals_are_even(
        self, extent: int, axis: tuple[int, int], threads: int, counts: int
    ) -> None:
        axes = (Axis(extent, axis[0], axis[1], axis[1]),)
        assert tiling.even_counts(axes, (1024,), threads) == (counts,)

    def test_of_images_are_even(self) -> None:
        axes = (Axis(256, 28, 4, 4),) * 2
        assert tiling.even_counts(axes, (64, 64), 1) == (58, 58)
        assert tiling.even_counts(axes, (64, 64), 2) == (29, 58)

    def test_fit_the_first_extent_and_those_that_come_again(self) -> None:
        model = signal_model("native")
        first, other = ((Axis(extent, 12, 5, 5),) for extent in (100, 200))
        found = [tiling.comes_again(model.executor, axes) for axes in (first, other, first, other)]
        assert found == [True, False, True, True]

    @pytest.mark.parametrize("edge", ["valid", "pad", "extend"])
    def test_of_all_kinds_have_the_same_bits(self, edge: str) -> None:
        model, signals = (
            signal_model("native"),
            [random_values(2, extent) for extent in (3001, 2048, 3001, 2048)],
        )
        scores = [sw.scan(model, signal, edge=edge, step=3).scores for signal in signals]
        for signal, found in zip(signals, scores, strict=True):
            fresh = sw.scan(signal_model("native"), signal, edge=edge, step=3).scores
            assert found.tobytes() == fresh.tobytes()


class TestCoverage:
    def test_complete(self) -> None:
        coverage = sw.scan(signal_model("reference"), random_values(2, 20)).coverage
        assert coverage.complete
        assert coverage.fraction == 1.0
        assert str(coverage) == "20 of 20 samples (100.0 %)"

    def test_end_and_gaps_are_named(self) -> None:
        coverage = sw.scan(signal_model("reference"), random_values(2, 35), step=15).coverage
        assert coverage.uncovered == (((12, 15), (27, 35)),)
        assert coverage.covered == 24
        assert str(coverage) == "24 of 35 samples (68.6 %); not covered: 12..15, 27..35"

    def test_of_an_image(self) -> None:
        coverage = sw.scan(image_model("reference"), random_values(2, 9, 20), step=(1, 9)).coverage
        assert coverage.uncovered == ((), ((7, 9), (16, 20)))
        assert coverage.covered == 9 * 14
        assert "columns 7..9" in str(coverage)


class TestBadInput:
    @pytest.mark.parametrize(
        ("signal", "error", "text"),
        [
            (np.zeros((2, 11)), sw.ShapeError, r"at least as large as the window \(12,\). Got \(11,\)"),
            (np.zeros((2, 0)), sw.ShapeError, "at least as large as the window"),
            (np.zeros((3, 20)), sw.ShapeError, "2 channels, first. Got 3"),
            (np.zeros(20), sw.ShapeError, r"must have shape \(C, T\).*signal\[None\]"),
            (np.zeros((1, 2, 20)), sw.ShapeError, r"must have shape \(C, T\)"),
            (np.zeros((2, 20), complex), sw.ArgumentTypeError, "real numbers. Got dtype complex128"),
            (None, sw.ArgumentTypeError, "real numbers. Got dtype object"),
        ],
    )
    def test_signal(self, signal: Any, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            sw.scan(signal_model("reference"), signal)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
    def test_first_bad_value_is_named(self, bad: float, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(evaluators, "TILE_POSITIONS", {1: 4, 2: 4})
        signal = np.zeros((2, 40))
        signal[1, 33] = bad
        with pytest.raises(sw.ArgumentError, match=r"signal must be finite.*at index \(1, 33\)"):
            sw.scan(signal_model("reference"), signal)
        image = np.zeros((2, 10, 20))
        image[1, 3, 17] = bad
        with pytest.raises(sw.ArgumentError, match=r"signal must be finite.*at index \(1, 3, 17\)"):
            sw.scan(image_model("reference"), image)

    @pytest.mark.parametrize(
        ("step", "error", "text"),
        [
            (0, sw.ArgumentError, "step must be at least 1. Got 0"),
            (-3, sw.ArgumentError, "step must be at least 1. Got -3"),
            (1.5, sw.ArgumentTypeError, "step must be a whole number. Got 1.5"),
            (True, sw.ArgumentTypeError, "step must be a whole number. Got True"),
            ((1, 1), sw.ArgumentTypeError, r"step must be a whole number. Got \(1, 1\)"),
        ],
    )
    def test_step(self, step: Any, error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            sw.scan(signal_model("reference"), random_values(2, 20), step=step)

    @pytest.mark.parametrize("stride", [1, 10**30])
    def test_a_step_beyond_the_signal_leaves_one_window(self, stride: int) -> None:
        network = sw.Sequential(sw.Conv1d(2, 3, stride=stride), sw.Aggregate("max"))
        model, signal = sw.Model(network, (1, 8)), random_values(1, 20)
        result = sw.scan(model, signal, step=10**30)
        assert (result.positions.tolist(), len(result.detections(0))) == ([0], 1)
        np.testing.assert_array_equal(result.scores[:, 0], model(signal[None, :, :8])[0])

    def test_step_of_an_image(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"a whole number or a pair of them. Got \(1,\)"):
            sw.scan(image_model("reference"), random_values(2, 20, 20), step=(1,))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("network", "shape", "text"),
        [
            (sw.Sequential(sw.Linear(3)), (12,), r"input_shape must be \(C, T\) or \(C, H, W\) to scan"),
            (sw.Sequential(sw.Conv1d(3, 3)), (2, 12), r"one vector of scores per window.*\(3, 10\)"),
        ],
    )
    def test_model(self, network: sw.Sequential, shape: tuple[int, ...], text: str) -> None:
        with pytest.raises(sw.ShapeError, match=text):
            sw.scan(sw.Model(network, shape, backend="reference"), random_values(2, 20))

    def test_no_model(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"model must be a Model. Got Sequential"):
            sw.scan(SIGNAL_NETWORK, random_values(2, 20))  # type: ignore[arg-type]
