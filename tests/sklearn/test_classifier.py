"""`ScanClassifier` on signals, images, series and labels that hold at once, and within scikit-learn's own tools."""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scanwise as sw
from scanwise.augment import Augment, MixBackground
from scanwise.sklearn import ScanClassifier

NETWORK = sw.Sequential(sw.Conv1d(8, 5), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2))
LABELS = sw.Sequential(sw.Conv1d(8, 5), sw.ReLU(), sw.Aggregate("max"), sw.Linear(3))
CLASSES = np.array(["bump", "noise"])


def signals(n: int = 60, time: int = 32, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Noise `(n, 1, time)`, in every second sample with a bump somewhere."""
    random = np.random.default_rng(seed)
    x = random.normal(0.0, 0.3, (n, 1, time))
    for i in range(0, n, 2):
        start = random.integers(time - 5)
        x[i, 0, start : start + 5] += 2.0
    return x, CLASSES[np.arange(n) % 2]


def several_labels(n: int = 90) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Signals of three channels, and in which of them there is a bump."""
    random = np.random.default_rng(1)
    x = random.normal(0.0, 0.2, (n, 3, 24))
    y = random.integers(0, 2, (n, 3))
    for i, k in np.argwhere(y):
        start = random.integers(19)
        x[i, k, start : start + 5] += 2.0
    return x, y


def classifier(**changes: Any) -> ScanClassifier:
    usual = {
        "network": NETWORK,
        "random_state": 0,
        "epochs": 15,
        "batch_size": 8,
        "optimizer": sw.AdamW(0.01),
    }
    return ScanClassifier(**{**usual, **changes})


@pytest.fixture(scope="module")
def trained() -> ScanClassifier:
    return classifier().fit(*signals())


def test_signals(trained: ScanClassifier) -> None:
    x, y = signals(seed=5)
    assert trained.score(x, y) > 0.9
    assert trained.classes_.tolist() == ["bump", "noise"]
    assert trained.n_features_in_ == 1
    assert trained.model_.labels == ("bump", "noise")
    assert len(trained.history_) == 15
    decision, probability = trained.decision_function(x), trained.predict_proba(x)
    assert decision.shape == (60,)
    assert probability.shape == (60, 2)
    np.testing.assert_array_equal(trained.predict(x), trained.classes_[(decision > 0).astype(int)])
    np.testing.assert_allclose(probability[:, 1], 1.0 / (1.0 + np.exp(-decision)))


def test_the_model_is_that_of_fit() -> None:
    x, y = signals()
    found = classifier(epochs=3, batch_size=16, optimizer=sw.SGD(0.1)).fit(x, y)
    seed = int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    model = sw.Model(NETWORK, (1, 32), seed=seed)
    sw.fit(model, x, np.arange(60) % 2, epochs=3, batch_size=16, optimizer=sw.SGD(0.1), seed=seed)
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(found.model_.parameters[name], value)


@pytest.mark.parametrize(
    ("shape", "network", "input_shape"),
    [
        ((8,), None, (8,)),
        ((40,), "tdnn", (1, 40)),
        ((2, 40), None, (2, 40)),
        ((1, 12, 12), None, (1, 12, 12)),
        ((1, 12, 12), "mlp", (1, 12, 12)),
    ],
)
def test_networks_by_name_and_by_shape(
    shape: tuple[int, ...], network: str | None, input_shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).normal(size=(12, *shape))
    y = np.repeat([3, 5, 9], 4)
    found = classifier(network=network, epochs=1).fit(x, y)
    assert found.model_.input_shape == input_shape
    assert found.predict_proba(x).shape == (12, 3)
    assert set(found.predict(x)) <= {3, 5, 9}


def test_rows_with_a_sample_rate_are_sound() -> None:
    x = np.random.default_rng(0).normal(size=(8, 4000))
    found = classifier(network="ds-cnn", epochs=1, sample_rate=8000).fit(x, [0, 1] * 4)
    assert isinstance(found.model_.network.layers[0], sw.LogMel)
    assert (found.model_.input_shape, found.model_.sample_rate) == ((1, 4000), 8000)
    assert found.predict(x).shape == (8,)


class TestSeveralLabels:
    def test_each_holds_or_not(self) -> None:
        x, y = several_labels()
        found = classifier(network=LABELS, epochs=60).fit(x[:60], y[:60])
        assert found.multilabel_
        assert found.model_.loss == "binary_cross_entropy"
        probability, decision = found.predict_proba(x[60:]), found.decision_function(x[60:])
        predicted = found.predict(x[60:])
        assert (predicted == y[60:]).mean() > 0.9
        assert (predicted.sum(axis=1) != 1).any()  # none, or several
        np.testing.assert_array_equal(predicted, probability > 0.5)
        np.testing.assert_array_equal(predicted, decision > 0.0)

    def test_a_network_that_ends_in_sigmoid(self) -> None:
        x, y = several_labels(20)
        network = sw.Sequential(*LABELS.layers, sw.Sigmoid())
        found = classifier(network=network, epochs=2).fit(x, y)
        np.testing.assert_array_equal(found.predict_proba(x), found.model_(x))
        np.testing.assert_array_equal(found.predict(x), found.model_(x) > 0.5)

    def test_one_sigmoid_per_class(self) -> None:
        x, y = signals()
        found = classifier(loss="binary_cross_entropy").fit(x, y)
        scores = 1.0 / (1.0 + np.exp(-found.model_(x).astype(float)))
        probability = found.predict_proba(x)
        np.testing.assert_allclose(probability, scores / scores.sum(axis=1, keepdims=True))
        assert found.score(x, y) > 0.9

    def test_partial_fit_needs_no_classes(self) -> None:
        x, y = several_labels(20)
        found = classifier(network=LABELS).partial_fit(x[:10], y[:10]).partial_fit(x[10:], y[10:])
        assert found.predict(x).shape == (20, 3)


class TestSeries:
    def test_of_one_length_are_an_array(self) -> None:
        x, y = signals(20)
        found = classifier(epochs=2).fit(list(x), y)
        np.testing.assert_array_equal(found.predict_proba(list(x)), found.predict_proba(x))

    def test_of_unequal_lengths_are_predicted(self, trained: ScanClassifier) -> None:
        x, y = signals(seed=7)
        cut = [series[:, : 32 - i % 3] for i, series in enumerate(x)]
        scores = np.concatenate([trained.model_.presence([each]).scores for each in cut])
        expected = scores.astype(np.float64)
        np.testing.assert_array_equal(trained.decision_function(cut), expected[:, 1] - expected[:, 0])
        assert trained.score(cut, y) > 0.85
        objects = np.empty(len(cut), object)
        objects[:] = cut
        np.testing.assert_array_equal(trained.predict(objects), trained.predict(cut))
        flat = [each[0] for each in cut]
        np.testing.assert_array_equal(trained.predict(flat), trained.predict(cut))

    def test_another_length_than_that_of_fit(self, trained: ScanClassifier) -> None:
        x, y = signals(time=50, seed=9)
        assert trained.score(x, y) > 0.85

    def unequal(self, n: int = 40, seed: int = 0) -> tuple[list[NDArray[np.float64]], NDArray[Any]]:
        """Series of 24 to 87 elements."""
        x, y = signals(n, time=24, seed=seed)
        noise = np.random.default_rng(seed).normal(0.0, 0.3, (n, 1, 63))
        return [
            np.concatenate([a, b[:, : i % 64]], 1) for i, (a, b) in enumerate(zip(x, noise, strict=True))
        ], y

    def test_of_unequal_lengths_are_trained_on(self) -> None:
        x, y = self.unequal()
        found = classifier(epochs=20).fit(x, y)
        assert found.model_.input_shape == (1, 64)  # most fit into it
        assert found.score(*self.unequal(seed=1)) > 0.9
        np.testing.assert_allclose(found.predict_proba(x).sum(axis=1), 1.0)
        objects = np.empty(len(x), object)
        objects[:] = [each[0] for each in x]
        same = classifier(epochs=20).fit(objects, y)
        np.testing.assert_array_equal(same.predict_proba(objects), found.predict_proba(x))

    def test_of_unequal_lengths_and_labels_that_hold_at_once(self) -> None:
        x, y = several_labels(30)
        cut = [each[:, : 24 - i % 3] for i, each in enumerate(x)]
        found = classifier(network=LABELS, epochs=2).fit(cut, y)
        assert found.predict_proba(cut).shape == (30, 3)

    def test_of_unequal_lengths_held_out(self) -> None:
        x, y = self.unequal()
        found = classifier(epochs=3, early_stopping=True, validation_fraction=0.25).fit(x, y)
        assert "validation_loss" in found.history_[-1]

    def test_training_goes_on_with_any_length(self) -> None:
        x, y = self.unequal()
        found = classifier().partial_fit(x[:10], y[:10], classes=CLASSES).partial_fit(x[10:], y[10:])
        found.partial_fit(np.stack([each[:, :24] for each in x]), y)
        assert len(found.history_) == 3

    def test_of_unequal_lengths_are_not_trained_on_by_a_network_of_one(self) -> None:
        with pytest.raises(
            sw.DataError, match=r"signals of one extent.* Got extents from \(20,\) to \(30,\)"
        ):
            classifier(network="mlp").fit([np.zeros((1, 20)), np.zeros((1, 30))], [0, 1])

    def test_too_short_to_be_trained_on(self) -> None:
        with pytest.raises(sw.ShapeError, match=r"x\[0\] must be at least as large.*\(5,\). Got \(4,\)"):
            classifier().fit([np.zeros((1, 4)), np.zeros((1, 30))], [0, 1])

    def test_more_or_fewer_targets_than_series(self) -> None:
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            classifier().fit([np.zeros((1, 20)), np.zeros((1, 30))], [0, 1, 1])

    def test_a_network_of_one_length_says_so(self) -> None:
        x, y = signals(20)
        found = classifier(network="mlp", epochs=1).fit(x, y)
        with pytest.raises(sw.ArgumentError, match=r"shape \(1, 32\), as in fit.*must end in Aggregate"):
            found.predict([np.zeros((1, 20)), np.zeros((1, 30))])
        table = classifier(network=None, epochs=1).fit(x[:, 0], y)
        with pytest.raises(sw.ShapeError, match=r"X must have shape \(n, 32\), as in fit. Got series"):
            table.predict([np.zeros((1, 20)), np.zeros((1, 30))])

    def test_too_short(self, trained: ScanClassifier) -> None:
        with pytest.raises(sw.ShapeError, match=r"at least as large as the network's receptive field \(5,\)"):
            trained.predict([np.zeros((1, 4)), np.zeros((1, 30))])

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            ([np.zeros((1, 9)), np.zeros((2, 9))], "equally many channels. Got 1, 2"),
            ([np.zeros((1, 9)), np.zeros(9)], "all of one kind, if it is a list. Got arrays of 1, 2 axes"),
            ([np.zeros((1, 9)), np.array(3.0)], "Got arrays of 0, 2 axes"),
        ],
    )
    def test_of_unequal_kinds(self, x: Any, message: str) -> None:
        with pytest.raises(sw.ShapeError, match=message):
            classifier().fit(x, [0, 1])

    def test_not_finite(self, trained: ScanClassifier) -> None:
        with pytest.raises(ValueError, match="NaN"):
            trained.predict([np.full((1, 32), np.nan)] * 2)
        with pytest.raises(sw.ArgumentError, match=r"signals\[1\] must be finite"):
            trained.predict([np.zeros((1, 30)), np.full((1, 32), np.inf)])


class TestGoingOn:
    def test_partial_fit_takes_parts_of_one_class(self) -> None:
        x, y = signals()
        found = classifier()
        for _ in range(8):
            for kind in CLASSES:
                found.partial_fit(x[y == kind], y[y == kind], classes=CLASSES)
        assert len(found.history_) == 16
        for start in range(0, 240, 20):
            part = slice(start % 60, start % 60 + 20)
            found.partial_fit(x[part], y[part])
        assert found.score(x, y) > 0.8

    def test_warm_start_goes_on(self) -> None:
        x, y = signals()
        found = classifier(warm_start=True, epochs=2).fit(x, y)
        before = found.history_["loss"]
        found.fit(x, y)
        assert found.history_["loss"][:2] == before
        assert len(found.history_) == 4
        assert found.history_["loss"][-1] < before[0]
        with pytest.raises(sw.ArgumentError, match=r"classes must stay \['bump', 'noise'\].* Got \[0, 1\]"):
            found.fit(x, np.arange(60) % 2)

    def test_early_stopping(self) -> None:
        x, y = signals()
        still = {"optimizer": sw.SGD(1e-30), "early_stopping": True, "validation_fraction": 0.2}
        found = classifier(**still, patience=2).fit(x, y)
        assert found.history_["validation_loss"] == [found.history_[0]["validation_loss"]] * 3
        assert found.history_.stopped == "validation_loss has not become better for 2 epochs"

    def test_an_interruption_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        history = sw.History()
        history.interrupted = True
        monkeypatch.setattr("scanwise.sklearn.classifier.fit", lambda *_, **__: history)
        with pytest.warns(UserWarning, match="interrupted before its end"):
            classifier().fit(*signals(4))

    def test_what_fails_leaves_nothing_fitted(self) -> None:
        found = classifier(optimizer=sw.SGD(1e30))
        with pytest.raises(sw.DivergedError):
            found.fit(*signals())
        with pytest.raises(NotFittedError):
            found.predict(signals()[0])


class TestTools:
    def test_pickle_holds_the_models_bytes(self, trained: ScanClassifier) -> None:
        x, _ = signals(seed=3)
        content = pickle.dumps(trained)
        assert trained.model_.to_bytes() in content
        twin = pickle.loads(content)
        np.testing.assert_array_equal(twin.predict_proba(x), trained.predict_proba(x))
        assert twin.history_["loss"] == trained.history_["loss"]
        twin.partial_fit(*signals())

    def test_a_damaged_pickle_is_refused(self, trained: ScanClassifier) -> None:
        model = trained.model_.to_bytes()
        content = pickle.dumps(trained).replace(model, model[:-4] + bytes(4))
        with pytest.raises(sw.ModelFileError, match="damaged"):
            pickle.loads(content)

    def test_clone_is_untrained(self, trained: ScanClassifier) -> None:
        twin = clone(trained)
        assert twin.get_params() == trained.get_params()
        with pytest.raises(NotFittedError):
            twin.predict(signals()[0])

    def test_pipeline_and_grid_search(self) -> None:
        x, y = signals(40)
        line = make_pipeline(StandardScaler(), classifier(epochs=8))
        search = GridSearchCV(
            line,
            {"scanclassifier__optimizer": [sw.AdamW(0.01), sw.SGD(1e-6)]},
            cv=2,
        )
        search.fit(x[:, 0], y)
        assert search.best_params_["scanclassifier__optimizer"] == sw.AdamW(0.01)
        assert search.best_estimator_[-1].model_.input_shape == (1, 32)
        assert search.score(x[:, 0], y) > 0.8

    def test_folds_of_series(self) -> None:
        x, y = signals(30)
        assert len(cross_val_score(classifier(epochs=2), list(x), y, cv=3, error_score="raise")) == 3

    def test_the_model_scans(self, trained: ScanClassifier) -> None:
        long, _ = signals(1, 200)
        assert sw.scan(trained.model_, long[0]).scores.shape == (2, 169)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network": 3}, sw.ArgumentTypeError, "network must be a name, a Sequential, or None. Got 3"),
        ({"network": "vgg"}, sw.UnknownNetworkError, "network must be one of"),
        (
            {"network": LABELS},
            sw.ShapeError,
            r"one output for each of the 2 classes, shape \(2,\). Got \(3,\)",
        ),
        (
            {"loss": "mse"},
            sw.ArgumentError,
            "loss must be one of 'cross_entropy', 'binary_cross_entropy', or",
        ),
        ({"epochs": 0}, sw.ArgumentError, "epochs must be at least 1"),
        ({"batch_size": 2.5}, sw.ArgumentTypeError, "batch_size must be a whole number"),
        ({"optimizer": "adam"}, sw.ArgumentTypeError, "optimizer must be"),
        ({"early_stopping": True, "patience": 0}, sw.ArgumentError, "patience must be"),
        ({"early_stopping": True, "validation_fraction": 1.5}, sw.ArgumentError, "between 0 and 1"),
        ({"sample_rate": -1}, sw.ArgumentError, "sample_rate must be"),
        ({"random_state": "x"}, ValueError, "cannot be used to seed"),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        classifier(**changes).fit(*signals(8))


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("scanwise.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn.* pip install 'scanwise\[sklearn\]'"):
        importlib.import_module("scanwise.sklearn")


def test_wrong_targets() -> None:
    x, y = signals(8)
    labels = np.array([[1, 0], [0, 1]] * 4)
    with pytest.raises(sw.DataError, match=r"at least two classes to learn from. Got one class"):
        classifier().fit(x, ["a"] * 8)
    with pytest.raises(sw.ArgumentError, match=r"a matrix \(n, K\) of 0 and 1. Got a matrix of other values"):
        classifier().fit(x, labels + 1)
    with pytest.raises(sw.ArgumentError, match="Got a matrix of other values"):
        classifier().fit(x, np.where(labels == 0, 2, [0, 1]))
    with pytest.raises(sw.ArgumentError, match=r"loss must be 'binary_cross_entropy'.* Got 'cross_entropy'"):
        classifier(loss="cross_entropy").fit(x, labels)
    with pytest.raises(sw.ArgumentError, match="classes must be given at the first call"):
        classifier().partial_fit(x, y)
    found = classifier().partial_fit(x, y, classes=CLASSES)
    with pytest.raises(sw.ArgumentError, match=r"y must hold the classes .* Got .*'other'"):
        found.partial_fit(x, ["bump", "other"] * 4)
    with pytest.raises(sw.ShapeError, match="y must be a matrix of labels if it was one before"):
        found.partial_fit(x, labels)
    with pytest.raises(sw.ArgumentError, match="classes must stay"):
        found.partial_fit(x, y, classes=["bump"])
    with pytest.raises(sw.ShapeError, match=r"X must have samples of shape \(1, 32\). Got \(1, 20\)"):
        classifier(network="mlp").partial_fit(x, y, classes=CLASSES).partial_fit(x[:, :, :20], y)
    matrix = classifier().partial_fit(x, labels)
    with pytest.raises(sw.ShapeError, match=r"one column for each of the 2 labels. Got 3"):
        matrix.partial_fit(x, np.eye(8, 3, dtype=int))


def test_augmentation_is_that_of_fit() -> None:
    x, y = signals()
    augment = MixBackground(np.ones((1, 50)), (0, 10))
    plain = classifier(epochs=1).fit(x, y)
    augmented = classifier(epochs=1, augment=augment).fit(x, y)
    assert augmented.history_[0]["loss"] != plain.history_[0]["loss"]
    assert augmented.model_.training is not None
    assert augmented.model_.training["augment"] == repr(Augment(augment))
    assert clone(augmented).augment == augment
