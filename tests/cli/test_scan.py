from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from tests.cli.conftest import REFERENCE, Run
from tests.data.conftest import write_image, write_tone


@pytest.fixture
def trace(in_tmp_path: Path) -> Path:
    values = np.zeros(100)
    values[:4] = 4
    np.save(in_tmp_path / "trace.npy", values)
    return in_tmp_path / "trace.npy"


def test_scan_prints_a_table(run: Run, model: Path, trace: Path) -> None:
    np.save("quiet.npy", np.zeros(50))
    outcome = run("scan", model, trace, "quiet.npy", *REFERENCE)
    assert outcome.code == 0, outcome.err
    head, found, quiet = (line.split() for line in outcome.out.splitlines())
    assert head == ["file", "label", "start", "stop", "score"]
    assert found[1] == "pulse"
    assert found[2:4] == ["0", "12"]
    assert float(found[4]) > 0.99
    assert quiet == ["quiet.npy", "nothing", "-", "-", "-"]


def test_scan_writes_csv_and_json(run: Run, model: Path, trace: Path) -> None:
    outcome = run("scan", model, trace, *REFERENCE, "--format", "csv", "-o", "found.csv")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "saved found.csv\n")
    with Path("found.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["pulse"]
    (result,) = run("scan", model, trace, *REFERENCE, "--format", "json").json
    assert result["detections"][0]["start"] == int(rows[0]["start"])
    assert result["presence"]["pulse"] > 0.99
    assert result["extent"] == [100]
    assert result["method"] == "shared"
    assert run("scan", model, trace, *REFERENCE, "--json").json == [result]


def test_the_output_s_ending_chooses_the_format(run: Run, model: Path, trace: Path) -> None:
    for name in ("found.csv", "found.JSON", "found.txt", "found.jsonl"):
        assert run("scan", model, trace, *REFERENCE, "-o", name).code == 0
    assert Path("found.csv").read_text().startswith("file,label,start,stop,score\n")
    assert json.loads(Path("found.JSON").read_text())[0]["detections"]
    assert json.loads(Path("found.jsonl").read_text())["label"] == "pulse"
    assert Path("found.txt").read_text().split()[:2] == ["file", "label"]
    assert run("scan", model, trace, *REFERENCE, "-o", "found.csv", "--format", "table").code == 0
    assert "," not in Path("found.csv").read_text().splitlines()[0]


def test_a_threshold_of_one_finds_nothing(run: Run, model: Path) -> None:
    np.save("weak.npy", np.ones(50))
    found = run("scan", model, "weak.npy", *REFERENCE, "--threshold", "1", "--json").json
    assert found[0]["detections"] == []


def test_places_in_audio_are_seconds(run: Run) -> None:
    net = sw.Sequential(sw.Downsample1d(10), sw.Aggregate("max"), sw.Linear(2))
    listener = sw.Model(net, (1, 400), backend="reference", labels=("none", "loud"), sample_rate=8000)
    listener.parameters["2.weight"] = np.array([[-20.0], [20.0]])
    listener.parameters["2.bias"] = np.array([5.0, -5.0])
    listener.save("m")
    write_tone(Path("a.wav"), 0.3, rate=16000)
    outcome = run("scan", "m", "a.wav", *REFERENCE, "--format", "csv")
    assert outcome.out.splitlines()[0] == "file,label,start_seconds,stop_seconds,score"
    start, stop = (float(text) for text in outcome.out.splitlines()[1].split(",")[2:4])
    assert 0 <= start < 0.05
    assert stop == pytest.approx(start + 0.05, abs=1e-9)


def test_places_in_images_are_boxes(run: Run) -> None:
    net = sw.Sequential(sw.MaxPool2d(4), sw.Flatten(), sw.Linear(2))
    viewer = sw.Model(net, (1, 4, 4), backend="reference", labels=("none", "light"), image_mode="L")
    viewer.parameters["2.weight"] = np.array([[-20.0], [20.0]])
    viewer.parameters["2.bias"] = np.array([5.0, -5.0])
    viewer.save("m")
    pixels = np.zeros((20, 30), np.uint8)
    pixels[9, 14] = 255
    write_image(Path("a.png"), pixels)
    outcome = run("scan", "m", "a.png", *REFERENCE, "--format", "csv")
    head, found = outcome.out.splitlines()
    assert head == "file,label,top,left,bottom,right,score"
    assert found.split(",")[2:6] == ["8", "12", "12", "16"]
    assert "not covered" in outcome.err  # 30 columns are not a multiple of 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(11), "s.npy must be at least as large as the window (12,). Got (11,)."),
        (
            np.full(20, np.nan),
            "s.npy must be finite (as float32). Got nan at index (0, 0).",
        ),
        (np.zeros((2, 20)), "s.npy must have 2 axes and 1 channels, as the model takes. Got shape (2, 20)."),
    ],
)
def test_signals_that_do_not_fit_exit_1(run: Run, model: Path, values: np.ndarray, message: str) -> None:
    np.save("s.npy", values)
    outcome = run("scan", model, "s.npy", *REFERENCE, "-o", "out.csv", "--format", "csv")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"error: {message}\n")
    assert not Path("out.csv").exists()


def test_the_step_edge_and_rule_for_nan_are_the_users(run: Run, model: Path) -> None:
    values = np.zeros(41)
    values[:4] = 4
    np.save("s.npy", values)
    plain = run("scan", model, "s.npy", *REFERENCE, "--step", "10", "--json")
    assert (plain.json[0]["step"], plain.json[0]["uncovered"]) == (10, [[[32, 41]]])
    assert plain.err == "s.npy: 32 of 41 samples (78.0 %); not covered: 32..41\n"
    padded = run("scan", model, "s.npy", *REFERENCE, "--step", "10", "--edge", "pad", "--json")
    assert (padded.json[0]["uncovered"], padded.json[0]["padded"]) == ([[]], [[[32, 41]]])
    assert padded.err == "s.npy: 41 of 41 samples (100.0 %); padded: 32..41\n"
    extended = run("scan", model, "s.npy", *REFERENCE, "--step", "10", "--edge", "extend", "--json")
    assert (extended.json[0]["uncovered"], extended.err) == ([[]], "")
    values[40] = np.inf
    np.save("s.npy", values)
    zero = run("scan", model, "s.npy", *REFERENCE, "--nan", "zero", "--json")
    assert (zero.code, zero.json[0]["replaced"]) == (0, 1)
    assert zero.err == "s.npy: 1 values that are not finite taken as zero\n"
    skip = run("scan", model, "s.npy", *REFERENCE, "--nan", "skip", "--json")
    assert (skip.code, skip.json[0]["skipped"]) == (0, 1)
    assert skip.err.endswith("windows skipped: values at 40..41 are not finite\n")
    np.save("s.npy", np.full(20, np.nan))
    nothing = run("scan", model, "s.npy", *REFERENCE, "--nan", "skip", "--json")
    assert set(nothing.json[0]["presence"].values()) == {None}
    assert run("scan", model, "s.npy", *REFERENCE, "--step", "0").code == 2


def test_resampling_is_said_once(run: Run) -> None:
    net = sw.Sequential(sw.Downsample1d(10), sw.Aggregate("max"), sw.Linear(2))
    sw.Model(net, (1, 400), backend="reference", labels=("none", "loud"), sample_rate=8000).save("m")
    for name, rate in (("a.wav", 16000), ("b.wav", 16000), ("c.wav", 8000)):
        write_tone(Path(name), 0.3, rate=rate)
    outcome = run("scan", "m", "a.wav", "b.wav", "c.wav", *REFERENCE)
    assert outcome.code == 0
    assert outcome.err.count("resampled") == 1
    assert "a.wav: resampled from 16000 Hz to the model's 8000 Hz\n" in outcome.err


def test_a_missing_signal_exits_2(run: Run, model: Path) -> None:
    outcome = run("scan", model, "none.wav", *REFERENCE)
    assert outcome.code == 2
    assert outcome.err == "error: FILE must be an existing file. Got none.wav, which does not exist.\n"


@pytest.mark.parametrize("threshold", ["-0.1", "1.5", "nan"])
def test_a_threshold_is_a_probability(run: Run, model: Path, trace: Path, threshold: str) -> None:
    outcome = run("scan", model, trace, "--threshold", threshold)
    assert outcome.code == 2
    assert "threshold must be between 0 and 1" in outcome.err


def test_windows_are_joined_to_events(run: Run, model: Path) -> None:
    values = np.zeros(100)
    values[20:24] = values[60:64] = 4
    np.save("two.npy", values)

    def places(*options: str) -> list[tuple[int, int]]:
        (result,) = run("scan", model, "two.npy", *REFERENCE, "--json", *options).json
        return [(found["start"], found["stop"]) for found in result["detections"]]

    assert places() == [(16, 28), (56, 68)]
    assert places("--low", "0.2") == [(9, 35), (49, 75)]
    assert places("--low", "0.2", "--merge", "13") == [(9, 35), (49, 75)]
    assert places("--merge", "14") == [(9, 75)]
    assert places("--merge", "14", "--min-extent", "67") == []
    assert places("--merge", "13", "--max-extent", "26") == [(9, 35), (49, 75)]
    assert places("--merge", "13", "--max-extent", "25") == []


def test_extents_of_recordings_are_seconds(run: Run) -> None:
    net = sw.Sequential(sw.Downsample1d(10), sw.Aggregate("max"), sw.Linear(2))
    listener = sw.Model(net, (1, 400), backend="reference", labels=("none", "loud"), sample_rate=8000)
    listener.parameters["2.weight"] = np.array([[-20.0], [20.0]])
    listener.parameters["2.bias"] = np.array([5.0, -5.0])
    listener.save("m")
    write_tone(Path("a.wav"), 0.3, rate=8000)
    (whole,) = run("scan", "m", "a.wav", *REFERENCE, "--merge", "0.01", "--json").json[0]["detections"]
    assert whole["seconds"] == pytest.approx([0, 0.3], abs=0.02)
    for options, count in ((["--min-extent", "0.2"], 1), (["--max-extent", "0.2"], 0)):
        found = run("scan", "m", "a.wav", *REFERENCE, "--merge", "0.01", "--json", *options).json
        assert len(found[0]["detections"]) == count


def test_supports_are_told_if_asked_for(run: Run, model: Path, trace: Path) -> None:
    for options, support in ([], None), (["--support"], [0, 4]):
        (result,) = run("scan", model, trace, *REFERENCE, "--json", *options).json
        assert [found["support"] for found in result["detections"]] == [support]
        assert [found["support_seconds"] for found in result["detections"]] == [None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--low", "0.7"), "low must be at most threshold, 0.5. Got 0.7."),
        (("--low", "nan"), "low must be between 0 and 1. Got nan."),
        (("--merge", "-1"), "merge must be at least 0. Got -1."),
        (("--merge", "1.5"), "merge must be a whole number. Got 1.5."),
        (("--merge", "2x3"), "merge must be a whole number. Got (2, 3)."),
        (("--merge", "far"), "merge must be a number, or whole numbers such as 28x28. Got 'far'."),
        (("--min-extent", "inf"), "min_extent must be finite. Got inf."),
        (("--max-extent", "0"), "max_extent must be at least 1. Got 0."),
    ],
)
def test_extents_and_thresholds_are_checked(
    run: Run, model: Path, trace: Path, options: tuple[str, str], message: str
) -> None:
    outcome = run("scan", model, trace, *options)
    assert (outcome.code, outcome.err) == (2, f"error: {message}\n")


def test_json_output_has_no_nan(run: Run, model: Path, trace: Path) -> None:
    text = run("scan", model, trace, *REFERENCE, "--json").out
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
