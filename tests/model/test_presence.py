"""`Model.presence` is the network at the signal's own size: bit for bit, however the signal is cut."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import models, shapes
from scanwise.codegen.target import AVX2, AVX512, GENERIC, NEON, host_target
from scanwise.layers import Aggregate
from scanwise.plan.executor import NativeExecutor
from scanwise.presence import aggregating, body, tiles
from tests.backends import BACKENDS, random_values
from tests.plan.drawn_networks import Case, networks
from tests.test_bounded_memory import MIB, mapped, peak_of

MODES = Aggregate.modes
each_mode = pytest.mark.parametrize("mode", MODES)

SIGNAL_BODY = (sw.Conv1d(5, 3), sw.ReLU(), sw.MaxPool1d(2), sw.Conv1d(20, 2), sw.Tanh())
IMAGE_BODY = (sw.Conv2d(3, (3, 2)), sw.MaxPool2d(2), sw.Conv2d(9, 2))
PADDED_BODY = (sw.Conv1d(6, 5, stride=2, padding=2), sw.ReLU(), sw.Conv1d(4, 3, padding="same"))
TARGETS = {"avx512": (AVX512, AVX2, GENERIC), "avx2": (AVX2, GENERIC), "neon": (NEON,), "generic": (GENERIC,)}


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads()
    yield
    sw.set_threads(before)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tiles, bands and batches in small signals."""
    monkeypatch.setattr(tiles, "TILE_POSITIONS", {1: 8, 2: 4})
    monkeypatch.setattr(tiles, "BAND_VALUES", 400)
    monkeypatch.setattr(body, "_BATCH_TILES", 3)


def signal_model(mode: str = "max", *tail: sw.layers.Layer, backend: str = "native") -> sw.Model:
    return sw.Model(sw.Sequential(*SIGNAL_BODY, Aggregate(mode), *tail), (2, 12), backend=backend, seed=1)


def image_model(mode: str) -> sw.Model:
    return sw.Model(sw.Sequential(*IMAGE_BODY, Aggregate(mode), sw.Linear(4)), (2, 9, 8), seed=1)


def at_its_size(model: sw.Model, signal: NDArray[Any]) -> NDArray[np.float32]:
    """What a model that is made for the signal gives."""
    other = sw.Model(model.network, signal.shape, backend=model.backend)
    other.parameters = model.parameters
    scores: NDArray[np.float32] = other(signal[None])[0]
    return scores


def assert_at_their_size(model: sw.Model, signals: list[NDArray[Any]]) -> None:
    for number, (signal, scores) in enumerate(zip(signals, model.presence(signals).scores, strict=True)):
        np.testing.assert_array_equal(scores, at_its_size(model, signal), err_msg=f"{number}, {signal.shape}")


def of_lengths(*lengths: int) -> list[NDArray[np.float32]]:
    return [random_values(2, length, seed=length) for length in lengths]


class TestBits:
    @each_mode
    @pytest.mark.parametrize(
        "tail", [(), (sw.Linear(7), sw.ReLU(), sw.Linear(3), sw.Softmax())], ids=["", "tail"]
    )
    @pytest.mark.usefixtures("small_tiles")
    def test_signals(self, mode: str, tail: tuple[sw.layers.Layer, ...]) -> None:
        model = signal_model(mode, *tail)
        signals = of_lengths(12, 6, 7, 40, 41, 333, 40)
        assert_at_their_size(model, signals)
        np.testing.assert_array_equal(model.presence(signals).scores[0], model(signals[0][None])[0])

    @each_mode
    @pytest.mark.usefixtures("small_tiles")
    def test_images(self, mode: str) -> None:
        signals = [
            random_values(2, *extent, seed=1) for extent in ((9, 8), (6, 5), (31, 28), (8, 60), (57, 5))
        ]
        assert_at_their_size(image_model(mode), signals)

    @each_mode
    def test_tiles_as_they_are(self, mode: str) -> None:
        assert_at_their_size(signal_model(mode), of_lengths(9_000, 12, 3_000))

    @each_mode
    def test_threads(self, mode: str) -> None:
        signals = of_lengths(500, 13, 6_000, 100, 101)
        model = signal_model(mode)
        expected = model.presence(signals)
        for threads in (1, 2, 3):
            sw.set_threads(threads)
            found = model.presence(signals)
            np.testing.assert_array_equal(found.scores, expected.scores)
            np.testing.assert_array_equal(found.positions, expected.positions)

    @each_mode
    @pytest.mark.parametrize("target", TARGETS[host_target().name], ids=lambda target: target.name)
    def test_vector_widths(self, mode: str, target: Any) -> None:
        model, (signal,) = signal_model(mode), of_lengths(200)
        wide = NativeExecutor(model.network, signal.shape, target=target)
        wide.load_parameters(model.parameters)
        np.testing.assert_array_equal(model.presence([signal]).scores, wide.forward(signal[None]))

    @each_mode
    def test_reference(self, mode: str) -> None:
        assert_at_their_size(signal_model(mode, sw.Linear(3), backend="reference"), of_lengths(12, 6, 45))

    @each_mode
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_layers_that_pad(self, mode: str, backend: str) -> None:
        model = sw.Model(sw.Sequential(*PADDED_BODY, Aggregate(mode), sw.Linear(3)), (2, 12), backend=backend)
        assert_at_their_size(model, of_lengths(12, 1, 45, 44))

    def test_pooling_that_reaches_over_the_end_of_some_signals(self) -> None:
        network = sw.Sequential(sw.Conv1d(3, 2), sw.MaxPool1d(3, ceil_mode=True), Aggregate("mean"))
        assert_at_their_size(sw.Model(network, (2, 12)), of_lengths(*range(4, 14)))

    @pytest.mark.parametrize(
        "layers", [(), (sw.Residual(sw.Conv1d(2, 1)),), (sw.Sequential(sw.ReLU()),)], ids=repr
    )
    def test_bodies_without_extent(self, layers: tuple[sw.layers.Layer, ...]) -> None:
        network = sw.Sequential(*layers, sw.Sequential(Aggregate("logsumexp"), sw.Linear(2)), sw.ReLU())
        assert_at_their_size(sw.Model(network, (2, 3)), of_lengths(1, 2, 3, 50))

    def test_recordings(self) -> None:
        network = models.get("tdnn", (1, 8000), 3, sample_rate=8000)
        signals = [random_values(1, n, seed=n) * np.float32(0.1) for n in (8000, 30_001)]
        assert_at_their_size(sw.Model(network, (1, 8000)), signals)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, bool])
    @pytest.mark.usefixtures("small_tiles")
    def test_dtypes(self, dtype: type) -> None:
        signals: list[NDArray[Any]] = [
            np.random.default_rng(n).integers(0, 200, (2, n)).astype(dtype) for n in (12, 90)
        ]
        assert_at_their_size(signal_model("softmax"), signals)

    def test_more_sizes_than_are_kept(self) -> None:
        model = sw.Model(sw.Sequential(*PADDED_BODY, Aggregate("max")), (2, 12))
        assert_at_their_size(model, of_lengths(*range(5, 20)))


@given(
    networks(flat=False, most=3),
    st.sampled_from(MODES),
    st.integers(0, 25),
    st.integers(0, 9),
    st.sampled_from([1, 2, 8]),
)
@settings(max_examples=12)
def test_any_network_size_and_tile(case: Case, mode: str, rows: int, columns: int, cap: int) -> None:
    rank = len(case.input_shape)
    assume(len(case.output_shape) == rank)
    assume(all(row.layer.unshared is None for row in shapes.walk(case.network, case.input_shape)))
    model = sw.Model(sw.Sequential(*case.network, Aggregate(mode), sw.Linear(3)), case.input_shape)
    model.parameters = {name: case.parameters.get(name, value) for name, value in model.parameters.items()}
    more = (0, rows) if rank == 2 else (0, columns, rows)
    signals = [
        random_values(*(extent + times * m for extent, m in zip(case.input_shape, more, strict=True)))
        for times in (0, 1, 2)
    ]
    before = tiles.TILE_POSITIONS, tiles.BAND_VALUES
    tiles.TILE_POSITIONS, tiles.BAND_VALUES = {1: cap, 2: cap}, 100
    try:
        assert_at_their_size(model, signals)
    finally:
        tiles.TILE_POSITIONS, tiles.BAND_VALUES = before


class TestPlaces:
    @pytest.mark.usefixtures("small_tiles")
    def test_the_window_alone_has_the_score(self) -> None:
        model = signal_model("max")
        signals = of_lengths(80, 6, 31)
        found = model.presence(signals)
        assert found.positions.shape == found.scores.shape == (3, 20)
        assert found.support.shape == (3, 20, 2)
        alone = sw.Model(model.network, (2, 6))
        alone.parameters = model.parameters
        for n, signal in enumerate(signals):
            for k, (start, stop) in enumerate(found.support[n]):
                assert stop - start == 6
                assert alone(signal[None, :, start:stop])[0, k] == found.scores[n, k]

    @pytest.mark.usefixtures("small_tiles")
    def test_the_part_of_an_image_alone_has_the_score(self) -> None:
        model = sw.Model(sw.Sequential(*IMAGE_BODY, Aggregate("max")), (2, 9, 8))
        image = random_values(2, 40, 37)
        found = model.presence([image])
        assert found.positions.shape == (1, 9, 2)
        assert found.support.shape == (1, 9, 2, 2)
        for k, ((top, bottom), (left, right)) in enumerate(found.support[0]):
            part = image[:, top:bottom, left:right]
            assert at_its_size(model, part)[k] == found.scores[0, k]

    @pytest.mark.parametrize("backend", BACKENDS)
    @each_mode
    @pytest.mark.usefixtures("small_tiles")
    def test_the_largest_value_in_every_mode(self, mode: str, backend: str) -> None:
        model = sw.Model(sw.Sequential(sw.Conv1d(1, 2, bias=False), Aggregate(mode)), (1, 4), backend=backend)
        model.parameters["0.weight"] = [[[1.0, 1.0]]]
        signal = np.zeros((1, 60))
        signal[0, 21:23] = signal[0, 40:42] = 0.5
        assert model.presence([signal]).positions.tolist() == [[21]]  # the first of equal ones
        signal[0, 41] = 0.6
        assert model.presence([signal]).positions.tolist() == [[40]]
        assert model.presence([signal]).stops.tolist() == [[42]]

    def test_padding_is_not_part_of_the_signal(self) -> None:
        network = sw.Sequential(sw.Conv1d(1, 5, padding=2, bias=False), Aggregate("max"))
        model = sw.Model(network, (1, 8))
        model.parameters["0.weight"] = [[[0.0, 0.0, 1.0, 0.0, 0.0]]]
        supports = [
            model.presence(np.eye(8)[None, place : place + 1]).support[0, 0].tolist() for place in range(8)
        ]
        assert supports == [[max(0, p - 2), min(8, p + 3)] for p in range(8)]

    def test_of_a_tail_the_channel_that_speaks_most(self) -> None:
        network = sw.Sequential(sw.Conv1d(2, 1, bias=False), Aggregate("max"), sw.Linear(3, bias=False))
        model = sw.Model(network, (2, 4))
        model.parameters["0.weight"] = [[[1.0], [0.0]], [[0.0], [1.0]]]
        model.parameters["2.weight"] = [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]
        signal = np.zeros((2, 9))
        signal[0, 3], signal[1, 7] = 1.0, 5.0
        found = model.presence([signal] * 300)
        assert found.scores[0].tolist() == [1.0, 5.0, -4.0]
        assert (found.positions == [3, 7, 3]).all()

    def test_labels_come_along(self) -> None:
        model = sw.Model(sw.Sequential(Aggregate("max")), (2, 4), labels=("no", "yes"))
        found = model.presence(np.ones((3, 2, 7)))
        assert found.labels == ("no", "yes")
        assert repr(found) == "<Presence of 2 scores in 3 signals>"


class TestModels:
    def test_new_parameters_are_taken(self) -> None:
        model = signal_model("mean", sw.Linear(2))
        signals = of_lengths(12, 50)
        before = model.presence(signals).scores
        model.parameters["0.weight"] = model.parameters["0.weight"] * 2
        model.parameters["6.bias"] = [1.0, 2.0]
        assert (model.presence(signals).scores != before).all()
        assert_at_their_size(model, signals)

    def test_a_copy_has_its_own(self) -> None:
        model = signal_model("mean")
        signals = of_lengths(12, 50)
        expected = model.presence(signals).scores
        other = copy.deepcopy(model)
        other.parameters["0.bias"] = np.ones(5)
        assert (other.presence(signals).scores != expected).any()
        np.testing.assert_array_equal(model.presence(signals).scores, expected)


@pytest.mark.parametrize("mode", ["max", "mean", "logsumexp"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_memory_does_not_grow_with_a_mapped_signal(mode: str, dtype: type, tmp_path: Path) -> None:
    network = sw.Sequential(sw.Conv1d(16, 16), sw.AvgPool1d(64), Aggregate(mode), sw.Linear(1))
    model = sw.Model(network, (1, 1024))
    signal = mapped(tmp_path / "signal.npy", (1, 50_000_000), dtype)
    model.presence([signal[:, : 1 << 21]])  # compiles
    assert peak_of(lambda: model.presence([signal])) < 100 * MIB
    assert 16 * signal.size // 64 > 2 * tiles.BAND_VALUES  # it came in several bands


def test_memory_does_not_grow_with_the_number_of_signals(tmp_path: Path) -> None:
    model = signal_model("logsumexp")
    signals = mapped(tmp_path / "signals.npy", (1000, 2, 16_000), np.int16)
    model.presence(signals[:100])  # compiles
    assert signals.nbytes > 60 * MIB
    assert peak_of(lambda: model.presence(signals)) < 40 * MIB


class TestErrors:
    @pytest.mark.parametrize(
        ("signals", "error", "message"),
        [
            ([], sw.ArgumentError, r"^signals must hold at least one signal. Got none.$"),
            (np.empty((0, 2, 12)), sw.ArgumentError, r"at least one signal"),
            ([np.ones((2, 5))], sw.ShapeError, r"^signals\[0\] must be .* \(6,\). Got \(5,\), which lacks \(1,\)"),
            ([np.ones((2, 0))], sw.ShapeError, r"^signals\[0\] must be at least .* lacks \(6,\)\.$"),
            ([np.ones((3, 12))], sw.ShapeError, r"\[0\] must have shape \(C, T\) with 2 channels. Got \(3, 12\)"),
            ([np.ones(12)], sw.ShapeError, r"^signals\[0\] must have shape"),
            (np.ones((2, 12)), sw.ShapeError, r"as one array. Got \(2, 12\); a single signal is \[signal\]"),
            (np.ones(12), sw.ShapeError, r"as one array. Got \(12,\)\."),
            ("clips", sw.ArgumentTypeError, r"^signals must be a list of arrays \(C, T\). Got str\.$"),
            ([["a", "b"]], sw.ArgumentTypeError, r"^signals\[0\] must be an array of real numbers"),
            ([np.ones((2, 12)) + 1j], sw.ArgumentTypeError, r"^signals\[0\] must be an array of real numbers"),
            (None, sw.ArgumentTypeError, r"^signals must be a list"),
        ],
    )  # fmt: skip
    def test_signals(self, signals: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            signal_model().presence(signals)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.usefixtures("small_tiles")
    def test_what_is_not_finite_has_its_place(self, value: float, backend: str) -> None:
        signals: list[NDArray[Any]] = [np.ones((2, n)) for n in (12, 90)]
        signals[1][1, 77] = value
        with pytest.raises(sw.ArgumentError, match=r"^signals\[1\] must be finite .* at index \(1, 77\)\.$"):
            signal_model(backend=backend).presence(signals)

    @pytest.mark.parametrize("place", [(0, 3, 38), (1, 38, 3), (0, 38, 39), (1, 13, 13), (0, 12, 15)])
    @pytest.mark.usefixtures("small_tiles")
    def test_also_where_no_position_looks(self, place: tuple[int, ...]) -> None:
        network = sw.Sequential(sw.MaxPool2d(2), sw.Downsample2d((5, 7)), Aggregate("max"))
        image = np.ones((2, 39, 40))
        image[place] = np.nan
        with pytest.raises(sw.ArgumentError, match=rf"at index {re.escape(str(place))}\.$"):
            sw.Model(network, (2, 20, 20)).presence([image])

    @pytest.mark.parametrize("input_shape", [(1, 4), (3,)])
    def test_networks_without_aggregate(self, input_shape: tuple[int, ...]) -> None:
        model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), input_shape)
        with pytest.raises(
            sw.ArgumentError, match=r"must end in Aggregate\(...\) .* last layer is Linear\(2\)\.$"
        ):
            model.presence([np.ones((1, 9))])

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (sw.UnitBias(), r"Got layer 1.0 UnitBias\(\), which has a bias for each place"),
            (sw.ConvTranspose1d(2, 3), r"Got layer 1.0 ConvTranspose1d\(2, 3\), which adds neighbouring"),
        ],
    )
    def test_layers_of_one_size(self, layer: sw.layers.Layer, message: str) -> None:
        model = sw.Model(sw.Sequential(sw.ReLU(), sw.Sequential(layer), Aggregate("max")), (1, 9))
        with pytest.raises(sw.ArgumentError, match=message):
            model.presence([np.ones((1, 9))])

    def test_a_residual_that_would_not_give_back_its_shape(self) -> None:
        model = sw.Model(
            sw.Sequential(sw.Conv1d(2, 9), sw.Residual(sw.Downsample1d(2)), Aggregate("max")), (1, 9)
        )
        assert_at_their_size(model, [random_values(1, 9)])
        with pytest.raises(
            sw.ShapeError, match=r"^signals\[0\] must fit the network. Got shape \(1, 10\): layer 1"
        ):
            model.presence([np.ones((1, 10))])

    @pytest.mark.parametrize("mode", MODES)
    def test_what_overflows_within_the_network(self, mode: str) -> None:
        body = sw.Conv1d(5, 3), sw.ReLU(), sw.MaxPool1d(2), sw.Conv1d(20, 2)
        model = sw.Model(sw.Sequential(*body, Aggregate(mode), sw.Linear(3)), (2, 12), seed=1)
        signal = random_values(2, 40)
        signal[:, 20:24] = 3e38
        with pytest.raises(
            sw.ArgumentError, match=r"^signals\[1\] must be small enough for the network's values"
        ):
            model.presence([random_values(2, 30), signal])

    def test_a_mean_that_overflows(self) -> None:
        model = sw.Model(sw.Sequential(sw.Conv1d(1, 1, bias=False), Aggregate("mean")), (1, 4))
        model.parameters["0.weight"] = [[[1.0]]]
        with pytest.raises(
            sw.ArgumentError, match=r"^signals\[0\] must be small enough.* Got inf from the Agg"
        ):
            model.presence([np.full((1, 9), 3e38)])

    def test_a_padded_signal_without_samples(self) -> None:
        model = sw.Model(sw.Sequential(*PADDED_BODY, Aggregate("max")), (2, 12))
        with pytest.raises(sw.ShapeError, match=r"^signals\[0\] must fit the network. Got shape \(2, 0\)"):
            model.presence([np.ones((2, 0))])

    @pytest.mark.parametrize(
        ("backend", "reason"),
        [
            ("native", r"since layer 0 Conv1d\(6, 5, stride=2, padding=2\) pads"),
            ("reference", "on the reference backend"),
        ],
    )
    def test_too_large_to_be_evaluated_whole(
        self, backend: str, reason: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(aggregating, "MOST_WHOLE", 4000)
        model = sw.Model(sw.Sequential(*PADDED_BODY, Aggregate("max")), (2, 12), backend=backend)
        assert_at_their_size(model, of_lengths(100))
        with pytest.raises(
            sw.ShapeError, match=rf"^signals\[0\] must be small enough .* {reason}.* any size\.$"
        ):
            model.presence(of_lengths(300))
