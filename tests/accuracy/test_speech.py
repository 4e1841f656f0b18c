"""The Free Spoken Digit Dataset (CC BY-SA 4.0): a time-delay network on raw audio learns spoken digits.

The test recordings are numbers 0 to 4 of each speaker and digit; speakers are the same on both sides.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from scanwise import data
from scanwise.cli import main
from scanwise.data import Dataset


@dataclass(frozen=True)
class Trained:
    path: Path
    model: sw.Model
    unseen: Dataset


@pytest.fixture(scope="module")
def trained(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """As a user trains: one command, no options."""
    path = tmp_path_factory.mktemp("speech") / "words.safetensors"
    started = time.perf_counter()
    assert main(["train", str(data_folder / "fsdd" / "train"), "-o", str(path)]) == 0
    print(f"scanwise train: {time.perf_counter() - started:.1f} s")
    model = sw.load(path)
    assert model.sample_rate is not None
    unseen = data.open_dataset(
        data_folder / "fsdd" / "test",
        input_shape=model.input_shape,
        sample_rate=int(model.sample_rate),
        labels=model.labels,
    )
    return Trained(path, model, unseen)


def test_tdnn_learns_spoken_digits_from_raw_audio(
    trained: Trained, data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(trained.model.network.layers[0], sw.LogMel)
    assert trained.model.input_shape[0] == 1
    capsys.readouterr()
    assert main(["eval", str(trained.path), str(data_folder / "fsdd" / "test"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    print(f"FSDD test accuracy: {result['accuracy']:.4f}")
    assert result["accuracy"] >= 0.96
    outputs = trained.model(trained.unseen.x)
    assert float(np.mean(outputs.argmax(axis=1) == trained.unseen.y)) == pytest.approx(result["accuracy"])


def test_batch_normalisation_and_augmentation_reach_99_percent(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, options = str(tmp_path / "words.safetensors"), ["--epochs", "25", "--learning-rate", "0.004"]
    for augmentation in ("TimeShift(800)", "Gain(6)", "AddNoise((10, 40))"):
        options += ["--augment", augmentation]
    arguments = [
        str(data_folder / "fsdd" / "train"),
        "-o",
        model,
        "--network",
        "tdnn-bn",
        "--validation",
        "0",
    ]
    assert main(["train", *arguments, *options]) == 0
    capsys.readouterr()
    assert main(["eval", model, str(data_folder / "fsdd" / "test"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    print(f"FSDD test accuracy: {result['accuracy']:.4f}")
    assert result["accuracy"] >= 0.99


def test_digits_are_found_in_a_longer_recording(trained: Trained) -> None:
    """Test clips one after another: each window that is a clip has the clip's score, and most are detected in place."""
    model, unseen = trained.model, trained.unseen
    window = model.input_shape[1]
    chosen = np.random.default_rng(0).choice(len(unseen), 12, replace=False)
    recording = np.concatenate([unseen.x[i] for i in chosen], axis=1)
    apart = sw.scan(model, recording, step=window)
    np.testing.assert_array_equal(apart.scores.T, model(unseen.x[chosen]))

    result = sw.scan(model, recording)
    assert result.method == "shared"
    found = [(d.label, d.box[0]) for d in result.detections(0.5)]
    labels = [unseen.labels[i] for i in unseen.y[chosen]]
    hits = [
        any(label == wanted and abs(start - place * window) < window // 2 for label, start in found)
        for place, wanted in enumerate(labels)
    ]
    assert sum(hits) >= 9
