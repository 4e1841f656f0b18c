"""Trainings that can be looked at, done again, gone on with, and that find their learning rate."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from tests.cli.conftest import REFERENCE, Outcome, Run, pulses
from tests.cli.test_train import QUICK, interrupt
from tests.cli.test_wrong_use import command, one_line
from tests.data.conftest import write_tone

OPTIONS = (*QUICK, "--seed", "4", "--optimizer", "sgd", "--validation", "0.25", "--patience", "2")


def parameters_of(path: str) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in sw.load(path, backend="reference").parameters.items()}


def last_line(outcome: Outcome, message: str) -> None:
    """An error that is found after the data have been read and described."""
    assert outcome.code == 2
    error = outcome.err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


class TestFrom:
    def test_the_same_parameters_from_the_file_alone(self, run: Run, series: Path, network: Path) -> None:
        outcome = run("train", series, "-o", "m", "--network", network, *OPTIONS)
        assert outcome.code == 0, outcome.err
        network.unlink()
        outcome = run("train", "--from", "m", "-o", "again")
        assert outcome.code == 0, outcome.err
        assert "not the training" not in outcome.err
        assert parameters_of("again") == parameters_of("m")
        before, after = (sw.load(name, backend="reference") for name in ("m", "again"))
        assert after.training == before.training
        assert after.history is not None
        assert before.history is not None
        assert [row | {"seconds": 0} for row in after.history] == [
            row | {"seconds": 0} for row in before.history
        ]

    def test_standardised_series_and_named_networks(self, run: Run) -> None:
        x, y = pulses(40, scale=1e-3, offset=50.0)
        np.savez("d.npz", x=x, y=y)
        assert run("train", "d.npz", "-o", "m", "--network", "mlp", *QUICK, "--find-lr").code == 0
        outcome = run("train", "--from", "m", "-o", "again")
        assert outcome.code == 0, outcome.err
        assert "found by trying" in outcome.err
        assert parameters_of("again") == parameters_of("m")
        limits = sw.load("m", backend="reference").input_range
        assert limits is not None
        assert limits == pytest.approx((x.min(), x.max()), rel=1e-6)

    def test_recordings(self, run: Run) -> None:
        for label, hertz in (("high", 2000.0), ("low", 250.0)):
            for i in range(3):
                write_tone(Path("clips", label, f"{i}.wav"), 0.05, hertz + 10 * i, rate=8000)
        options = (*QUICK, "--network", "mlp", "--sample-rate", "4000", "--window", "0.02")
        assert run("train", "clips", "-o", "m", *options).code == 0
        assert run("train", "--from", "m", "-o", "again").code == 0
        assert parameters_of("again") == parameters_of("m")

    def test_other_data_are_said(self, run: Run, series: Path, network: Path) -> None:
        assert run("train", series, "-o", "m", "--network", network, *OPTIONS).code == 0
        other = Path("other.csv")
        other.write_text(series.read_text().replace("0.1", "0.2"))
        outcome = run("train", other, "--from", "m", "-o", "again")
        assert outcome.code == 0, outcome.err
        assert "not the training of m: the data and the validation data differ" in outcome.err

    def test_refused(self, run: Run, series: Path, network: Path, model: Path) -> None:
        one_line(
            run("train", "--from", model, "-o", "again"), 2, "from must be a model that 'scanwise train'"
        )
        one_line(run("train", "-o", "again"), 2, "DATA must be given, unless --from names a model")
        one_line(run("train", "--from", "none", "-o", "again"), 2, "existing file")
        assert run("train", series, "-o", "m", "--network", network, *QUICK).code == 0
        one_line(
            run("train", "--from", "m", "-o", "again", "--epochs", 5, "--find-lr"),
            2,
            "Got --epochs, --find-lr.",
        )
        one_line(
            run("train", "--from", "m", "-o", "m"), 2, "output must be another file than those that are read"
        )
        trained = sw.load("m", backend="reference")
        assert trained.training is not None
        trained.training["command"] = {"epochs": 3}
        trained.save("damaged")
        one_line(run("train", "--from", "damaged", "-o", "again"), 2, "must be one that can be done again")
        series.unlink()
        assert run("train", "--from", "m", "-o", "again").code != 0
        assert not Path("again").exists()


class TestInspect:
    def test_training_and_history_are_shown(self, run: Run, series: Path, network: Path) -> None:
        assert (
            run("train", series, "-o", "m", "--network", network, *OPTIONS[:-2], "--epochs", "20").code == 0
        )
        outcome = run("inspect", "m")
        assert outcome.code == 0
        for part in (f"trained on {series}", "optimizer SGD(lr=OneCycle(", "seed 4", "epoch    loss", "..."):
            assert part in outcome.out, outcome.out
        assert "30, checksum " in outcome.out
        found = run("inspect", "m", "--json").json
        assert found["training"]["command"]["data"] == series.name or str(series)
        assert len(found["history"]) >= 3
        assert set(found["history"][0]) >= {"loss", "validation_loss", "learning_rate"}

    def test_a_model_without_them(self, run: Run, model: Path) -> None:
        assert "trained" not in run("inspect", model).out
        assert run("inspect", model, "--json").json["training"] is None


class TestCheckpoint:
    def test_ctrl_c_and_the_same_command(
        self, run: Run, series: Path, network: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arguments = ("train", series, "--network", network, *OPTIONS, "--checkpoint", "c")
        assert run(*arguments, "-o", "whole").code == 0
        assert not Path("c").exists()
        with monkeypatch.context() as patch:
            interrupt(patch, epochs=2)
            outcome = run(*arguments, "-o", "m")
        assert outcome.code == 130
        assert "saved in m; the same command goes on from c" in outcome.err
        assert Path("c").exists()
        Path("m").unlink()
        outcome = run(*arguments, "-o", "m", "--json")
        assert outcome.code == 0, outcome.err
        assert "going on from c\n" in outcome.err
        assert outcome.json["epochs"] == 3
        assert parameters_of("m") == parameters_of("whole")
        assert not Path("c").exists()

    def test_terminated_natively(self, run: Run, series: Path, network: Path) -> None:
        """By SIGTERM, wherever it finds the training."""
        arguments = ["train", str(series), "--network", str(network), "--epochs", "3000", "--checkpoint", "c"]
        with subprocess.Popen(command(*arguments, "-o", "m"), stderr=subprocess.PIPE, text=True) as process:
            while not Path("c").exists():
                assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 143
        assert "the same command goes on from c" in err
        saved = Path("c").read_bytes()
        last_line(run(*arguments[:-3], "2000", "--checkpoint", "c", "-o", "m"), "with epochs 3000, now 2000")
        assert Path("c").read_bytes() == saved

    def test_refused(self, run: Run, series: Path, network: Path) -> None:
        arguments = ("train", series, "--network", network, *QUICK, "-o", "m")
        one_line(run(*arguments, "--checkpoint", "m"), 2, "checkpoint must be another file than output")
        one_line(run(*arguments, "--checkpoint", series), 2, "checkpoint must be another file than those")
        one_line(run(*arguments, "--checkpoint", "no/c"), 2, "checkpoint must be in a folder that exists")
        Path("text").write_text("a file of the user's")
        last_line(run(*arguments, "--checkpoint", "text"), "text: the file must be a check-point")
        assert Path("text").read_text() == "a file of the user's"
        assert not Path("m").exists()


class TestPlot:
    def test_a_picture(self, run: Run, series: Path, network: Path) -> None:
        outcome = run("train", series, "-o", "m", "--network", network, *OPTIONS, "--plot", "h.png")
        assert outcome.code == 0, outcome.err
        assert Path("h.png").read_bytes().startswith(b"\x89PNG")

    def test_one_epoch_without_validation(self, run: Run, series: Path, network: Path) -> None:
        options = (*REFERENCE, "--epochs", "1", "--validation", "0", "--plot", "h.PNG")
        outcome = run("train", series, "-o", "m", "--network", network, *options)
        assert outcome.code == 0, outcome.err
        assert Path("h.PNG").exists()

    def test_refused(self, run: Run, series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        arguments = ("train", series, "-o", "m", *QUICK)
        one_line(run(*arguments, "--plot", "h.jpg"), 2, "plot must be a file that ends in .png. Got h.jpg")
        one_line(run(*arguments, "--plot", "no/h.png"), 2, "plot must be in a folder that exists")
        find: Any = __import__("importlib.util").util.find_spec
        monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == "matplotlib" else find(n))
        one_line(run(*arguments, "--plot", "h.png"), 2, "--plot needs matplotlib")
        assert not Path("m").exists()


class TestFindRate:
    def test_it_is_said_and_used(self, run: Run, series: Path, network: Path) -> None:
        outcome = run(
            "train",
            series,
            "-o",
            "m",
            "--network",
            network,
            *REFERENCE,
            "--epochs",
            "20",
            "--find-lr",
            "--json",
        )
        assert outcome.code == 0, outcome.err
        said = next(line for line in outcome.err.splitlines() if line.startswith("learning rate"))
        rates = [epoch["learning_rate"] for epoch in outcome.json["history"]["epochs"]]
        assert max(rates) == pytest.approx(float(said.split()[2].rstrip(",")), rel=0.2)
        assert outcome.json["loss"] < outcome.json["history"]["epochs"][0]["loss"]

    def test_not_with_a_rate(self, run: Run, series: Path) -> None:
        arguments = ("train", series, "-o", "m", *QUICK, "--find-lr", "--learning-rate", "0.1")
        one_line(run(*arguments), 2, "learning-rate must be left out with --find-lr. Got 0.1.")


def test_a_rate_that_diverges_is_one_line(run: Run, series: Path) -> None:
    layers = sw.Sequential(sw.Flatten(), sw.Linear(8), sw.ReLU(), sw.Linear(8), sw.ReLU(), sw.Linear(2))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    outcome = run(
        "train", series, "-o", "m", "--network", "n.json", "--learning-rate", "1e30", "--optimizer", "sgd"
    )
    last_line(outcome, "find_learning_rate (--find-lr) suggests. The first value that is not finite")
    assert not Path("m").exists()


class TestHistoryLines:
    def test_a_line_an_epoch_and_the_same_from_the_model(self, run: Run, series: Path, network: Path) -> None:
        outcome = run("train", series, "-o", "m", "--network", network, *OPTIONS, "--history", "h.jsonl")
        assert outcome.code == 0, outcome.err
        rows = [json.loads(line) for line in Path("h.jsonl").read_text().splitlines()]
        assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
        assert [json.loads(line) for line in run("inspect", "m", "--history").out.splitlines()] == rows
        again = run("train", "--from", "m", "-o", "again", "--history", "again.jsonl")
        assert again.code == 0, again.err
        told = [json.loads(line)["loss"] for line in Path("again.jsonl").read_text().splitlines()]
        assert told == [row["loss"] for row in rows]

    def test_wrong_places(self, run: Run, series: Path, network: Path) -> None:
        arguments = ("train", series, "-o", "m", "--network", network, *QUICK)
        for place, message in (
            ("m", "history must be another file than output and checkpoint. Got m for both."),
            (series, "history must be another file than those that are read."),
            ("gone/h", "history must be in a folder that exists."),
        ):
            outcome = run(*arguments, "--history", place)
            assert (outcome.code, outcome.out) == (2, "")
            assert outcome.err.startswith(f"error: {message}")

    def test_a_model_without(self, run: Run, model: Path) -> None:
        outcome = run("inspect", model, "--history")
        assert outcome.code == 2
        assert outcome.err.startswith("error: model must have been trained to have a history. Got")
