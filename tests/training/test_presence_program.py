"""Training on signals of unequal size, each labelled as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise import reference
from scanwise.presence import tiles
from scanwise.training.presence_gradients import PresenceGradients, SignalGradients

MODES = ("max", "mean", "logsumexp", "softmax")
LENGTHS = (40, 73, 250, 40)


def network(mode: str, *, tail: bool, padding: int = 0) -> sw.Sequential:
    body = [sw.Conv1d(6, 3, padding=padding), sw.Tanh(), sw.MaxPool1d(2), sw.Conv1d(4, 3)]
    return sw.Sequential(*body, sw.Aggregate(mode), *([sw.Tanh(), sw.Linear(3)] if tail else []))


def signals(seed: int, lengths: tuple[int, ...] = LENGTHS, channels: int = 2) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(channels, n)).astype(np.float32) for n in lengths]


def targets(loss: str, outputs: int, count: int = len(LENGTHS)) -> NDArray[Any]:
    random = np.random.default_rng(1)
    if loss == "cross_entropy":
        return random.integers(0, outputs, count)
    return random.integers(0, 2, (count, outputs)).astype(np.float32)


def one_by_one(model: sw.Model, x: list[NDArray[Any]], y: NDArray[Any], loss: str) -> SignalGradients:
    """By models of each signal's own size."""
    losses, total = [], {name: np.zeros(value.shape) for name, value in model.parameters.items()}
    for signal, target in zip(x, y, strict=True):
        own = sw.Model(model.network, signal.shape, backend=model.backend)
        own.parameters = dict(model.parameters)
        value, gradients = own.loss_and_gradients(signal[None], np.asarray(target)[None], loss=loss)
        losses.append(value)
        for name, gradient in gradients.items():
            total[name] += gradient.astype(float) / len(x)
    return SignalGradients(np.array(losses), None, total)


def of(model: sw.Model, x: list[NDArray[Any]], y: NDArray[Any], loss: str) -> SignalGradients:
    gradients = PresenceGradients(model.network, model.input_shape, model.backend)
    gradients.take(model.parameters)
    return gradients(x, y, loss)


def assert_close(found: SignalGradients, expected: SignalGradients) -> None:
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5, atol=1e-6)
    assert found.gradients.keys() == expected.gradients.keys()
    for name, gradient in expected.gradients.items():
        np.testing.assert_allclose(
            found.gradients[name], gradient, atol=1e-5 * (1e-3 + np.abs(gradient).max())
        )


class TestGradients:
    @pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
    @pytest.mark.parametrize("tail", [False, True], ids=["", "tail"])
    @pytest.mark.parametrize("mode", MODES)
    def test_are_those_of_one_signal_at_a_time(self, mode: str, tail: bool, loss: str) -> None:
        model = sw.Model(network(mode, tail=tail), (2, 40), seed=2)
        y = targets(loss, model.output_shape[0])
        assert_close(of(model, signals(0), y, loss), one_by_one(model, signals(0), y, loss))

    @settings(max_examples=10)
    @given(
        st.sampled_from(MODES),
        st.lists(st.integers(12, 300), min_size=1, max_size=4),
        st.sampled_from([1, 3, 8]),
    )
    def test_in_tiles_of_any_size(self, mode: str, lengths: list[int], positions: int) -> None:
        model = sw.Model(network(mode, tail=True), (2, 40), seed=2)
        x, y = signals(3, tuple(lengths)), targets("cross_entropy", 3, len(lengths))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tiles, "TILE_POSITIONS", {1: positions, 2: positions})
            found = of(model, x, y, "cross_entropy")
        assert_close(found, one_by_one(model, x, y, "cross_entropy"))

    @pytest.mark.parametrize("mode", MODES)
    def test_images(self, mode: str) -> None:
        layers = (
            sw.Conv2d(4, 3),
            sw.ReLU(),
            sw.MaxPool2d(2),
            sw.Conv2d(3, 2),
            sw.Aggregate(mode),
            sw.Linear(2),
        )
        model = sw.Model(sw.Sequential(*layers), (1, 12, 12))
        random = np.random.default_rng(0)
        x = [random.normal(size=(1, *extent)).astype(np.float32) for extent in ((12, 12), (12, 31), (80, 90))]
        y = targets("cross_entropy", 2, 3)
        assert_close(of(model, x, y, "cross_entropy"), one_by_one(model, x, y, "cross_entropy"))

    def test_networks_that_pad_take_signals_whole(self) -> None:
        model = sw.Model(network("max", tail=True, padding=1), (2, 40))
        y = targets("cross_entropy", 3)
        assert_close(
            of(model, signals(0), y, "cross_entropy"), one_by_one(model, signals(0), y, "cross_entropy")
        )

    def test_backends_agree(self) -> None:
        native, reference = (
            sw.Model(network("logsumexp", tail=True), (2, 40), backend=backend)
            for backend in ("native", "reference")
        )
        x, y = signals(0, (40, 57)), targets("cross_entropy", 3, 2)
        assert_close(of(native, x, y, "cross_entropy"), of(reference, x, y, "cross_entropy"))

    def test_probabilities(self) -> None:
        layers = (sw.Conv1d(4, 3), sw.Aggregate("mean"), sw.Linear(3), sw.Sigmoid())
        model = sw.Model(sw.Sequential(*layers), (2, 40))
        y = targets("binary_cross_entropy", 3)
        found = of(model, signals(0), y, "binary_cross_entropy")
        assert_close(found, one_by_one(model, signals(0), y, "binary_cross_entropy"))

    def test_integers(self) -> None:
        model = sw.Model(network("max", tail=True), (2, 40))
        random = np.random.default_rng(0)
        x = [random.integers(0, 256, (2, n)).astype(np.uint8) for n in LENGTHS]
        y = targets("cross_entropy", 3)
        as_float = [(each / np.float32(255.0)).astype(np.float32) for each in x]
        assert_close(of(model, x, y, "cross_entropy"), of(model, as_float, y, "cross_entropy"))


def dropping(mode: str, *, padding: int = 0) -> sw.Sequential:
    """Dropout at the front, twice in a row, before a stride, and behind the aggregate."""
    body = [sw.Dropout(0.2), sw.Conv1d(6, 3, padding=padding), sw.Tanh(), sw.Dropout(0.3), sw.Dropout(0.1)]
    body += [sw.MaxPool1d(2), sw.Conv1d(5, 3), sw.Dropout(0.5)]
    return sw.Sequential(
        *body, sw.Aggregate(mode), sw.Dropout(0.25), sw.Linear(4), sw.Tanh(), sw.Dropout(0.5), sw.Linear(3)
    )


def masked_one_by_one(
    model: sw.Model, x: list[NDArray[Any]], y: NDArray[Any], loss: str, keys: NDArray[np.uint32]
) -> SignalGradients:
    """By the reference, each signal as the only sample of a network that is made for its size."""
    losses, total = [], {name: np.zeros(value.shape) for name, value in model.parameters.items()}
    for number, (signal, target) in enumerate(zip(x, y, strict=True)):
        masks = reference.dropout_masks(model.network, signal.shape, keys[[number]])
        given: dict[str, NDArray[Any]] = {**model.parameters, **masks}
        wide = signal[None].astype(float) / (255.0 if signal.dtype == np.uint8 else 1.0)
        value, gradients = reference.loss_and_gradients(
            model.network, wide, np.asarray(target)[None], given, loss
        )
        losses.append(value)
        for name, gradient in gradients.items():
            total[name] += gradient / len(x)
    return SignalGradients(np.array(losses), None, total)


class TestDropout:
    keys = reference.sample_keys(3, 1, np.array([5, 0, 17, 2]))

    def found(self, model: sw.Model, x: list[NDArray[Any]], y: NDArray[Any], loss: str) -> SignalGradients:
        gradients = PresenceGradients(model.network, model.input_shape, model.backend)
        gradients.take(model.parameters)
        return gradients(x, y, loss, self.keys[: len(x)])

    @pytest.mark.parametrize("mode", MODES)
    def test_drops_what_a_network_of_the_signals_size_drops(self, mode: str) -> None:
        model, y = sw.Model(dropping(mode), (2, 40), seed=2), targets("cross_entropy", 3)
        expected = masked_one_by_one(model, signals(0), y, "cross_entropy", self.keys)
        assert_close(self.found(model, signals(0), y, "cross_entropy"), expected)

    @pytest.mark.parametrize("positions", [1, 4])
    def test_whatever_the_tiles(self, positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
        model, y = sw.Model(dropping("logsumexp"), (2, 40), seed=2), targets("binary_cross_entropy", 3)
        expected = masked_one_by_one(model, signals(0), y, "binary_cross_entropy", self.keys)
        monkeypatch.setattr(tiles, "TILE_POSITIONS", {1: positions, 2: positions})
        assert_close(self.found(model, signals(0), y, "binary_cross_entropy"), expected)

    def test_in_images_and_where_signals_go_whole(self) -> None:
        layers = (sw.Conv2d(4, 3), sw.Dropout(0.3), sw.MaxPool2d(2), sw.Dropout(0.3))
        image = sw.Model(sw.Sequential(*layers, sw.Aggregate("mean"), sw.Linear(2)), (1, 12, 12))
        random = np.random.default_rng(0)
        x = [random.integers(0, 256, (1, *extent)).astype(np.uint8) for extent in ((12, 12), (13, 31))]
        y = targets("cross_entropy", 2, 2)
        expected = masked_one_by_one(image, x, y, "cross_entropy", self.keys)
        assert_close(self.found(image, x, y, "cross_entropy"), expected)
        padded, pair = sw.Model(dropping("max", padding=1), (2, 40)), signals(0, (40, 57))
        y = targets("cross_entropy", 3, 2)
        expected = masked_one_by_one(padded, pair, y, "cross_entropy", self.keys)
        assert_close(self.found(padded, pair, y, "cross_entropy"), expected)

    def test_backends_agree(self) -> None:
        y = targets("cross_entropy", 3, 2)
        native, oracle = (
            sw.Model(dropping("softmax"), (2, 40), backend=each) for each in ("native", "reference")
        )
        x = signals(0, (40, 57))
        assert_close(self.found(native, x, y, "cross_entropy"), self.found(oracle, x, y, "cross_entropy"))

    def test_training(self) -> None:
        """Another mask in every epoch and for every seed, the same for every number of threads; none in predictions."""
        layers = (
            sw.Conv1d(4, 5),
            sw.Tanh(),
            sw.Dropout(0.5),
            sw.Aggregate("max"),
            sw.Dropout(0.5),
            sw.Linear(2),
        )
        x, y = signals(0, (40, 70, 55), 1), [0, 1, 0]
        before, found = sw.get_threads(), []
        for threads, seed in ((1, 0), (3, 0), (1, 1)):
            sw.set_threads(threads)
            model = sw.Model(sw.Sequential(*layers), (1, 40))
            history = sw.fit(
                model,
                x,
                y,
                epochs=3,
                batch_size=3,
                seed=seed,
                optimizer=sw.SGD(1e-30),
                validation_data=(x, y),
            )
            found.append(history["loss"])
            assert len(set(history["validation_loss"])) == 1
        sw.set_threads(before)
        assert found[0] == found[1] != found[2]
        assert len(set(found[0])) == 3


class TestFit:
    def pulses(self, count: int, seed: int) -> tuple[list[NDArray[Any]], NDArray[np.float32]]:
        """Noise of unequal length; in every other signal there is a pulse somewhere."""
        random = np.random.default_rng(seed)
        x = [0.3 * random.normal(size=(1, int(n))) for n in random.integers(60, 200, count)]
        y = np.arange(count)[:, None] % 2
        for signal in x[1::2]:
            start = int(random.integers(0, signal.shape[1] - 6))
            signal[0, start : start + 6] += 2 * np.hanning(8)[1:-1]
        return x, y.astype(np.float32)

    def model(self) -> sw.Model:
        layers = (sw.Conv1d(8, 7), sw.Tanh(), sw.Conv1d(4, 3), sw.Tanh(), sw.Aggregate("max"), sw.Linear(1))
        return sw.Model(sw.Sequential(*layers), (1, 60), labels=["pulse"])

    def trained(self, **options: Any) -> tuple[sw.Model, sw.History]:
        model = self.model()
        x, y = self.pulses(40, 0)
        optimizer = sw.AdamW(0.01)
        history = sw.fit(
            model, x, y, epochs=25, batch_size=8, optimizer=optimizer, loss="binary_cross_entropy", **options
        )
        return model, history

    def test_learns_what_occurs_and_where(self) -> None:
        model, history = self.trained(validation_data=self.pulses(20, 1))
        assert history[-1]["loss"] < 0.2 < history[0]["loss"]
        assert history[-1]["validation_loss"] < 0.4
        x, y = self.pulses(40, 2)
        presence = model.presence(x)
        assert np.mean((presence.scores > 0) == (y > 0.5)) > 0.9

    def test_same_bits_whatever_the_threads(self) -> None:
        before, found = sw.get_threads(), []
        try:
            for threads in (1, 2, 5):
                sw.set_threads(threads)
                model, _ = self.trained()
                found.append({name: value.tobytes() for name, value in model.parameters.items()})
        finally:
            sw.set_threads(before)
        assert found[0] == found[1] == found[2]

    def test_a_share_is_held_out(self) -> None:
        _, history = self.trained(validation_data=0.25)
        assert history[-1]["validation_loss"] < history[0]["validation_loss"]

    def test_labels(self) -> None:
        layers = (sw.Conv1d(8, 7), sw.Tanh(), sw.Aggregate("logsumexp"), sw.Linear(2))
        model = sw.Model(sw.Sequential(*layers), (1, 60))
        x, y = self.pulses(20, 0)
        history = sw.fit(model, x, y[:, 0].astype(int), epochs=3, batch_size=8, optimizer=sw.AdamW(0.01))
        assert 0 <= history[-1]["accuracy"] <= 1


class Files(Sequence[NDArray[Any]]):
    """Signals that are made when they are asked for, as those are that lie in files."""

    def __init__(self, made: Sequence[Any]) -> None:
        self.made = made
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, index: Any) -> Any:
        self.asked.append(int(index))
        return self.made[index]


class TestSequences:
    layers = (sw.Conv1d(4, 5), sw.Tanh(), sw.Aggregate("max"), sw.Linear(2))

    def test_train_as_lists_do(self) -> None:
        x, y = signals(0, (40, 70, 90, 40, 55, 61), 1), np.arange(6) % 2
        found, files = [], Files(x)
        for each in (x, files):
            model = sw.Model(sw.Sequential(*self.layers), (1, 40))
            history = sw.fit(model, each, y, epochs=2, batch_size=2, validation_data=0.34)
            found.append(({n: v.tobytes() for n, v in model.parameters.items()}, history["validation_loss"]))
        assert found[0] == found[1]
        assert max(files.asked) == 5

    def test_of_one_size(self) -> None:
        model = sw.Model(sw.Sequential(*self.layers), (1, 40))
        history = sw.fit(model, Files(signals(0, (40, 40), 1)), [0, 1], epochs=1)
        assert history[0]["loss"] > 0

    def test_find_a_learning_rate(self) -> None:
        model = sw.Model(sw.Sequential(*self.layers), (1, 40))
        x = Files(signals(0, (40, 70, 90, 44), 1))
        found = sw.find_learning_rate(model, x, [0, 1, 0, 1], batch_size=2, steps=20, highest=1.0)
        assert 0 < found.suggestion < 1

    @pytest.mark.parametrize(
        ("made", "error", "message"),
        [
            ([], sw.DataError, "x must hold at least one signal. Got none"),
            (["a", "b"], sw.ArgumentTypeError, r"x\[0\] must be an array. Got str"),
            ([np.zeros((1, 50)), np.zeros((3, 50))], sw.ShapeError, r"x\[1\] must have shape \(C, T\)"),
            ([np.zeros((1, 50)), np.full((1, 9), np.nan)], sw.DataError, r"x\[1\] must be finite"),
        ],
    )
    def test_of_something_else(self, made: list[Any], error: type[Exception], message: str) -> None:
        model = sw.Model(sw.Sequential(*self.layers), (1, 40))
        with pytest.raises(error, match=message):
            sw.fit(model, Files(made), [0, 1][: len(made)], epochs=1)

    def test_nothing_is_to_be_learned_of_signals_that_are_certain(self) -> None:
        """Then no tile is looked at, and parameters stay as they are."""
        model = sw.Model(sw.Sequential(*self.layers), (1, 40))
        model.parameters["3.weight"] = 0.0 * model.parameters["3.weight"]
        model.parameters["3.bias"] = [200.0, -200.0]
        before = {name: value.tobytes() for name, value in model.parameters.items()}
        model.loss = "cross_entropy"
        sw.fit(model, signals(0, (40, 70), 1), [0, 0], epochs=1, optimizer=sw.SGD(0.1))
        assert {name: value.tobytes() for name, value in model.parameters.items()} == before


class TestBadInput:
    def fit(self, x: Any, y: Any, layers: tuple[sw.Layer, ...] | None = None) -> None:
        network = sw.Sequential(*(layers or (sw.Conv1d(2, 3), sw.Aggregate("max"))))
        sw.fit(sw.Model(network, (1, 10)), x, y, epochs=1)

    def test_a_network_for_one_size(self) -> None:
        with pytest.raises(sw.ArgumentError, match="network must end in Aggregate"):
            self.fit(signals(0, (12, 13), 1), [0, 1], (sw.Flatten(), sw.Linear(2)))

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (sw.BatchNorm(), r"Got layer 1 BatchNorm\(\)\.$"),
            (
                sw.Residual(sw.Conv1d(2, 1), sw.Dropout(0.5)),
                r"Got layer 1 Residual.*, which has Dropout\(\)\.$",
            ),
            (
                sw.Residual(sw.Sequential(sw.BatchNorm())),
                r"Got layer 1 Residual.*, which has BatchNorm\(\)\.$",
            ),
            (
                sw.Scan1d(sw.Sequential(sw.Linear(2), sw.Dropout(0.5)), 3),
                "Got layer 1 Scan1d.*, which has Dropout",
            ),
        ],
    )
    def test_what_depends_on_other_tiles(self, layer: sw.Layer, message: str) -> None:
        layers = (sw.Conv1d(2, 3), layer, sw.Aggregate("max"), sw.Linear(2))
        with pytest.raises(sw.ArgumentError, match="must have no BatchNorm, and Dropout neither.*" + message):
            self.fit(signals(0, (12, 13), 1), [0, 1], layers)

    def test_too_short(self) -> None:
        with pytest.raises(sw.ShapeError, match=r"x\[1\] must be at least as large"):
            self.fit([np.zeros((1, 12)), np.zeros((1, 2))], [0, 1])

    @pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
    def test_not_finite(self, value: float) -> None:
        x: list[NDArray[Any]] = [np.zeros((1, 12)), np.zeros((1, 13))]
        x[1][0, 7] = value
        with pytest.raises(sw.DataError, match=r"x\[1\] must be finite.*index \(0, 7\)"):
            self.fit(x, [0, 1])

    def test_other_channels(self) -> None:
        with pytest.raises(sw.ShapeError, match=r"x\[1\] must have shape"):
            self.fit([np.zeros((1, 12)), np.zeros((2, 13))], [0, 1])

    def test_other_targets(self) -> None:
        with pytest.raises(sw.ShapeError, match="one entry for each of the 2 samples"):
            self.fit(signals(0, (12, 13), 1), [0, 1, 1])

    def test_text(self) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"x\[0\] must be an array of real numbers"):
            self.fit([np.array([["a"]]), np.zeros((1, 13))], [0, 1])

    def test_values_that_overflow_end_the_training(self) -> None:
        layers = (sw.Conv1d(2, 3), sw.Aggregate("mean"))
        x = [np.full((1, 12), 3e38, np.float32), np.zeros((1, 13), np.float32)]
        with pytest.raises(sw.DivergedError):
            self.fit(x, [0, 1], layers)
