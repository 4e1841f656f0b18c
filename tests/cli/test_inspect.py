from __future__ import annotations

import json
from pathlib import Path

import pytest

import scanwise as sw
from scanwise.layers import Layer
from tests.cli.conftest import Run


def test_a_models_layers_labels_and_window(run: Run, model: Path) -> None:
    outcome = run("inspect", model)
    assert outcome.code == 0
    assert sw.load(model, backend="reference").summary() in outcome.out
    assert "window 12, scanned at steps of 1" in outcome.out
    assert "labels none, pulse" in outcome.out
    assert f"connections {sw.load(model, backend='reference').connections:,}\n" in outcome.out


def test_a_network_file_needs_an_input_shape(run: Run, network: Path) -> None:
    assert "input-shape must be given for a network file" in run("inspect", network).err
    outcome = run("inspect", network, "--input-shape", "1x12", "--json")
    assert outcome.json["input_shape"] == [1, 12]
    assert outcome.json["layers"][0]["layer"] == "Conv1d(4, 5)"
    assert outcome.json["layers"][0]["connections"] == 8 * 4 * (
        5 + 1
    )  # positions x filters x (taps and bias)
    assert outcome.json["connections"] == sum(layer["connections"] for layer in outcome.json["layers"])
    assert sw.Sequential.from_json(outcome.json["network"]) == sw.Sequential.from_json(
        json.loads(network.read_text())
    )


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (
            sw.Conv1d(2, 3, padding="same"),
            "layer 0 Conv1d(2, 3, padding='same') pads inside the window: a scan",
        ),
        (
            sw.ConvTranspose1d(2, 3),
            "layer 0 ConvTranspose1d(2, 3) adds neighbouring windows together at their",
        ),
    ],
)
def test_a_layer_that_keeps_windows_from_sharing_is_named(run: Run, layer: Layer, reason: str) -> None:
    net = sw.Sequential(layer, sw.Aggregate("max"))
    Path("n.json").write_text(json.dumps(net.to_json()))
    assert reason in run("inspect", "n.json", "--input-shape", "1x9").out


@pytest.mark.parametrize("shape", ["12", "1x4", "0x12", "ax12", "1.5", "1x2x3x4"])
def test_an_input_that_does_not_fit_exits_2(run: Run, network: Path, shape: str) -> None:
    outcome = run("inspect", network, "--input-shape", shape)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err


def test_a_model_has_its_own_shape(run: Run, model: Path) -> None:
    outcome = run("inspect", model, "--input-shape", "1x12")
    assert (outcome.code, outcome.err) == (
        2,
        "error: input-shape must be left out for a model, which has its own. Got '1x12'.\n",
    )


def test_what_else_keeps_windows_from_sharing_is_named(run: Run) -> None:
    net = sw.Sequential(sw.Conv1d(2, 3, bias=False), sw.UnitBias(), sw.Aggregate("max"))
    Path("n.json").write_text(json.dumps(net.to_json()))
    outcome = run("inspect", "n.json", "--input-shape", "1x9")
    assert "layer 1 UnitBias() has a bias for each place in the window: a scan evaluates every" in outcome.out
    assert "to share all work, leave out layer 1\n" in outcome.out


_HEAD = (sw.Conv1d(8, 5), sw.ReLU(), sw.MaxPool1d(2))


@pytest.mark.parametrize(
    ("layers", "method", "advice"),
    [
        ([*_HEAD], "shared", None),
        (
            [*_HEAD, sw.Conv1d(8, 3, padding="same")],
            "partly shared",
            "use padding=0 in layer 3 with a window larger by 4",
        ),
        (
            [sw.Conv1d(8, 3, padding=1), sw.MaxPool1d(2), sw.Pad1d((0, 3)), sw.Conv1d(8, 3, padding=1)],
            "windows",
            "use padding=0 in layers 0 and 3, leave out layer 2 with a window larger by 12",
        ),
        (
            [*_HEAD, sw.Residual(sw.Conv1d(8, 3, padding="same"), sw.ReLU())],
            "partly shared",
            "use kernels of 1 and no padding in layer 3",
        ),
        (
            [*_HEAD, sw.Conv1d(4, 18), sw.Residual(sw.Downsample1d(3))],
            "partly shared",
            "move the stride out of layer 4",
        ),
    ],
    ids=repr,
)
def test_how_a_scan_shares_work_and_what_to_change(
    run: Run, layers: list[Layer], method: str, advice: str | None
) -> None:
    net = sw.Sequential(*layers, sw.Aggregate("max"))
    Path("n.json").write_text(json.dumps(net.to_json()))
    found = run("inspect", "n.json", "--input-shape", "6x40", "--json").json["scan"]
    assert (found["method"], found["advice"]) == (method, advice)
    text = run("inspect", "n.json", "--input-shape", "6x40").out
    assert found["reason"] in text
    assert (f"to share all work, {advice}" in text) == (advice is not None)


def test_a_network_for_vectors_has_nothing_to_scan(run: Run) -> None:
    Path("n.json").write_text(json.dumps(sw.Sequential(sw.Linear(2)).to_json()))
    assert run("inspect", "n.json", "--input-shape", "9", "--json").json["scan"] is None
