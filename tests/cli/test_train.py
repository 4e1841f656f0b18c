from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from tests.cli.conftest import REFERENCE, Run, pulses
from tests.data.conftest import write_image, write_tone

QUICK = (*REFERENCE, "--epochs", "3", "--batch-size", "8")


def test_a_trained_model_is_saved_with_its_labels(run: Run, series: Path, network: Path) -> None:
    outcome = run("train", series, "-o", "m.safetensors", "--network", network, *QUICK, "--json")
    assert outcome.code == 0
    result = outcome.json
    assert (result["epochs"], result["samples"], result["labels"]) == (3, 36, ["none", "pulse"])
    assert result["validation_accuracy"] is not None
    assert len(result["history"]["epochs"]) == 3
    assert "36 samples of 2 labels, window 12 elements; 4 for validation" in outcome.err
    assert "labels none, pulse\n" in outcome.err
    model = sw.load("m.safetensors", backend="reference")
    assert model.labels == ("none", "pulse")
    assert model.input_shape == (1, 12)


def test_it_learns_and_says_so_in_two_lines(run: Run, series: Path, network: Path) -> None:
    outcome = run(
        "train", series, "-o", "m.safetensors", "--network", network, *REFERENCE, "--epochs", "20",
        "--learning-rate", "0.05", "--validation", series,
    )  # fmt: skip
    assert outcome.code == 0
    summary, saved = outcome.out.splitlines()
    assert summary.startswith("20 epochs in")
    assert ", validation loss 0." in summary
    assert saved == "saved m.safetensors"
    assert run("eval", "m.safetensors", series, *REFERENCE, "--json").json["accuracy"] >= 0.95


def test_the_same_seed_gives_the_same_model(run: Run, series: Path, network: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run("train", series, "-o", name, "--network", network, "--seed", seed, *QUICK)
    a, b, c = (sw.load(name, backend="reference").parameters["0.weight"] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_series_in_their_own_units_become_a_first_layer(run: Run) -> None:
    x, y = pulses(40, scale=1e-3, offset=50.0)
    np.savez("d.npz", x=x, y=y)
    outcome = run(
        "train", "d.npz", "-o", "m", "--network", "mlp", *QUICK, "--learning-rate", "0.01", "--epochs", "10"
    )
    assert outcome.code == 0, outcome.err
    model = sw.load("m", backend="reference")
    assert model.network.layers[0] == sw.Conv1d(1, 1)
    standardised = x * model.parameters["0.weight"][0, 0, 0] + model.parameters["0.bias"][0]
    assert abs(standardised.mean()) < 1e-2
    assert standardised.std() == pytest.approx(1, abs=1e-2)
    assert run("eval", "m", "d.npz", *REFERENCE, "--json").json["accuracy"] >= 0.95


def test_images_keep_their_mode_and_networks_their_size(run: Run) -> None:
    x = np.random.default_rng(0).integers(0, 255, (8, 8, 8)).astype(np.uint8)
    np.savez("d.npz", x=x, y=np.arange(8) % 2)
    outcome = run("train", "d.npz", "-o", "m", *QUICK, "--network", "mlp", "--validation", "0", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["validation_accuracy"] is None
    assert sw.load("m", backend="reference").image_mode == "L"


def test_options_of_recordings_and_images_reach_the_model(run: Run) -> None:
    for label, hertz in (("high", 1500.0), ("low", 250.0)):
        for i in range(3):
            write_tone(Path("clips", label, f"{i}.wav"), 0.05, hertz, rate=8000)
            write_image(Path("pictures", label, f"{i}.png"), np.full((8, 8), 10 * i, np.uint8))
    options = (*QUICK, "--network", "mlp", "--validation", "0", "--optimizer", "sgd")
    outcome = run("train", "clips", "-o", "m", *options, "--sample-rate", "4000", "--window", "0.02")
    assert outcome.code == 0, outcome.err
    heard = sw.load("m", backend="reference")
    assert (heard.sample_rate, heard.input_shape) == (4000, (1, 80))
    outcome = run("train", "pictures", "-o", "p", *options, "--image-mode", "rgb", "--window", "6x5")
    assert outcome.code == 0, outcome.err
    seen = sw.load("p", backend="reference")
    assert (seen.image_mode, seen.input_shape) == ("RGB", (3, 6, 5))


def test_early_stopping_restores_the_best_epoch(run: Run, series: Path, network: Path) -> None:
    outcome = run(
        "train", series, "-o", "m", "--network", network, *REFERENCE, "--epochs", "30", "--learning-rate", "3",
        "--patience", "1", "--json",
    )  # fmt: skip
    history = outcome.json["history"]
    assert len(history["epochs"]) < 30
    losses = [epoch["validation_loss"] for epoch in history["epochs"]]
    assert outcome.json["validation_loss"] == losses[history["best_epoch"]] == min(losses)


def test_from_a_folder_of_recordings_to_their_places_in_a_longer_one(run: Run) -> None:
    for label, hertz in (("high", 2000.0), ("low", 250.0)):
        for i in range(4):
            write_tone(Path("clips", label, f"{i}.wav"), 0.02 + 0.001 * i, hertz + 10 * i)
    layers = sw.Sequential(sw.Conv1d(4, 16, stride=4), sw.ReLU(), sw.Aggregate("mean"), sw.Linear(2))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    outcome = run(
        "train", "clips", "-o", "m", "--network", "n.json", *REFERENCE, "--epochs", "60", "--learning-rate", "0.05",
        "--validation", "0.25",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "6 samples of 2 labels, window 0.05 s at 8000 Hz; 2 for validation" in outcome.err
    assert "labels high, low; no 'background' or 'none'" in outcome.err
    assert run("eval", "m", "clips", *REFERENCE, "--json").json["accuracy"] == 1.0
    write_tone(Path("long.flac"), 0.1, 250, rate=16000, channels=2)
    (result,) = run("scan", "m", "long.flac", *REFERENCE, "--json").json
    assert result["sample_rate"] == 8000
    assert {found["label"] for found in result["detections"]} == {"low"}


def test_a_mapped_archive_is_split_without_a_copy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pulses(40)
    np.savez("d.npz", x=(x / x.std()).astype(np.float32), y=y)
    monkeypatch.setattr("scanwise.cli.training_data.split", lambda *_, **__: pytest.fail("copied"))
    outcome = run("train", "d.npz", "-o", "m", "--network", "mlp", *QUICK, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["validation_accuracy"] is not None
    assert isinstance(sw.load("m", backend="reference").network.layers[0], sw.Flatten)


def interrupt(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Ctrl-C in the middle of the epoch after `epochs` of them."""
    from scanwise.training.reference_program import ReferenceProgram

    begun = 0
    begin = ReferenceProgram.begin_epoch

    def begin_epoch(self: Any, x: Any, y: Any, order: NDArray[np.int64], rates: NDArray[np.float32]) -> None:
        nonlocal begun
        begun += 1
        if begun > epochs:
            raise KeyboardInterrupt
        begin(self, x, y, order, rates)

    monkeypatch.setattr(ReferenceProgram, "begin_epoch", begin_epoch)


def test_ctrl_c_saves_the_model_so_far(
    run: Run, series: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, epochs=2)
    outcome = run("train", series, "-o", "m", "--network", network, *QUICK)
    assert outcome.code == 130
    assert "interrupted after 2 epochs; the model so far is saved in m" in outcome.err
    assert sw.load("m", backend="reference").labels == ("none", "pulse")


def test_ctrl_c_before_the_first_epoch_saves_nothing(
    run: Run, series: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, epochs=0)
    outcome = run("train", series, "-o", "m", "--network", network, *QUICK)
    assert outcome.code == 130
    assert "interrupted before the first epoch was done: m is not written" in outcome.err
    assert not Path("m").exists()


def test_skipped_files_are_named_and_counted(run: Run, network: Path) -> None:
    for label in "ab":
        Path("d", label).mkdir(parents=True)
        for i in range(3):
            np.save(Path("d", label, f"{i}.npy"), np.random.default_rng(i).normal(size=12))
    Path("d", "a", "bad.npy").write_bytes(b"")
    arguments = ("train", "d", "-o", "m", "--network", network, *QUICK, "--json")
    assert run(*arguments).code == 1
    outcome = run(*arguments, "--on-error", "skip")
    assert outcome.code == 0
    assert "skipped d/a/bad.npy: d/a/bad.npy must be a .npy file. Got an empty file (0 bytes)." in outcome.err
    assert "1 skipped, 6 used" in outcome.err
    assert outcome.json["skipped"] == ["d/a/bad.npy"]


def test_a_network_file_that_does_not_fit_prints_the_layers_up_to_the_misfit(run: Run, series: Path) -> None:
    layers = sw.Sequential(sw.Conv1d(4, 5), sw.ReLU(), sw.Conv1d(4, 9), sw.Aggregate("max"), sw.Linear(2))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    outcome = run("train", series, "-o", "m", "--network", "n.json", *QUICK)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert "Conv1d(4, 5)" in outcome.err
    assert "4x8" in outcome.err
    assert "Linear" not in outcome.err
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "network must be a JSON file"),
        ("[]", "network must be a JSON object"),
        ('{"layers": [{"kind": "Conv9d"}]}', "Conv9d"),
        ('{"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 3}]}', "each of the 2 labels"),
    ],
)  # fmt: skip
def test_a_network_file_that_is_none_is_refused(run: Run, series: Path, text: str, message: str) -> None:
    Path("n.json").write_text(text)
    outcome = run("train", series, "-o", "m", "--network", "n.json", *QUICK)
    assert outcome.code == 2
    assert message in outcome.err
    assert not Path("m").exists()
