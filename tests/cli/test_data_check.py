"""`scanwise data check`: what was understood, what is wrong, and the exit code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.data.labelled import write_picture, write_recording, write_track


@pytest.fixture
def recordings(in_tmp_path: Path) -> Path:
    """Two recordings with label tracks."""
    for i, name in enumerate("ab"):
        write_recording(in_tmp_path / "d" / f"{name}.wav", seed=i)
        write_track(in_tmp_path / "d" / f"{name}.txt", [(0.5, 0.75, "wren"), (1.0, 1.5, "robin")])
    return Path("d")


def test_nothing_wrong_is_exit_code_0(run: Run, recordings: Path) -> None:
    outcome = run("data", "check", recordings)
    assert (outcome.code, outcome.err) == (0, "")
    head, counts, durations, rates, _, *table, _, verdict = outcome.out.splitlines()
    assert head == "d: Audacity's label tracks, audio"
    assert counts == "2 files, 2 labelled; 4 events"
    assert durations == "4 s in all, 2 to 2 s each"
    assert rates == "2 of 8000 Hz"
    assert [row.split() for row in table] == [
        ["label", "files", "events", "seconds"],
        ["robin", "2", "2", "1.00"],
        ["wren", "2", "2", "0.50"],
    ]
    assert verdict == "nothing is wrong"


def test_something_wrong_is_exit_code_1_and_can_be_ignored(run: Run, recordings: Path) -> None:
    write_track(Path("d/b.txt"), [(0.5, 1.1, "wren"), (1.0, 1.5, "robin"), (1.5, 9.0, "wren")])
    write_track(Path("d/c.txt"), [(0.5, 1.1, "wren")])
    outcome = run("data", "check", recordings)
    assert outcome.code == 1
    assert "labels for files that are missing: 1 (missing-file)" in outcome.out
    assert "events of different labels that overlap: 1 (overlap)" in outcome.out
    assert "times or boxes past the end: 1 (past-the-end)" in outcome.out
    assert outcome.out.endswith("3 wrong\n")
    ignored = [
        option for kind in ("overlap", "past-the-end", "missing-file") for option in ("--ignore", kind)
    ]
    assert run("data", "check", recordings, *ignored).code == 0
    assert run("data", "check", recordings, *ignored[2:]).code == 1


def test_as_json(run: Run, recordings: Path) -> None:
    write_recording(Path("d/c.wav"), seed=2)
    outcome = run("data", "check", recordings, "--json")
    result = outcome.json
    assert outcome.code == 0
    assert (result["labels_kept_as"], result["signal"], result["files"]) == ("audacity", "audio", 3)
    assert (result["labelled_files"], result["events"], result["wrong"]) == (2, 4, 0)
    assert result["labels"]["wren"] == {"files": 2, "events": 2, "seconds": 0.5}
    assert result["seconds"] == {"total": 6.0, "shortest": 2.0, "longest": 2.0}
    assert result["sample_rates"] == {"8000": 3}
    assert result["findings"] == [
        {"kind": "unlabelled", "wrong": False, "about": "d/c.wav", "message": "d/c.wav has no labels."}
    ]


def test_validation_data_are_checked_too(run: Run, recordings: Path) -> None:
    write_recording(Path("v/a.wav"))
    write_track(Path("v/a.txt"), [(0.5, 0.75, "wren"), (1.0, 2.5, "robin")])
    outcome = run("data", "check", recordings, "--validation", "v", "--json")
    assert outcome.code == 1
    assert outcome.json["validation"]["files"] == 1
    assert [finding["kind"] for finding in outcome.json["findings"]] == [
        "past-the-end",
        "train-and-validation",
    ]


def test_images_have_sizes_and_modes(run: Run) -> None:
    write_picture(Path("d/dent/a.png"))
    write_picture(Path("d/hole/b.png"), H=10, seed=1, colour=True)
    outcome = run("data", "check", "d")
    assert outcome.code == 1
    assert "1 of 20x30 pixels, 1 of 10x30 pixels" in outcome.out
    assert "1 of L, 1 of RGB" in outcome.out


def test_another_encoding_is_one_line_and_can_be_given(run: Run) -> None:
    write_recording(Path("d/a.wav"))
    write_recording(Path("d/b.wav"), seed=1)
    Path("d/labels.csv").write_bytes("file,label\na.wav,Zaunkönig\nb.wav,none\n".encode("latin-1"))
    outcome = run("data", "check", "d")
    assert outcome.code == 1
    assert outcome.err.startswith("error: d/labels.csv must be text in UTF-8.")
    assert "encoding='latin-1'" in outcome.err
    assert outcome.err.count("\n") == 1
    assert run("data", "check", "d", "--encoding", "latin-1").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "nowhere"), "DATA must be an existing folder or file"),
        (("check", "d", "--folder", "nowhere"), "folder must be an existing folder"),
        (("check", "d", "--ignore", "faults"), "ignore must be one of unreadable-labels"),
        (("check", "d", "--labels", "spreadsheet"), "'spreadsheet' is not one of"),
        ((), "Missing command"),
    ],
)
def test_wrong_use_is_exit_code_2(
    run: Run, recordings: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run("data", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_parquet_without_pyarrow_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("labels.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    outcome = run("data", "check", "labels.parquet")
    assert outcome.code == 2
    assert "pip install 'scanwise[parquet]'" in outcome.err


def test_help_of_the_group_names_its_command(run: Run) -> None:
    assert "check" in run("data", "--help").out
    assert "--ignore" in run("data", "check", "--help").out


def test_ctrl_c_leaves_no_traceback(run: Run, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scanwise.data.annotation.checking.audio.audio_chunks", interrupted)
    outcome = run("data", "check", recordings)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.strip() in ("", "interrupted")  # some versions of typer keep it to themselves
