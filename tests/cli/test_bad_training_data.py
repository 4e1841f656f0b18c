"""What is wrong with labelled data, and with trainings: what `train` says of it, and what `data check` finds.

`train` refuses what it would learn wrongly from, in one line; `data check` finds that, and what one should know.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

import scanwise as sw
from tests.cli.conftest import REFERENCE, Outcome, Run
from tests.cli.test_train import QUICK
from tests.cli.test_train_again import last_line
from tests.cli.test_wrong_use import one_line
from tests.data.conftest import write_tone
from tests.data.labelled import write_coco, write_picture

EVENTS = "file,start_time,end_time,label"


def train(run: Run, data: object, *options: object) -> Outcome:
    return run("train", data, "-o", "m", "--network", "mlp", "--epochs", "1", *REFERENCE, *options)


def found(run: Run, data: object, *options: object) -> set[str]:
    """The kinds of findings of `data check`; it ends with 1 if something is wrong."""
    outcome = run("data", "check", data, "--json", *options)
    assert outcome.code == (1 if outcome.json["wrong"] else 0), outcome.err
    return {finding["kind"] for finding in outcome.json["findings"]}


def series(*names: str, length: int = 60) -> None:
    for i, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        np.save(name, np.random.default_rng([i, length]).standard_normal(length))


def table(*rows: str, head: str = EVENTS, name: str = "labels.csv", encoding: str = "utf-8") -> str:
    Path(name).write_text("\n".join([head, *rows]) + "\n", encoding=encoding)
    return name


def test_contradicting_labels(run: Run) -> None:
    series("a.npy", "b.npy")
    labels = table("a.npy,none", "a.npy,pulse", "b.npy,none", head="file,label")
    one_line(train(run, labels), 1, "a.npy must not be none and contain something. Got none, pulse.")
    assert "contradiction" in found(run, labels)


def test_overlapping_labels_are_two_at_once(run: Run) -> None:
    series("a.npy")
    labels = table("a.npy,10,20,up", "a.npy,14,24,down", "a.npy,40,50,up")
    outcome = train(run, labels, "--validation", "0", "--json", "--window", "10")
    assert outcome.code == 0, outcome.err
    assert found(run, labels) == {"overlap"}


def test_times_past_the_end(run: Run) -> None:
    series("a.npy")
    labels = table("a.npy,50,70,pulse")
    one_line(train(run, labels), 1, "labels.csv:2 must lie within a.npy, which ends at 60")
    assert "past-the-end" in found(run, labels)


def test_labels_for_missing_recordings(run: Run) -> None:
    series("a.npy")
    labels = table("a.npy,10,20,pulse", "gone.npy,10,20,pulse")
    one_line(train(run, labels), 1, "labels.csv:3 must label a file that exists. Got gone.npy.")
    assert "missing-file" in found(run, labels)


def test_a_label_that_is_everywhere(run: Run) -> None:
    series("a.npy", "b.npy")
    labels = table("a.npy,pulse", "b.npy,pulse", head="file,label")
    one_line(train(run, labels), 1, "with and without label 'pulse'. Got 2, and every sample has it.")
    assert "no-negative" in found(run, labels)


def test_a_label_that_is_nowhere(run: Run) -> None:
    write_picture(Path("a.png"))
    write_picture(Path("b.png"), seed=1)
    write_coco(Path("labels.json"), {"a.png": [("dent", [1, 1, 8, 8])], "b.png": []})
    text = (
        Path("labels.json")
        .read_text()
        .replace('"categories": [', '"categories": [{"id": 99, "name": "hole"}, ')
    )
    Path("labels.json").write_text(text)
    one_line(train(run, "labels.json"), 1, "with and without label 'hole'. Got 2, and no sample has it.")
    assert "no-positive" in found(run, "labels.json")


def test_a_file_in_training_and_validation(run: Run) -> None:
    series(*(f"d/{label}/{i}.npy" for label in ("none", "pulse") for i in range(3)))
    series(*(f"v/{label}/{i}.npy" for label in ("none", "pulse") for i in range(2)), length=50)
    Path("v/pulse/2.npy").symlink_to(Path("d/pulse/1.npy").resolve())
    message = "validation must hold other files than DATA. Got 1 that are in both, such as v/pulse/2.npy."
    one_line(train(run, "d", "--validation", "v"), 1, message)
    outcome = train(run, "d", "--validation", "v", "--on-error", "skip")
    assert outcome.code == 0
    assert "skipped v/pulse/2.npy: it is trained on, too" in outcome.err
    assert "4 for validation" in outcome.err
    one_line(train(run, "d", "--validation", "d", "--on-error", "skip"), 1, "Got 6 that are in both")
    assert "train-and-validation" in found(run, "d", "--validation", "v")


def test_silent_recordings(run: Run) -> None:
    for i in range(4):
        for label in ("none", "tone"):
            Path("d", label).mkdir(parents=True, exist_ok=True)
            soundfile.write(f"d/{label}/{i}.wav", np.zeros(400), 8000)
    one_line(train(run, "d"), 1, "d must hold recordings with sound. Got 8, and all are silent.")
    assert "silence" in found(run, "d")
    for i in range(4):
        write_tone(Path("d/tone", f"{i}.wav"), 0.05, 500)
    layers = sw.Sequential(sw.Conv1d(2, 16), sw.Aggregate("max"), sw.Linear(1))
    Path("n.json").write_text(json.dumps(layers.to_json()))
    for clips in ("windows", "whole"):
        arguments = (
            *REFERENCE,
            "--epochs",
            "1",
            "--clips",
            clips,
            "--validation",
            "0",
            "--network",
            "n.json",
        )
        outcome = run("train", "d", "-o", "m", "--window", "0.04", *arguments)
        assert outcome.code == 0, outcome.err
        assert (
            "4 of 8 recordings are silent throughout: d/none/0.wav, d/none/1.wav, d/none/2.wav and"
            in outcome.err
        )


def test_images_of_mixed_sizes_and_modes(run: Run) -> None:
    """They are brought to one size and mode, which is said."""
    for i in range(4):
        for label in ("none", "dent"):
            write_picture(Path("d", label, f"{i}.png"), H=12 + i, W=10, seed=i, colour=i == 3)
    outcome = train(run, "d", "--json", "--validation", "0")
    assert outcome.code == 0, outcome.err
    assert outcome.json["input_shape"] == [3, 16, 10]
    assert {"mixed-sizes", "mixed-modes"} <= found(run, "d")


def test_unknown_columns(run: Run) -> None:
    series("a.npy", "b.npy")
    labels = table("a.npy,3,pulse", "b.npy,4,none", head="file,start,label".replace("start", "strat"))
    outcome = train(run, labels, "--validation", "0")
    assert outcome.code == 0, outcome.err
    assert "Got also strat: not used.\n" in outcome.err
    assert "unknown-columns" in found(run, labels)
    missing = table("a.npy", name="n.csv", head="file")
    one_line(train(run, missing, "--labels", "table"), 1, "n.csv must have a column 'label'. Got file.")


def test_wrong_encodings(run: Run) -> None:
    series("a.npy", "b.npy")
    labels = table("a.npy,Zaunkönig", "b.npy,none", head="file,label", encoding="latin-1")
    for outcome in (train(run, labels), run("data", "check", labels)):
        one_line(
            outcome, 1, "labels.csv must be text in UTF-8. Got byte 0xf6 at position 22; it can be read with"
        )
    assert train(run, labels, "--encoding", "latin-1", "--validation", "0").code == 0
    assert sw.load("m", backend="reference").labels == ("Zaunkönig",)


class TestTrainings:
    """What is wrong with a training, not with its data."""

    def test_a_check_point_of_another_network_or_damaged(self, run: Run, series: Path, network: Path) -> None:
        arguments = ("train", series, "-o", "m", *QUICK, "--checkpoint", "c")
        model = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 12), backend="reference")
        sw.fit(model, np.zeros((8, 1, 12)), np.arange(8) % 2, epochs=1, checkpoint="c")
        content = Path("c").read_bytes()
        last_line(
            run(*arguments, "--network", network),
            "c must be a check-point of this training. Got a finished one",
        )
        assert Path("c").read_bytes() == content
        Path("c").write_bytes(content[: len(content) // 2])
        last_line(
            run(*arguments, "--network", network), "c: the check-point must be complete. It is truncated."
        )
        assert not Path("m").exists()

    @pytest.mark.parametrize("place", ["-o", "--checkpoint", "--history"])
    def test_a_disk_that_fills_up(self, run: Run, series: Path, network: Path, place: str) -> None:
        places = ("-o", "m") if place == "-o" else ("-o", "m", place, "p")
        with room_for(100):
            outcome = run("train", series, "--network", network, *QUICK, *places)
        last_line(outcome, "File too large")
        assert not Path("m").exists()
        assert not list(Path().glob(".*.part"))

    def test_a_rate_that_diverges_says_step_layer_and_what_to_try(
        self, run: Run, series: Path, network: Path
    ) -> None:
        rate = ("--learning-rate", "1e35", "--optimizer", "sgd")
        outcome = run("train", series, "-o", "m", "--network", network, *rate)
        last_line(outcome, "a smaller one usually helps, such as find_learning_rate (--find-lr) suggests.")
        told = outcome.err.splitlines()[-1]
        assert "epoch 1, step 2 of" in told
        assert "The first value that is not finite" in told
        assert not Path("m").exists()


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can become larger."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
