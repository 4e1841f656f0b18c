"""`scanwise calibrate`, and what the other commands then do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

import scanwise as sw
from scanwise.model_file import _parse
from tests.cli.conftest import Run
from tests.cli.test_wrong_use import one_line
from tests.data.labelled import write_track
from tests.evaluation.detectors import RATE, detector, write_field

HOUR = ("--false-alarms-per-hour", "150")


@pytest.fixture
def field(in_tmp_path: Path) -> Path:
    return write_field(in_tmp_path / "field")


@pytest.fixture
def saved(in_tmp_path: Path) -> Path:
    model = detector()
    model.history, model.training = ({"loss": 0.25},), {"seed": 7}
    path = in_tmp_path / "m.safetensors"
    model.save(path)
    return path


def test_it_rewrites_the_model_and_keeps_all_else(run: Run, saved: Path, field: Path) -> None:
    before, _ = _parse(saved, saved.read_bytes())
    outcome = run("calibrate", saved, field, *HOUR)
    assert outcome.code == 0
    assert outcome.err == f"saved {saved}\n"
    head, row = outcome.out.splitlines()
    assert head.split("  ")[0] == "label"
    assert "false alarms per hour" in head
    assert row.split()[0] == "click"
    assert "at most 150" in row
    after, tensors = _parse(saved, saved.read_bytes())
    assert {k: v for k, v in after["model"].items() if k != "calibration"} == before["model"]
    assert after["model"]["calibration"]["data"] == "field"
    for name, value in detector().parameters.items():
        assert tensors[name].tobytes() == value.tobytes()
    assert not list(Path().glob("**/*.part"))


def test_json_and_another_file(run: Run, saved: Path, field: Path) -> None:
    before = saved.read_bytes()
    outcome = run("calibrate", saved, field, *HOUR, "--output", "other", "--json", "--level", "0.9")
    assert saved.read_bytes() == before
    result = outcome.json
    click = result["labels"]["click"]
    model = sw.load("other")
    assert model.thresholds is not None
    assert click["threshold"]["value"] == model.thresholds["click"].value
    assert click["threshold"]["level"] == 0.9
    assert (click["events"], click["reason"], click["files_left_out"]) == (12, None, 0)
    assert (result["model"], result["files"]) == ("other", 12)
    assert result["calibration"]["rule"] == "tolerance"


def test_scan_stream_and_inspect_use_it_and_say_so(run: Run, saved: Path, field: Path) -> None:
    plain = run("scan", saved, field / "00.wav", "--json")
    assert plain.err == ""
    run("calibrate", saved, field, *HOUR)
    model = sw.load(saved)
    assert model.thresholds is not None
    told = f"thresholds: click {model.thresholds['click']}\n"
    assert "at most 150 false alarms an hour, " in told
    outcome = run("scan", saved, field / "00.wav", "--json")
    assert outcome.err == told
    stated = str(model.thresholds["click"].value)
    explicit = run("scan", saved, field / "00.wav", "--json", "--threshold", stated)
    assert (explicit.err, explicit.out) == ("", outcome.out)
    assert told.strip() in run("inspect", saved).out.splitlines()
    assert run("inspect", saved, "--json").json["calibration"]["data"] == "field"
    _, remark = run("scan", saved, field / "00.wav", "--step", "3").err.splitlines()
    assert remark.startswith(
        "what they promise was counted with the network's own step and windows that compete,"
    )


def test_a_label_with_too_little_data_keeps_one_half(run: Run, field: Path) -> None:
    detector(("click", "thump")).save("two")
    outcome = run("calibrate", "two", field, "--precision", "0.5")
    assert outcome.code == 1
    reason, saved = outcome.err.splitlines()
    assert reason.startswith(
        "label 'thump' keeps 0.5, without a promise: some threshold must have a precision"
    )
    assert saved == "saved two"
    assert outcome.out.splitlines()[2].split() == ["thump", "-", "-", "-", "-", "of", "0", "-"]
    assert "thump 0.5 (nothing promised)" in run("scan", "two", field / "00.wav").err


def test_too_little_for_every_label_writes_nothing(run: Run, saved: Path, field: Path) -> None:
    before = saved.read_bytes()
    outcome = run("calibrate", saved, field, "--false-alarms-per-hour", "1")
    one_line(
        outcome, 1, "label 'click': there must be at least 3 hours of data without events to promise 1 false"
    )
    assert saved.read_bytes() == before


def test_files_that_only_contain_it_are_said_to_count_no_false_alarm(run: Run, saved: Path) -> None:
    for number in range(8):
        path = Path("d", "click" if number < 2 else "background", f"{number}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(path), np.zeros(20 * RATE), RATE)
    outcome = run("calibrate", saved, "d", *HOUR)
    assert outcome.code == 0
    assert (
        "2 files are only said to contain 'click' somewhere: no false alarms of it are counted" in outcome.err
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "exactly one of false_alarms_per_hour, false_alarms_per_megapixel, precision must be given"),
        ((*HOUR, "--precision", "0.5"), 2, "exactly one of"),
        (("--false-alarms-per-megapixel", "1"), 2, "must be asked of images. Got audio."),
        (
            (*HOUR, "--tolerance", "1", "--overlap", "0.5"),
            2,
            "only one of tolerance and overlap may be given",
        ),
        ((*HOUR, "--tolerance", "-1"), 2, "distance must be at least 0"),
        ((*HOUR, "--low", "3"), 2, "must be between 0 and 1"),
        ((*HOUR, "--output", "no/where"), 2, "output must be in a folder that exists"),
        (("--precision", "1.5"), 2, "precision must be above 0 and below 1"),
        ((*HOUR, "--labels", "coco"), 1, ""),
    ],
)
def test_wrong_use(
    run: Run, saved: Path, field: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    before = saved.read_bytes()
    one_line(run("calibrate", saved, field, *options), code, message)
    assert saved.read_bytes() == before


def test_data_that_cannot_be_used(run: Run, saved: Path, field: Path) -> None:
    one_line(run("calibrate", saved, "nowhere", *HOUR), 2, "DATA must be an existing folder or file")
    one_line(run("calibrate", "nowhere", field, *HOUR), 2, "nowhere")
    write_track(field / "00.txt", [(1.0, 2.0, "wren")])
    one_line(run("calibrate", saved, field, *HOUR), 1, "must hold only the model's labels (click). Got wren.")
    (field / "00.txt").unlink()
    (field / "01.wav").write_bytes(b"RIFF....WAVEfmt ")
    one_line(run("calibrate", saved, field, *HOUR), 1, "01.wav must be a WAV, FLAC or OGG file")
    outcome = run("calibrate", saved, field, *HOUR, "--on-error", "skip")
    assert outcome.code == 0
    assert "01.wav" in outcome.err.splitlines()[0]


def test_no_file_of_the_data_is_replaced(run: Run, saved: Path, field: Path) -> None:
    for name in ("00.wav", "00.txt"):
        before = (field / name).read_bytes()
        wrong = run("calibrate", saved, field, *HOUR, "-o", field / name)
        one_line(wrong, 2, "output must be another file than those that are read")
        assert (field / name).read_bytes() == before


def test_labels_of_several_lines_are_said_in_one(run: Run, field: Path) -> None:
    detector(("a\nb", "c\td")).save("lines")
    one_line(run("calibrate", "lines", field, *HOUR), 1, r"only the model's labels (a\nb, c\td). Got click")


def test_clips_of_an_archive(run: Run, in_tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = 0.2 * random.standard_normal((80, 1, 40))
    x[1::2, 0, 5:8] = 0.8
    np.savez("d.npz", x=x, y=np.array(["none", "click"] * 40))
    model = detector(("click", "none"), loss="cross_entropy")
    model.sample_rate = None
    model.save("m")
    outcome = run("calibrate", "m", "d.npz", "--precision", "0.8", "--json")
    assert (outcome.code, list(outcome.json["labels"])) == (0, ["click"])
    assert outcome.json["labels"]["click"]["threshold"]["unit"] == "clip"
    one_line(
        run("calibrate", "m", "d.npz", "--precision", "0.8", "--tolerance", "1"), 2, "rule must be left out"
    )


def test_a_full_disk_leaves_the_model(
    run: Run, saved: Path, field: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before, files = saved.read_bytes(), sorted(Path().iterdir())
    one_line(run("calibrate", saved, field, *HOUR), 2, "the file must be writable. No space left on device.")
    assert (saved.read_bytes(), sorted(Path().iterdir())) == (before, files)


def test_an_interruption_leaves_the_model(
    run: Run, saved: Path, field: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before, files = saved.read_bytes(), sorted(Path().iterdir())
    for place in ("scanwise.evaluation.scanned.detect", "os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(place, interrupted)
            outcome = run("calibrate", saved, field, *HOUR)
        assert (outcome.code, outcome.out) == (130, "")
        assert (saved.read_bytes(), sorted(Path().iterdir())) == (before, files)
