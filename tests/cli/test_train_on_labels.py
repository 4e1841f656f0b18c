"""`scanwise train` and `eval` take labels of every kind, and then give each label a probability of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from tests.cli.conftest import REFERENCE, Outcome, Run
from tests.data.labelled import write_coco, write_picture, write_voc


def train(run: Run, data: object, *options: str) -> Outcome:
    return run("train", data, "-o", "m", "--epochs", "2", "--network", "mlp", *REFERENCE, "--json", *options)


@pytest.fixture
def events(in_tmp_path: Path) -> Path:
    """Eight series of 60 elements, each with a pulse that a table locates."""
    rows = ["file,start_time,end_time,label"]
    for i in range(8):
        x = 0.1 * np.random.default_rng(i).standard_normal(60)
        x[20:28] += 3.0 if i % 2 else -3.0
        np.save(f"{i}.npy", x)
        rows.append(f"{i}.npy,20,28,{'up' if i % 2 else 'down'}")
    Path("labels.csv").write_text("\n".join(rows))
    return Path("labels.csv")


def test_windows_about_events_and_background_from_the_gaps(run: Run, events: Path) -> None:
    outcome = train(run, events, "--background", "2")
    assert outcome.code == 0, outcome.err
    result = outcome.json
    assert (result["labels"], result["input_shape"]) == (["down", "up"], [1, 8])
    assert result["samples"] == 7 * 3
    assert "labels down, up; each by itself: 14 samples have none of them" in outcome.err
    assert "3 for validation" in outcome.err
    assert "trained on labels.csv (background 2)\n" in run("inspect", "m").out
    cut = train(run, events, "--background", "0", "--cut", "1", "--validation", "0")
    assert cut.json["samples"] == 16
    model = sw.load("m", backend="reference")
    assert (model.loss, model.labels) == ("binary_cross_entropy", ("down", "up"))


def test_eval_of_such_a_model(run: Run, events: Path) -> None:
    assert train(run, events, "--validation", "0", "--epochs", "40").code == 0
    result = run("eval", "m", events, *REFERENCE, "--json").json
    assert result["samples"] == 16
    assert result["labels"]["up"]["samples"] == 4
    assert result["accuracy"] > 0.9
    text = run("eval", "m", events, *REFERENCE).out
    assert "(all labels right)" in text
    assert text.splitlines()[2].split() == ["label", "precision", "recall", "samples"]


def test_eval_of_one_of_several_labels_takes_gaps_for_background(run: Run, events: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(3)), (1, 8), labels=("down", "none", "up"))
    model.parameters["1.weight"] = np.outer([-1, 0, 1], np.ones(8))
    model.parameters["1.bias"] = [0, 4, 0]
    model.loss = "cross_entropy"
    model.save("m")
    result = run("eval", "m", events, *REFERENCE, "--json").json
    assert result["confusion"] == [[4, 0, 0], [0, 8, 0], [0, 0, 4]]
    assert result["events"]["labels"]["up"]["hits"] == 4
    without = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 8), labels=("down", "up"))
    without.loss = "cross_entropy"
    without.save("m")
    refused = run("eval", "m", events, *REFERENCE)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith("labels.csv has 8 samples with none and 0 with several.\n")


def test_validation_data_of_the_same_labels(run: Run, events: Path) -> None:
    rows = events.read_text().splitlines()
    Path("others.csv").write_text("\n".join([rows[0], *rows[5:]]))
    events.write_text("\n".join(rows[:5]))
    outcome = train(run, events, "--validation", "others.csv")
    assert outcome.code == 0, outcome.err
    assert "8 for validation" in outcome.err


def folders(*labels: str) -> Path:
    for k, label in enumerate(labels):
        for i in range(4):
            Path("d", label).mkdir(parents=True, exist_ok=True)
            np.save(Path("d", label, f"{i}.npy"), np.random.default_rng([k, i]).standard_normal(12) + k)
    return Path("d")


def test_a_folder_with_background_has_a_probability_for_each_label(run: Run) -> None:
    outcome = train(run, folders("Background", "dent", "hole"))
    assert outcome.json["labels"] == ["dent", "hole"]
    assert sw.load("m", backend="reference").loss == "binary_cross_entropy"
    assert run("eval", "m", "d", *REFERENCE, "--json").json["samples"] == 12


def test_one_label_and_background_is_a_detector(run: Run) -> None:
    assert train(run, folders("none", "dent")).json["labels"] == ["dent"]
    assert run("eval", "m", "d", *REFERENCE, "--json").code == 0
    found = run("scan", "m", "d/dent/0.npy", *REFERENCE, "--json")
    assert found.code == 0


def test_a_folder_without_background_and_an_explicit_loss(run: Run) -> None:
    assert train(run, folders("dent", "hole")).json["labels"] == ["dent", "hole"]
    assert sw.load("m", backend="reference").loss == "cross_entropy"
    train(run, "d", "--loss", "binary_cross_entropy")
    assert sw.load("m", backend="reference").loss == "binary_cross_entropy"
    assert train(run, folders("none"), "--loss", "cross_entropy").json["labels"] == ["dent", "hole", "none"]
    assert sw.load("m", backend="reference").loss == "cross_entropy"


def test_a_table_of_one_label_a_file_is_one_of_several(run: Run) -> None:
    folders("dent", "hole")
    rows = [f"{label}/{i}.npy,{label}" for label in ("dent", "hole") for i in range(4)]
    Path("d/labels.csv").write_text("\n".join(["file,label", *rows]))
    assert train(run, "d/labels.csv").code == 0
    assert sw.load("m", backend="reference").loss == "cross_entropy"
    assert run("eval", "m", "d/labels.csv", *REFERENCE, "--json").json["samples"] == 8
    with Path("d/labels.csv").open("a") as file:
        file.write("\ndent/0.npy,hole\n")
    assert train(run, "d/labels.csv").code == 0
    assert sw.load("m", backend="reference").loss == "binary_cross_entropy"
    refused = train(run, "d/labels.csv", "--loss", "cross_entropy")
    assert refused.code == 2
    assert "every sample must have exactly one of several labels for cross_entropy; binary_" in refused.err


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_boxes_in_images(run: Run, kind: str) -> None:
    for i in range(4):
        write_picture(Path(f"d/{i}.png"), 40, 40, seed=i)
        if kind == "voc":
            write_voc(Path(f"d/{i}.xml"), f"{i}.png", [("dent", (3, 5, 10, 12))])
    if kind == "coco":
        write_coco(Path("d/labels.json"), {f"{i}.png": [("dent", [2, 4, 8, 8])] for i in range(4)})
    outcome = train(run, "d", "--labels", kind, "--validation", "0")
    assert outcome.code == 0, outcome.err
    assert outcome.json["input_shape"] == [1, 8, 8]
    assert outcome.json["samples"] == 8


def test_what_is_wrong_with_labels_is_one_line(run: Run, events: Path) -> None:
    with events.open("a") as file:
        file.write("\ngone.npy,0,8,up\n")
    outcome = train(run, events)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "error: labels.csv:10 must label a file that exists. Got gone.npy.\n"
    skipped = train(run, events, "--on-error", "skip")
    assert skipped.code == 0
    assert "skipped labels.csv:10: labels.csv:10 must label a file that exists" in skipped.err


def test_options_of_labels_do_not_go_with_other_data(run: Run, series: Path, network: Path) -> None:
    outcome = run("train", series, "-o", "m", "--network", network, "--unlabelled", *REFERENCE)
    assert outcome.code == 2
    assert "options of labels must be left out" in outcome.err


def test_a_network_file_for_another_number_of_labels_is_refused(run: Run) -> None:
    layers = sw.Sequential(sw.Flatten(), sw.Linear(3))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    outcome = run("train", folders("none", "dent", "hole"), "-o", "m", "--network", "n.json", *REFERENCE)
    assert outcome.code == 2
    assert "network must give one score for each of the 2 labels" in outcome.err


def test_a_pipe_is_not_waited_for(run: Run) -> None:
    os.mkfifo("pipe.csv")
    outcome = train(run, "pipe.csv")
    assert (outcome.code, outcome.out) == (2, "")
    assert "DATA must be an ordinary file" in outcome.err
