"""Golden outputs: a loaded model is checked against what it gave when it was saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise import model_file, self_check
from scanwise.codegen import jit
from tests.backends import IMAGE_SHAPE, image_model, random_values


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "m"
    image_model("native").save(path)
    return path


def description_of(path: Path) -> dict[str, Any]:
    header, _ = model_file._parse(path, path.read_bytes())
    return dict(header["model"])


def change_golden(path: Path, change: Callable[[np.ndarray[Any, Any]], None]) -> None:
    """The model in the file, with other golden outputs than it gives."""
    golden = self_check.Golden.from_json(description_of(path)["golden"])
    change(golden.outputs)
    model = sw.load(path, backend="reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_check, "golden_of", lambda _: golden)
        model.save(path)


def pending(model: sw.Model) -> bool:
    return model._golden is not None


def test_they_are_in_the_file_and_small(saved: Path) -> None:
    golden = self_check.Golden.from_json(description_of(saved)["golden"])
    assert golden.limits == (-1.0, 1.0)
    assert golden.outputs.shape == (2, 3)
    assert golden.version == sw.__version__
    wide = sw.Model(sw.Sequential(sw.Conv1d(16, 3)), (1, 3000))
    wide.save(saved)
    assert len(json.dumps(description_of(saved)["golden"])) < 1 << 16


def test_they_lie_in_the_range_that_was_trained_on(tmp_path: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Linear(2)), (3,))
    x = np.array([[5.0, 7.0, 6.0], [5.5, 6.5, 5.0]])
    sw.fit(model, x, [0, 1], epochs=1, validation_data=(x, [0, 1]))
    assert model.input_range == (5.0, 7.0)
    model.save(tmp_path / "m")
    assert description_of(tmp_path / "m")["golden"]["limits"] == [5.0, 7.0]
    inputs = self_check._inputs((5.0, 7.0), (3, 100))
    assert inputs.shape == (2, 3, 100)
    assert 5.0 <= inputs.min() < 5.1
    assert 6.9 < inputs.max() <= 7.0


def test_a_model_that_gives_the_same_is_loaded_in_silence(saved: Path) -> None:
    model = sw.load(saved)
    assert not pending(model)  # the kernels are in the cache
    x = random_values(3, *IMAGE_SHAPE)
    np.testing.assert_array_equal(model(x), image_model("native")(x))


def test_other_digits_are_a_warning(saved: Path) -> None:
    change_golden(saved, lambda outputs: np.nextafter(outputs, np.float32(9), out=outputs))
    with pytest.warns(
        sw.SelfCheckWarning, match=r"gives other last digits than when it was saved. Got a difference"
    ):
        model = sw.load(saved)
    assert np.isfinite(model(random_values(1, *IMAGE_SHAPE))).all()


def test_other_values_are_an_error(saved: Path) -> None:
    change_golden(saved, lambda outputs: np.multiply(outputs, np.float32(1.01), out=outputs))
    with pytest.raises(
        sw.EngineError, match=r"must give the outputs on this machine that it gave when .* Saved by"
    ):
        sw.load(saved)
    assert sw.load(saved, backend="reference").labels is None


class TestWithoutKernels:
    """Where something would have to be compiled, loading does not, and the first use checks."""

    @pytest.fixture(autouse=True)
    def nothing_kept(self, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SCANWISE_CACHE", str(tmp_path / "empty"))
        monkeypatch.setattr(jit, "_addresses", {})

    def test_the_first_use_checks(self, saved: Path, tmp_path: Path) -> None:
        change_golden(saved, lambda outputs: np.nextafter(outputs, np.float32(9), out=outputs))
        model = sw.load(saved)
        assert pending(model)
        assert not (tmp_path / "empty").exists()
        x = random_values(1, *IMAGE_SHAPE)
        with pytest.warns(sw.SelfCheckWarning):
            model(x)
        assert not pending(model)
        model(x)

    def test_not_of_changed_parameters(self, saved: Path) -> None:
        model = sw.load(saved)
        model.parameters["4.bias"] = np.ones(5)
        model(random_values(1, *IMAGE_SHAPE))
        assert not pending(model)

    def test_a_copy_checks_too(self, saved: Path) -> None:
        change_golden(saved, lambda outputs: np.multiply(outputs, np.float32(2), out=outputs))
        model = sw.load(saved).copy()
        for _ in range(2):  # also when it is tried again
            with pytest.raises(sw.EngineError, match="must give the outputs"):
                model(random_values(1, *IMAGE_SHAPE))


def test_what_takes_long_waits_for_the_first_use(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "_QUICK", 10)
    model = sw.load(saved)
    assert pending(model)
    model(random_values(1, *IMAGE_SHAPE))
    assert not pending(model)


def test_files_without_them_load_as_before(tmp_path: Path) -> None:
    image_model("reference").save(tmp_path / "m")
    assert "golden" not in description_of(tmp_path / "m")
    assert not pending(sw.load(tmp_path / "m"))


def test_outputs_that_are_not_finite_are_none(tmp_path: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Linear(1, bias=False), sw.Linear(1)), (1,))
    model.parameters.update({"0.weight": [[3e38]], "1.weight": [[3e38]]})
    model.save(tmp_path / "m")
    assert "golden" not in description_of(tmp_path / "m")


@pytest.mark.parametrize(
    "golden",
    [
        {},
        [],
        {"limits": [0, 1], "outputs": "?", "version": "1"},
        {"limits": [0], "outputs": "", "version": 1},
        {"limits": [0, 10**400], "outputs": "", "version": "1"},
    ],
)
def test_golden_outputs_that_are_damaged(saved: Path, golden: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Given:
        def to_json(self) -> Any:
            return golden

    monkeypatch.setattr(self_check, "golden_of", lambda _: Given())
    image_model("reference").save(saved)
    with pytest.raises(sw.ModelFileError, match="the golden outputs must be whole"):
        sw.load(saved)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("history", [3], "the history must be a list of epochs"),
        ("training", 3, "the training must be an object"),
        ("input_range", [1, 10**400], "the input range must be two numbers"),
        ("input_range", [1], "the input range must be two numbers"),
        ("input_range", "ab", "the input range must be two numbers"),
    ],
)
def test_a_training_that_is_damaged(tmp_path: Path, name: str, value: Any, text: str) -> None:
    model = image_model("reference")
    setattr(model, name, value)
    model.save(tmp_path / "m")
    with pytest.raises(sw.ModelFileError, match=text):
        sw.load(tmp_path / "m")


def test_a_training_comes_back(tmp_path: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Linear(2)), (3,), backend="reference")
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    history = sw.fit(model, x, [0, 1, 0, 1], epochs=2, seed=7)
    model.save(tmp_path / "m")
    twin = sw.load(tmp_path / "m")
    assert twin.history == model.history == tuple(history)
    assert twin.training == model.training
    assert twin.training is not None
    assert twin.training["seed"] == 7
    assert twin.training["samples"]["number"] == 4
    assert twin.input_range == (0.0, 1.0)
