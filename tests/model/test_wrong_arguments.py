"""Arguments that no model can use: each is one of our own errors, naming what was expected."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw

NETWORK = sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max"), sw.Linear(2))
X = np.zeros((4, 1, 10))
Y = [0, 1, 0, 1]


class Unwilling:
    """What does not want to become an array, as a tensor that needs gradients."""

    def __array__(self, *_: object, **__: object) -> Any:
        raise RuntimeError("detach me first")


MASKED = np.ma.MaskedArray(X, mask=X == 0)
NO_ARRAYS: dict[str, Any] = {
    "unwilling": Unwilling(), "ragged": [[1, 2], [3]], "text": "abc", "none": None, "object": np.array([None, 1]),
    "complex": X + 1j, "strings": np.full(X.shape, "1"), "structured": np.zeros(4, [("a", "f4")]),
    "dates": np.zeros(X.shape, "M8[s]"), "mapping": {}, "bytes": b"abc", "masked": MASKED, "huge": [10**400],
}  # fmt: skip


@pytest.fixture
def model() -> sw.Model:
    return sw.Model(NETWORK, (1, 10), backend="reference")


@pytest.mark.parametrize("name", NO_ARRAYS)
def test_what_is_no_array_of_real_numbers(model: sw.Model, name: str) -> None:
    value = NO_ARRAYS[name]
    calls: dict[str, Callable[[], object]] = {
        "x": lambda: model(value),
        "dy": lambda: model.gradients(X, value),
        "y": lambda: model.loss_and_gradients(X, value),
        "signal": lambda: sw.scan(model, value),
        "fit": lambda: sw.fit(model, value, Y, epochs=1),
        "fit y": lambda: sw.fit(model, X, value, epochs=1),
        "validation": lambda: sw.fit(model, X, Y, epochs=1, validation_data=(value, Y)),
        "parameter": lambda: model.parameters.update({"0.weight": value}),
    }
    for call, function in calls.items():
        if call == "fit y" and value is None:
            continue
        with pytest.raises(
            (sw.ArgumentTypeError, sw.ArgumentError), match=r"must (be an array|have no masked)"
        ):
            function()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("labels", 5), ("labels", "ab"), ("labels", ["a"]), ("labels", ["a", 1]), ("labels", ["a", "a"]),
     ("labels", b"ab"), ("sample_rate", "8k"), ("sample_rate", 0), ("sample_rate", math.nan), ("sample_rate", 1j),
     ("sample_rate", True), ("image_mode", "CMYK"), ("image_mode", 5), ("image_mode", []), ("background", "z"),
     ("background", []), ("seed", 1.5), ("seed", None), ("backend", None), ("backend", [])],
)  # fmt: skip
def test_model_arguments(argument: str, value: Any) -> None:
    with pytest.raises((sw.ArgumentError, sw.ArgumentTypeError), match=f"{argument} must"):
        sw.Model(NETWORK, (1, 10), **{argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [("epochs", True), ("epochs", "2"), ("epochs", math.nan), ("batch_size", None), ("seed", 2**64),
     ("loss", []), ("optimizer", "sgd"), ("callbacks", 5), ("callbacks", [5]), ("callbacks", None),
     ("validation_data", math.nan), ("validation_data", (1,)), ("validation_data", True)],
)  # fmt: skip
def test_fit_arguments(model: sw.Model, argument: str, value: Any) -> None:
    with pytest.raises((sw.ArgumentError, sw.ArgumentTypeError), match=f"{argument} must"):
        sw.fit(model, X, Y, **{"epochs": 1, argument: value})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sw.AdamW(1e-3, betas=0.9), "betas must be a pair"),  # type: ignore[arg-type]
        (lambda: sw.EarlyStopping("a"), "patience must be a whole number"),  # type: ignore[arg-type]
        (lambda: sw.EarlyStopping(1.5), "patience must be a whole number"),  # type: ignore[arg-type]
        (lambda: sw.EarlyStopping(1, minimum_change="a"), "minimum_change must be a number"),  # type: ignore[arg-type]
        (lambda: sw.Step(0.1, "a"), "every_epochs must be a whole number"),  # type: ignore[arg-type]
        (lambda: sw.Step(0.1, 1.5), "every_epochs must be a whole number"),  # type: ignore[arg-type]
        (lambda: sw.LeakyReLU(10**400), "negative_slope must be a finite number"),
        (lambda: sw.LogMel(8000, 200, 80, 10**9), "n_mels must be at most 8192"),
        (lambda: sw.scan(sw.Model(NETWORK, (1, 10)), X[0], progress=5), "progress must"),  # type: ignore[arg-type]
    ],
)
def test_other_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises((sw.ArgumentError, sw.ArgumentTypeError), match=message):
        make()


def test_a_learning_rate_too_large_for_float32(model: sw.Model) -> None:
    with pytest.raises(sw.ArgumentError, match="must give 1 finite rates"):
        sw.fit(model, X, Y, epochs=1, optimizer=sw.SGD(1e300))


@pytest.mark.parametrize("path", [None, 5, b"bytes", []])
def test_paths_that_are_none(model: sw.Model, path: Any) -> None:
    for function in (sw.load, model.save):
        with pytest.raises(sw.ArgumentTypeError, match="path must be a path"):
            function(path)


@pytest.mark.parametrize("path", ["nul\0l", "x" * 300, "/"])
def test_paths_that_lead_nowhere(model: sw.Model, path: str) -> None:
    for function in (sw.load, model.save):
        with pytest.raises(sw.FileError):
            function(path)


def test_a_name_as_long_as_the_system_allows(model: sw.Model, tmp_path: Path) -> None:
    path = tmp_path / ("m" * 255)
    model.save(path)
    assert sw.load(path).network == NETWORK
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_pipes_and_devices_are_not_waited_for(model: sw.Model, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(sw.FileError, match="which is a device or pipe"):
            sw.load(path)
        with pytest.raises(sw.FileError, match="device or a pipe"):
            model.save(path)


def test_a_backend_is_no_fault_of_the_file(model: sw.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    with pytest.raises(sw.ArgumentError, match="backend must be one of"):
        sw.load(tmp_path / "m", backend="gpu")
