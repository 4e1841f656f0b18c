"""What a model remembers of a calibration, and when it forgets it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.calibration import Calibration, Threshold
from scanwise.model_file import with_calibration

BIRD = Threshold(0.83, "false alarms", 1.0, 0.97, 0.4, 1.9, 0.95, 5.2, 1.5, "hour", 12, 40)
CALIBRATION = Calibration((("bird", BIRD),), "field", 1.25, "tolerance", 0.1, 80, None)


def calibrated() -> sw.Model:
    net = sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max"))
    model = sw.Model(net, (1, 8), labels=("bird", "frog"), backend="reference")
    model.loss = "binary_cross_entropy"
    model.calibration = CALIBRATION
    return model


def test_thresholds_are_read_only() -> None:
    model = calibrated()
    assert model.thresholds == {"bird": BIRD}
    with pytest.raises(TypeError):
        model.thresholds["bird"] = BIRD  # type: ignore[index]
    assert sw.Model(model.network, (1, 8)).thresholds is None


def test_files_bytes_copies_and_pickles_keep_it(in_tmp_path: Path) -> None:
    model = calibrated()
    model.save("m")
    copies = [
        sw.load("m"),
        sw.Model.from_bytes(model.to_bytes()),
        model.copy(),
        pickle.loads(pickle.dumps(model)),
    ]
    for copy in copies:
        assert copy.calibration == CALIBRATION
    assert model.to_bytes() == Path("m").read_bytes()
    copies[2].parameters["0.bias"] = [1.0, 2.0]
    assert copies[2].calibration is None
    assert model.calibration == CALIBRATION


@pytest.mark.parametrize("change", ["parameters", "labels", "loss", "fit"])
def test_other_parameters_labels_or_loss_drop_it(change: str) -> None:
    model = calibrated()
    if change == "parameters":
        model.parameters["0.bias"] = model.parameters["0.bias"]
    elif change == "labels":
        model.labels = ("frog", "bird")
    elif change == "loss":
        model.loss = "cross_entropy"
    else:
        x = np.random.default_rng(0).normal(size=(4, 1, 8))
        sw.fit(model, x, np.eye(2)[[0, 1, 0, 1]], epochs=1, loss="binary_cross_entropy", progress=False)
    assert model.thresholds is None
    assert b'"calibration"' not in model.to_bytes().replace(b"\\", b"")


def test_a_file_gets_it_with_all_else_as_it_was(in_tmp_path: Path) -> None:
    model = calibrated()
    model.history, model.training, model.input_range = ({"loss": 0.5},), {"seed": 3}, (-1.0, 2.0)
    model.calibration = None
    model.save("m")
    changed = sw.Model.from_bytes(with_calibration(Path("m"), CALIBRATION), backend="reference")
    assert changed.calibration == CALIBRATION
    assert (changed.history, changed.training, changed.input_range) == (
        model.history,
        model.training,
        model.input_range,
    )
    for name, value in model.parameters.items():
        assert value.tobytes() == changed.parameters[name].tobytes()
    assert with_calibration(Path("m"), CALIBRATION) == with_calibration(Path("m"), CALIBRATION)


@pytest.mark.parametrize(
    "damage",
    [
        None,
        [],
        {},
        {"thresholds": []},
        {"thresholds": {"wren": {}}},
        {"thresholds": {}, "temperature": 0.0},
        {"thresholds": {}, "temperature": "hot"},
        {"thresholds": {}, "rule": "guess"},
        {"thresholds": {}, "data": 3},
        {"thresholds": {}, "step": -1},
        {"thresholds": {}, "low": True},
        {"thresholds": {}, "another": 1},
        {"thresholds": {"unknown": CALIBRATION.to_json()["thresholds"]["bird"]}},
        {"thresholds": {"bird": {**CALIBRATION.to_json()["thresholds"]["bird"], "value": "0.5"}}},
        {"thresholds": {"bird": {**CALIBRATION.to_json()["thresholds"]["bird"], "unit": "acre"}}},
        {"thresholds": {"bird": {**CALIBRATION.to_json()["thresholds"]["bird"], "low": -1.0}}},
    ],
)
def test_a_value_that_is_none_is_named(in_tmp_path: Path, damage: Any) -> None:
    class Damaged:
        def to_json(self) -> Any:
            return damage

    model = calibrated()
    model.save("m")
    content = with_calibration(Path("m"), Damaged())  # type: ignore[arg-type]
    with pytest.raises(sw.ModelFileError, match=r"content: the calibration must be whole\."):
        sw.Model.from_bytes(content)


def test_it_is_plain_data() -> None:
    assert Calibration.from_json(json.loads(json.dumps(CALIBRATION.to_json()))) == CALIBRATION


def test_unknown_and_repeated_labels_are_refused() -> None:
    model = calibrated()
    with pytest.raises(sw.ArgumentError, match=r"calibration must be of the labels .*Got 'wren'"):
        model.calibration = Calibration((("wren", BIRD),))
    with pytest.raises(sw.ArgumentError, match="entries must have each label once"):
        Calibration((("bird", BIRD), ("bird", BIRD)))
    assert model.calibration == CALIBRATION
