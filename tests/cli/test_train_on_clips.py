"""`scanwise train` on clips of unequal length, labelled only by what they contain somewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from scanwise.cli.standardisation import Standardisation
from scanwise.data import load_folder
from tests.cli.conftest import Outcome, Run
from tests.data.labelled import write_picture

LENGTHS = (60, 90, 60, 150, 75, 110, 90, 200, 95, 80)


def train(run: Run, data: object, *options: object) -> Outcome:
    return run("train", data, "-o", "m", "--network", "n.json", "--json", *options)


@pytest.fixture
def network(in_tmp_path: Path) -> Path:
    layers = sw.Sequential(sw.Conv1d(4, 5), sw.Tanh(), sw.Aggregate("max"), sw.Linear(1))
    path = in_tmp_path / "n.json"
    path.write_text(json.dumps(layers.to_json()))
    return path


@pytest.fixture
def clips(in_tmp_path: Path, network: Path) -> Path:
    """Noise of 60 to 200 elements, in half of the files with a pulse somewhere."""
    random = np.random.default_rng(0)
    for i, length in enumerate(2 * LENGTHS):
        x = 0.2 * random.standard_normal(length)
        label = ("none", "pulse")[i % 2]
        if i % 2:
            start = random.integers(length - 6)
            x[start : start + 6] += 3.0
        Path("clips", label).mkdir(parents=True, exist_ok=True)
        np.save(f"clips/{label}/{i:02}.npy", 5.0 + 2.0 * x)
    return Path("clips")


def test_clips_longer_than_the_window_stay_whole(run: Run, clips: Path) -> None:
    outcome = train(run, clips, "--window", "20", "--epochs", "40", "--learning-rate", "0.03")
    assert outcome.code == 0, outcome.err
    assert "18 clips of unequal length of 1 label, window 20 elements; 2 for validation" in outcome.err
    result = outcome.json
    assert (result["whole_clips"], result["input_shape"]) == (True, [1, 20])
    assert result["loss"] < 0.1
    model = sw.load("m")
    quiet, pulse = (np.load(f"clips/{name}")[None] for name in ("none/00.npy", "pulse/01.npy"))
    scores = model.presence([quiet, pulse]).scores[:, 0]
    assert scores[0] < 0 < scores[1]
    windows = train(run, clips, "--window", "20", "--epochs", "2", "--clips", "windows").json
    assert windows["whole_clips"] is False


def test_clips_in_their_own_units_become_a_first_layer(run: Run, clips: Path) -> None:
    data = load_folder(clips, window=20, clips="whole")
    standardisation = Standardisation.of(data)
    assert standardisation is not None
    together = np.concatenate([clip[0] for clip in data.x])
    np.testing.assert_allclose(standardisation.mean, [together.mean()])
    np.testing.assert_allclose(standardisation.deviation, [together.std()], rtol=1e-6)
    applied = standardisation.apply(data).x
    np.testing.assert_allclose(applied[3][0], (data.x[3][0] - together.mean()) / together.std(), atol=1e-5)
    whole = sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max"))
    model = sw.Model(whole, (1, 20))
    behind = standardisation.into(model)
    signals = [data.x[3], data.x[4]]
    found, expected = behind.presence(signals), model.presence(applied[3:5])
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


def test_clips_that_fit_into_a_window_are_windows(run: Run, clips: Path) -> None:
    assert train(run, clips, "--window", "200", "--epochs", "1").json["whole_clips"] is False
    assert (
        train(run, clips, "--window", "200", "--epochs", "1", "--clips", "whole").json["whole_clips"] is True
    )


def test_the_same_from_a_table_with_validation_data_of_its_own(run: Run, clips: Path) -> None:
    def table(name: str, numbers: range) -> str:
        rows = [f"clips/{('none', 'pulse')[i % 2]}/{i:02}.npy,{('', 'pulse')[i % 2]}" for i in numbers]
        Path(name).write_text("\n".join(["file,label", *rows]))
        return name

    training, validation = table("training.csv", range(14)), table("validation.csv", range(14, 20))
    outcome = train(run, training, "--validation", validation, "--window", "20", "--epochs", "2", "--find-lr")
    assert outcome.code == 0, outcome.err
    assert "14 clips of unequal length of 1 label, window 20 elements; 6 for validation" in outcome.err
    assert outcome.json["validation_loss"] > 0


def test_one_of_several_labels(run: Run, clips: Path) -> None:
    layers = sw.Sequential(sw.Conv1d(4, 5), sw.Tanh(), sw.Aggregate("mean"), sw.Linear(2))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    result = train(run, clips, "--loss", "cross_entropy", "--clips", "whole", "--epochs", "2").json
    assert (result["labels"], result["whole_clips"]) == (["none", "pulse"], True)
    assert 0 <= result["validation_accuracy"] <= 1


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_clips_are_tested_as_long_as_they_are(run: Run, clips: Path, loss: str) -> None:
    labels = ("none", "pulse") if loss == "cross_entropy" else ("pulse",)
    layers = sw.Sequential(sw.Conv1d(4, 5), sw.Tanh(), sw.Aggregate("max"), sw.Linear(len(labels)))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    options = ("--loss", loss, "--clips", "whole", "--window", "70", "--learning-rate", "0.03")
    assert train(run, clips, *options, "--epochs", "40").code == 0
    np.save("clips/none/tiny.npy", np.zeros(2))  # smaller than the network, as it may be in training
    result = run("eval", "m", clips, "--json").json
    files = sorted(clips.glob("*/[0-9]*.npy"))  # longer and shorter than the window
    scores = sw.load("m").presence([np.load(file)[None] for file in files]).scores
    found = scores[:, -1] > (scores[:, 0] if loss == "cross_entropy" else 0)
    assert found.tolist() == [file.parent.name == "pulse" for file in files]
    assert (result["samples"], result["accuracy"], result["wrong"]) == (21, 1.0, [])


def test_clips_smaller_than_the_network_are_padded(run: Run, clips: Path) -> None:
    np.save("clips/none/tiny.npy", np.full(2, 5.0))
    outcome = train(run, clips, "--window", "20", "--epochs", "1")
    assert outcome.code == 0, outcome.err
    assert outcome.json["samples"] == 19


def test_files_of_which_no_place_is_known_are_trained_on_beside_windows(run: Run, clips: Path) -> None:
    rows = ["file,start_time,end_time,label"]
    for i in range(1, 20, 2):
        x = np.load(f"clips/pulse/{i:02}.npy")
        start = int(x.argmax())
        place = f"{max(start - 3, 0)},{min(start + 3, len(x))}" if i < 12 else ","
        rows.append(f"clips/pulse/{i:02}.npy,{place},pulse")
    Path("labels.csv").write_text("\n".join(rows))
    result = train(run, "labels.csv", "--window", "12", "--epochs", "2", "--validation", "0").json
    assert (result["whole_clips"], result["skipped"]) == (True, [])
    assert result["samples"] == 2 * 6 + 4
    windows = train(
        run, "labels.csv", "--window", "12", "--epochs", "2", "--validation", "0", "--clips", "windows"
    )
    assert (windows.json["samples"], len(windows.json["skipped"])) == (12, 4)
    whole = train(run, clips, "--window", "12", "--epochs", "2", "--clips", "whole")
    assert whole.json["whole_clips"] is True


def test_trained_again_to_the_same_bits(run: Run, clips: Path) -> None:
    assert train(run, clips, "--window", "20", "--epochs", "2").code == 0
    assert run("train", "--from", "m", "-o", "again").code == 0
    first, again = sw.load("m"), sw.load("again")
    assert first.training is not None
    assert first.training["command"]["clips"] == "auto"
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], value)


@pytest.mark.parametrize("clips_option", ["whole", "mixed"])
def test_a_network_of_one_size(run: Run, clips: Path, clips_option: str) -> None:
    outcome = run("train", clips, "-o", "m", "--network", "mlp", "--clips", clips_option)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: network must end in Aggregate(...) to take signals of any size")
    assert outcome.err.count("\n") == 1
    assert not Path("m").exists()


def test_networks_that_pad_take_windows_unless_asked(run: Run, in_tmp_path: Path) -> None:
    for i in range(8):
        write_picture(Path("pictures", ("none", "dent")[i % 2], f"{i}.png"), 12 + i, 10, seed=i)
    layers = sw.Sequential(sw.Conv2d(2, 3, padding="same"), sw.ReLU(), sw.Aggregate("max"), sw.Linear(1))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    options = ("--window", "8", "--epochs", "1", "--backend", "reference", "--validation", "0")
    assert train(run, "pictures", *options).json["whole_clips"] is False
    assert train(run, "pictures", *options, "--clips", "whole").json["whole_clips"] is True
