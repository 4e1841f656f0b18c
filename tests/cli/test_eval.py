from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scanwise.cli.evaluation import summarise
from tests.cli.conftest import REFERENCE, Run


def test_measures_are_those_of_the_confusion_matrix() -> None:
    result = summarise(np.array([[5, 1, 0], [2, 2, 0], [0, 0, 0]]), ("a", "b", "c"))
    assert result["accuracy"] == pytest.approx(0.7)
    assert result["labels"]["a"] == {
        "precision": pytest.approx(5 / 7),
        "recall": pytest.approx(5 / 6),
        "samples": 6,
    }
    assert result["labels"]["b"] == {"precision": pytest.approx(2 / 3), "recall": 0.5, "samples": 4}
    assert result["labels"]["c"] == {"precision": None, "recall": None, "samples": 0}


def test_eval_prints_accuracy_measures_and_confusion(run: Run, model: Path, series: Path) -> None:
    outcome = run("eval", model, series, *REFERENCE)
    assert outcome.code == 0
    accuracy, measures, confusion, intervals = outcome.out.split("\n\n")
    assert accuracy == "accuracy 100.00 % of 40 samples"
    assert measures.splitlines()[1].split() == ["none", "100.00", "%", "100.00", "%", "20"]
    assert confusion.splitlines()[2].split() == ["pulse", ".", "20"]
    assert intervals.splitlines()[0].split("  ")[0] == "95 % intervals"
    assert "100.0 % (86.1 to 100.0)" in intervals.splitlines()[2]


def test_eval_as_json(run: Run, model: Path) -> None:
    for label in ("none", "pulse"):
        Path("d", label).mkdir(parents=True)
        np.save(Path("d", label, "0.npy"), np.zeros(12))
    result = run("eval", model, "d", *REFERENCE, "--json").json
    assert result["accuracy"] == 0.5
    assert result["confusion"] == [[1, 0], [1, 0]]
    assert result["wrong"] == [{"file": "d/pulse/0.npy", "label": "pulse", "predicted": "none"}]


def test_one_label_is_enough_to_test_on(run: Run, model: Path) -> None:
    Path("d.csv").write_text("0,0,0,none\n")
    assert run("eval", model, "d.csv", *REFERENCE, "--json").json["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,0,0,other\n", "d.csv must hold only the model's labels (none, pulse). Got other."),
        ("", "d.csv must be a CSV file in UTF-8. Got an empty file (0 bytes)."),
        ("0,nan,0,none\n", "d.csv, line 1, value 2, must be a finite number. Got nan."),
    ],
)
def test_data_that_do_not_fit_are_one_line_and_exit_1(
    run: Run, model: Path, content: str, message: str
) -> None:
    Path("d.csv").write_text(content)
    outcome = run("eval", model, "d.csv", *REFERENCE)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"error: {message}\n")


def test_wrong_channels_are_named(run: Run, model: Path) -> None:
    np.savez("d.npz", x=np.zeros((4, 3, 12)), y=np.array(["none", "pulse"] * 2))
    outcome = run("eval", model, "d.npz", *REFERENCE)
    assert (outcome.code, outcome.err) == (
        1,
        "error: d.npz must have 1 channels, as the model takes. Got 3.\n",
    )


def test_another_kind_of_data_is_refused(run: Run, model: Path) -> None:
    np.savez("d.npz", x=np.zeros((4, 1, 5, 12)), y=np.array(["none", "pulse"] * 2))
    outcome = run("eval", model, "d.npz", *REFERENCE)
    assert outcome.code == 1
    assert "must hold series, as the model takes. Got images." in outcome.err
