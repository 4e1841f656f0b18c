"""`fit`: it learns, it is reproducible, it stops when it should, and it refuses what it cannot use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.training import samples as samples_module
from tests.backends import BACKENDS

pytestmark = pytest.mark.parametrize("backend", BACKENDS)

NETWORK = sw.Sequential(sw.Linear(8), sw.Tanh(), sw.Linear(3))


def make(
    backend: str, network: sw.Sequential = NETWORK, shape: tuple[int, ...] = (4,), **options: Any
) -> sw.Model:
    return sw.Model(network, shape, backend=backend, **options)


def three_blobs(n: int = 60, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points around three corners: easy to tell apart."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = np.array([[2, 0, 0, 1], [0, 2, 0, -1], [0, 0, 2, 0]])
    return (centres[y] + 0.3 * random.standard_normal((n, 4))).astype(np.float32), y


@dataclass
class DataSet:
    x: Any
    y: Any
    labels: tuple[str, ...] | None = ("a", "b", "c")
    sample_rate: float | None = None
    image_mode: str | None = None


class TestLearning:
    @pytest.mark.parametrize("optimizer", [sw.SGD(0.1, momentum=0.9), sw.AdamW(sw.OneCycle(0.05))], ids=repr)
    def test_labels(self, backend: str, optimizer: sw.SGD) -> None:
        x, y = three_blobs()
        model = make(backend)
        history = sw.fit(
            model, x, y, epochs=15, batch_size=8, optimizer=optimizer, validation_data=three_blobs(seed=1)
        )
        assert len(history) == 15
        assert history[-1]["loss"] < 0.2 < history[0]["loss"]
        assert history[-1]["validation_accuracy"] == 1.0
        assert (model(x).argmax(axis=1) == y).all()
        assert model.loss == "cross_entropy"

    def test_several_labels_at_once(self, backend: str) -> None:
        x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
        y = (x[:, :3] > 0).astype(int)
        model = make(backend)
        history = sw.fit(
            model, x, y, epochs=30, batch_size=8, optimizer=sw.AdamW(0.03), loss="binary_cross_entropy",
            validation_data=(x, y),
        )  # fmt: skip
        assert ((model(x) > 0) == y).mean() > 0.97
        assert set(history[-1]) == {"loss", "validation_loss", "learning_rate", "seconds"}

    def test_values(self, backend: str) -> None:
        x = np.random.default_rng(0).standard_normal((64, 4))
        model = make(backend, sw.Sequential(sw.Linear(1)))
        sw.fit(model, x, x @ [1, 2, 3, 4] + 5, epochs=40, batch_size=8, optimizer=sw.SGD(0.05), loss="mse")
        np.testing.assert_allclose(model.parameters["0.weight"], [[1, 2, 3, 4]], atol=1e-3)
        np.testing.assert_allclose(model.parameters["0.bias"], [5], atol=1e-3)

    @pytest.mark.parametrize("last", [sw.Softmax(), sw.Sequential(sw.Softmax())])
    def test_a_softmax_at_the_end_is_not_doubled(self, backend: str, last: sw.Sequential) -> None:
        x, y = three_blobs()
        plain, ended = make(backend), make(backend, sw.Sequential(*NETWORK.layers, last))
        first = sw.fit(plain, x, y, epochs=2, batch_size=8, validation_data=(x, y))
        second = sw.fit(ended, x, y, epochs=2, batch_size=8, validation_data=(x, y))
        assert first["loss"] == pytest.approx(second["loss"], rel=1e-5)
        assert first["validation_loss"] == pytest.approx(second["validation_loss"], rel=1e-4)

    def test_history_is_what_happened(self, backend: str) -> None:
        # One step that sees all samples: its loss is that of the untrained model.
        x, y = three_blobs(10)
        model = make(backend)
        before, gradients = model.loss_and_gradients(x, y)
        hits = (model(x).argmax(axis=1) == y).mean()
        bias = model.parameters["2.bias"] - np.float32(0.1) * gradients["2.bias"]
        history = sw.fit(model, x, y, epochs=1, batch_size=100, optimizer=sw.SGD(0.1), validation_data=(x, y))
        assert history[0]["loss"] == pytest.approx(before, rel=1e-5)
        assert history[0]["accuracy"] == pytest.approx(hits)
        assert history[0]["learning_rate"] == pytest.approx(0.1)
        assert history[0]["validation_loss"] == pytest.approx(model.loss_and_gradients(x, y)[0], rel=1e-5)
        np.testing.assert_allclose(model.parameters["2.bias"], bias, rtol=1e-5, atol=1e-7)
        assert "loss" in str(history)

    def test_loss_is_a_mean_over_samples_also_with_a_smaller_last_step(self, backend: str) -> None:
        x, y = three_blobs(10)
        model = make(backend)
        before = model.loss_and_gradients(x, y)[0]
        history = sw.fit(model, x, y, epochs=1, batch_size=8, optimizer=sw.SGD(1e-9))
        assert history[0]["loss"] == pytest.approx(before, rel=1e-5)


class TestReproducibility:
    def test_seed_decides(self, backend: str) -> None:
        network = sw.Sequential(sw.Linear(8), sw.Dropout(0.3), sw.ReLU(), sw.Linear(3))
        x, y = three_blobs()

        def train(seed: int) -> sw.Model:
            model = make(backend, network)
            sw.fit(model, x, y, epochs=2, batch_size=8, seed=seed)
            return model

        first, second, other = train(0), train(0), train(1)
        for name, value in first.parameters.items():
            np.testing.assert_array_equal(value, second.parameters[name])
        assert not np.array_equal(first.parameters["0.weight"], other.parameters["0.weight"])

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, np.int32, bool])
    def test_dtypes(self, backend: str, dtype: type) -> None:
        x: NDArray[Any] = np.random.default_rng(0).integers(0, 2, (30, 4)).astype(dtype)
        y = x[:, 0].astype(int)
        same = x.astype(np.float32) * (np.float32(1 / 255) if dtype is np.uint8 else np.float32(1))
        first, second = make(backend), make(backend)
        sw.fit(first, x, y, epochs=2, batch_size=8)
        sw.fit(second, same, y, epochs=2, batch_size=8)
        for name, value in first.parameters.items():
            np.testing.assert_allclose(value, second.parameters[name], rtol=1e-5, atol=1e-6)

    def test_memory_map(self, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(samples_module, "_PIECE_BYTES", 64)
        x, y = three_blobs()
        np.save(tmp_path / "x.npy", x)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        first, second = make(backend), make(backend)
        one = sw.fit(first, mapped, y, epochs=2, batch_size=8, validation_data=0.25)
        two = sw.fit(second, x, y, epochs=2, batch_size=8, validation_data=0.25)
        assert [row | {"seconds": 0} for row in one] == [row | {"seconds": 0} for row in two]

    def test_fraction_is_held_out(self, backend: str) -> None:
        x, y = three_blobs(20)
        model = make(backend)
        train, validation = samples_module.training_samples(model, x, y, "cross_entropy", 0.25, 3)
        assert validation is not None
        assert len(validation.rows) == 5
        assert sorted([*train.rows, *validation.rows]) == list(range(20))
        again = samples_module.training_samples(model, x, y, "cross_entropy", 0.25, 3)[1]
        other = samples_module.training_samples(model, x, y, "cross_entropy", 0.25, 4)[1]
        assert again is not None
        assert other is not None
        assert validation.rows.tolist() == again.rows.tolist() != other.rows.tolist()
        assert sorted(train.shuffled(0, 0)) == sorted(train.rows)
        assert train.shuffled(0, 0).tolist() != train.shuffled(0, 1).tolist()

    def test_goes_on_from_the_models_parameters(self, backend: str) -> None:
        x, y = three_blobs()
        model = make(backend)
        first = sw.fit(model, x, y, epochs=5, batch_size=8)
        second = sw.fit(model, x, y, epochs=1, batch_size=8)
        assert second[0]["loss"] < first[0]["loss"] / 2


class TestCallbacks:
    def test_functions_and_objects_see_every_epoch(self, backend: str) -> None:
        x, y = three_blobs(12)
        calls: list[object] = []

        class Recorder(sw.Callback):
            def begin(self, model: sw.Model, history: sw.History) -> None:
                calls.append("begin")

            def epoch(self, model: sw.Model, history: sw.History) -> bool | None:
                calls.append(len(history))
                return None

            def end(self, model: sw.Model, history: sw.History) -> None:
                calls.append("end")

        history = sw.fit(
            make(backend), x, y, epochs=5, callbacks=[Recorder(), lambda _, history: len(history) == 3]
        )
        assert calls == ["begin", 1, 2, 3, "end"]
        assert history.stopped == "a callback asked for it"

    def test_may_change_parameters(self, backend: str) -> None:
        x, y = three_blobs(12)
        model = make(backend)

        def reset(model: sw.Model, history: sw.History) -> None:
            model.parameters["2.bias"] = np.full(3, 100.0)

        sw.fit(model, x, y, epochs=2, optimizer=sw.SGD(1e-6), callbacks=[reset])
        np.testing.assert_array_equal(model.parameters["2.bias"], [100, 100, 100])
        sw.fit(model, x, y, epochs=2, optimizer=sw.SGD(1e-6), callbacks=[lambda *_: None])
        np.testing.assert_allclose(model.parameters["2.bias"], [100, 100, 100], atol=1e-3)

    def test_early_stopping_restores_the_best(self, backend: str) -> None:
        # Validation labels that contradict the training's: every epoch makes validation worse.
        x, y = three_blobs()
        model = make(backend)
        seen: list[NDArray[np.float32]] = []
        stop = sw.EarlyStopping(patience=2)
        history = sw.fit(
            model, x, y, epochs=20, batch_size=8, validation_data=(x, (y + 1) % 3),
            callbacks=[lambda model, _: seen.append(model.parameters["2.weight"]), stop],
        )  # fmt: skip
        assert history.best_epoch is not None
        assert len(history) == history.best_epoch + 3
        assert history.best_epoch == int(np.argmin(history["validation_loss"]))
        np.testing.assert_array_equal(model.parameters["2.weight"], seen[history.best_epoch])
        assert "has not become better for 2 epochs" in str(history)

    def test_early_stopping_on_accuracy_prefers_larger(self, backend: str) -> None:
        x, y = three_blobs()
        stop = sw.EarlyStopping(patience=30, monitor="validation_accuracy")
        history = sw.fit(
            make(backend), x, y, epochs=10, batch_size=8, validation_data=(x, y), callbacks=[stop]
        )
        assert history.best_epoch == int(np.argmax(history["validation_accuracy"]))

    def test_early_stopping_needs_its_value(self, backend: str) -> None:
        x, y = three_blobs(12)
        with pytest.raises(
            sw.ArgumentError, match=r"monitor must be one of loss, accuracy.*Got 'validation_loss'"
        ):
            sw.fit(make(backend), x, y, epochs=5, callbacks=[sw.EarlyStopping()])

    @pytest.mark.parametrize("options", [{"patience": 0}, {"minimum_change": -1.0}])
    def test_early_stopping_arguments(self, backend: str, options: dict[str, Any]) -> None:
        with pytest.raises(sw.ArgumentError, match=next(iter(options))):
            sw.EarlyStopping(**options)

    def test_ctrl_c_gives_the_history_so_far_and_a_usable_model(self, backend: str) -> None:
        x, y = three_blobs()
        model = make(backend)

        def interrupt(model: sw.Model, history: sw.History) -> None:
            if len(history) == 3:
                raise KeyboardInterrupt

        history = sw.fit(model, x, y, epochs=50, batch_size=8, callbacks=[interrupt])
        assert history.interrupted
        assert len(history) == 3
        assert "interrupted" in str(history)
        assert (model(x).argmax(axis=1) == y).mean() > 0.5


class TestDataSets:
    def test_names_go_to_the_model(self, backend: str) -> None:
        x, y = three_blobs()
        model = make(backend)
        data = DataSet(x, y, sample_rate=8000)
        sw.fit(model, data, epochs=1, validation_data=data)
        assert model.labels == ("a", "b", "c")
        assert model.sample_rate == 8000

    def test_the_models_own_names_stay(self, backend: str) -> None:
        x, y = three_blobs()
        model = make(backend, labels=("x", "y", "z"))
        sw.fit(model, DataSet(x, y), epochs=1)
        assert model.labels == ("x", "y", "z")

    def test_refused(self, backend: str) -> None:
        x, y = three_blobs()
        with pytest.raises(sw.ShapeError, match="one score for each of the data set's 2 labels"):
            sw.fit(make(backend), DataSet(x, y, labels=("a", "b")), epochs=1)
        with pytest.raises(sw.ArgumentError, match="y must be None if x is a data set"):
            sw.fit(make(backend), DataSet(x, y), y, epochs=1)
        with pytest.raises(sw.ArgumentError, match="y must be given"):
            sw.fit(make(backend), x, epochs=1)


X, Y = three_blobs(6)
NAN = X.copy()
NAN[4, 2] = np.nan


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "error", "text"),
        [
            ({"epochs": 0}, sw.ArgumentError, "epochs must be at least 1. Got 0"),
            ({"epochs": 1.5}, sw.ArgumentTypeError, "epochs must be a whole number. Got 1.5"),
            ({"batch_size": 0}, sw.ArgumentError, "batch_size must be at least 1. Got 0"),
            ({"seed": -1}, sw.ArgumentError, "seed must be from 0"),
            ({"loss": "l1"}, sw.ArgumentError, "loss must be one of .* Got 'l1'"),
            ({"optimizer": "adam"}, sw.ArgumentTypeError, "optimizer must be SGD"),
            ({"callbacks": [3]}, sw.ArgumentTypeError, "callbacks must be Callbacks or functions. Got 3"),
            (
                {"augment": abs},
                sw.ArgumentTypeError,
                "augment must be an Augment.* Got <built-in function abs>",
            ),
            ({"checkpoint": 3}, sw.ArgumentTypeError, "checkpoint must be a path or a Checkpoint. Got 3"),
            ({"y": Y[:5]}, sw.ShapeError, "y must have one entry for each of the 6 samples of x. Got 5"),
            ({"y": Y + 1}, sw.ArgumentError, "y must be label numbers from 0 to 2. Got 3 at index 2"),
            ({"y": np.zeros(6, int)}, sw.DataError, "y must hold at least two different labels.* Got only 0"),
            ({"y": ["a"] * 6}, sw.ArgumentTypeError, "y must be an array of real numbers"),
            ({"x": NAN}, sw.DataError, r"x must be finite.*nan at index \(4, 2\)"),
            ({"x": X * np.float64(1e300)}, sw.DataError, "x must be finite"),
            ({"x": X[:, :3]}, sw.ShapeError, r"x must have shape \(N, 4\). Got \(6, 3\)"),
            ({"x": X[:0], "y": Y[:0]}, sw.DataError, "x must hold at least one sample"),
            ({"x": np.array(["a", "b"])}, sw.ArgumentTypeError, "x must be an array of real numbers"),
            ({"validation_data": 0.0}, sw.ArgumentError, "between 0 and 1 if it is a fraction. Got 0.0"),
            ({"validation_data": 1.0}, sw.ArgumentError, "between 0 and 1 if it is a fraction. Got 1.0"),
            (
                {"validation_data": 0.99},
                sw.DataError,
                "enough samples to keep 0.99 of them for validation. Got 6",
            ),
            (
                {"validation_data": X},
                sw.ArgumentTypeError,
                r"must be a pair \(x, y\), a data set, or a fraction",
            ),
            ({"validation_data": (X, Y[:2])}, sw.ShapeError, "validation_data's y must have one entry"),
            ({"validation_data": (NAN, Y)}, sw.DataError, "validation_data's x must be finite"),
        ],
    )
    def test_is_named(self, backend: str, changes: dict[str, Any], error: type[Exception], text: str) -> None:
        model = make(backend)
        before = dict(model.parameters)
        arguments: dict[str, Any] = {"x": X, "y": Y, "epochs": 1, **changes}
        with pytest.raises(error, match=text):
            sw.fit(model, **arguments)
        assert all(value is model.parameters[name] for name, value in before.items())

    def test_nan_far_into_the_data(self, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(samples_module, "_PIECE_BYTES", 32)  # two samples
        with pytest.raises(sw.DataError, match=r"nan at index \(4, 2\)"):
            sw.fit(make(backend), NAN, Y, epochs=1)

    def test_a_memory_map_that_would_have_to_be_copied(self, backend: str, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", X.astype(np.int32))
        with pytest.raises(sw.ArgumentTypeError, match=r"uint8, int16, float32, float64.*Got int32"):
            sw.fit(make(backend), np.load(tmp_path / "x.npy", mmap_mode="r"), Y, epochs=1)
        np.save(tmp_path / "t.npy", np.ascontiguousarray(X.T))
        with pytest.raises(sw.ArgumentTypeError, match="Got float32, not contiguous"):
            sw.fit(make(backend), np.load(tmp_path / "t.npy", mmap_mode="r").T, Y, epochs=1)

    def test_model_must_be_one(self, backend: str) -> None:
        with pytest.raises(sw.ArgumentTypeError, match=r"model must be a Model. Got Sequential"):
            sw.fit(NETWORK, X, Y, epochs=1)  # type: ignore[arg-type]

    def test_divergence_is_named_and_the_model_stays_usable(self, backend: str) -> None:
        x, y = three_blobs()
        network = sw.Sequential(sw.Linear(8), sw.ReLU(), sw.Linear(8), sw.ReLU(), sw.Linear(3))
        model = make(backend, network)
        with pytest.raises(sw.DivergedError, match=r"learning rate 1e.30; a smaller one usually helps"):
            sw.fit(model, x, y, epochs=10, batch_size=8, optimizer=sw.SGD(1e30))
        assert np.isfinite(model(x)).all()
