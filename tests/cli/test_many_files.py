"""Scans of many files: what folders stand for, and files that cannot be read."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np

from tests.cli.conftest import REFERENCE, Run
from tests.cli.test_wrong_use import one_line
from tests.data.conftest import write_tone


def write_traces(folder: Path, number: int, length: int = 100) -> list[Path]:
    """Traces with a pulse each."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    paths = [folder / f"{i:03}.npy" for i in range(number)]
    for i, path in enumerate(paths):
        values = 0.2 * noise.normal(size=length)
        values[7 * i % (length - 10) :][:6] += 3
        np.save(path, values)
    return paths


def files_of(text: str) -> list[str]:
    return [one["file"] for one in json.loads(text)]


def test_a_folder_stands_for_what_the_model_can_read(run: Run, model: Path) -> None:
    write_traces(Path("d/b"), 2)
    write_traces(Path("d/a/deep"), 1)
    write_traces(Path("d/.hidden"), 1)
    np.save("d/z.npy", np.zeros(20))
    np.save("d/.hidden.npy", np.zeros(20))
    Path("d/t.CSV").write_text("\n".join("0" * 20))
    Path("d/notes.txt").write_text("no signal")
    write_tone(Path("d/tone.wav"))
    expected = ["d/t.CSV", "d/z.npy", "d/a/deep/000.npy", "d/b/000.npy", "d/b/001.npy"]
    assert files_of(run("scan", model, "d", *REFERENCE, "--json").out) == expected
    mixed = run("scan", model, "d/b/001.npy", "d", "d/z.npy", "d/b", *REFERENCE, "--json")
    assert files_of(mixed.out) == ["d/b/001.npy", *expected[:-1]]


def test_links_lead_to_each_file_once(run: Run, model: Path) -> None:
    write_traces(Path("d"), 1)
    write_traces(Path("elsewhere"), 1)
    Path("d/loop").symlink_to(Path("d").absolute())
    Path("d/more").symlink_to(Path("elsewhere").absolute())
    Path("d/same.npy").symlink_to("000.npy")
    Path("d/self").symlink_to("self")
    found = files_of(run("scan", model, "d", "d/more/000.npy", *REFERENCE, "--json").out)
    assert found == ["d/000.npy", "d/more/000.npy"]


def test_odd_names(run: Run, model: Path) -> None:
    names = ["a\nb.npy", os.fsdecode(b"caf\xe9.npy"), "-o.npy", " .npy", "ü.npy", "\x1b[31m.npy"]
    Path("d").mkdir()
    for name in names:
        np.save(Path("d", name), np.zeros(20))
    np.save(Path("d", "short\n.npy"), np.zeros(2))
    outcome = run("scan", model, "d", *REFERENCE, "-o", "out.json")
    assert outcome.code == 1
    assert files_of(Path("out.json").read_text()) == [f"d/{name}" for name in sorted([*names, "short\n.npy"])]
    assert outcome.err.splitlines()[0].startswith("error: d/short\\n.npy must be at least as large")


def test_a_folder_without_signals(run: Run, model: Path) -> None:
    write_traces(Path("d"), 1)
    Path("empty").mkdir()
    message = "empty must hold at least one file that the model reads (.csv, .npy). Got none."
    one_line(run("scan", model, "d", "empty", *REFERENCE, "-o", "out"), 1, message)
    assert sorted(path.name for path in Path().iterdir()) == ["d", "empty", model.name]


def test_what_cannot_be_read_does_not_stop_the_others(run: Run, model: Path) -> None:
    write_traces(Path("d"), 2)
    np.save("d/0-short.npy", np.zeros(3))
    np.save("d/nan.npy", np.full(20, np.nan))
    Path("d/empty.npy").touch()
    Path("d/gone.npy").symlink_to("nowhere")
    os.mkfifo("d/pipe.npy")
    for form in ("json", "csv", "table"):
        outcome = run("scan", model, "d", *REFERENCE, "-o", "out", "--format", form)
        assert outcome.code == 1
        lines = outcome.err.splitlines()
        assert lines[-2:] == ["saved out", "5 of 7 files could not be scanned"]
        names = [f"d/{name}.npy" for name in ("0-short", "empty", "gone", "nan", "pipe")]
        assert all(name in line for name, line in zip(names, lines[:-2], strict=True))
        text = Path("out").read_text()
        if form == "json":
            failed = {one["file"]: one["error"] for one in json.loads(text) if "error" in one}
            assert list(failed) == names
            assert [f"error: {reason}" for reason in failed.values()] == lines[:-2]
            assert files_of(text)[1:3] == ["d/000.npy", "d/001.npy"]
        elif form == "csv":
            rows = list(csv.reader(text.splitlines()))
            assert rows[0] == ["file", "label", "start", "stop", "score"]
            assert rows[1] == ["d/0-short.npy", "", "", "", ""]
        else:
            assert text.splitlines()[1].split() == ["d/0-short.npy", "not", "scanned", "-", "-", "-"]
        assert not Path("out.journal").exists()


def test_if_no_file_can_be_read_nothing_is_written(run: Run, model: Path) -> None:
    for name in "ab":
        np.save(f"{name}.npy", np.zeros(3))
    outcome = run("scan", model, "a.npy", "b.npy", *REFERENCE, "-o", "out")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[-1] == "2 of 2 files could not be scanned: out is not written"
    assert {path.name for path in Path().iterdir()} == {"a.npy", "b.npy", model.name}


def test_wrong_use_is_found_before_anything_is_scanned(run: Run, model: Path) -> None:
    write_traces(Path("d"), 2)
    Path("folder.journal").mkdir()
    Path("d/out.csv").symlink_to("000.npy")
    for arguments, message in (
        (("missing", "d", "-o", "out"), "missing"),
        ((model, "d", "missing.npy", "-o", "out"), "FILE must be an existing file. Got missing.npy"),
        ((model, "d", "-o", "out", "--threshold", "2"), "threshold must be between 0 and 1"),
        ((model, "d", "-o", "folder"), "output must be a file. Got folder.journal, which is a folder."),
        ((model, "d", "-o", "d/new.csv"), "output must lie outside the folders that are scanned"),
    ):
        one_line(run("scan", *arguments, *REFERENCE), 2, message)
    assert sorted(path.name for path in Path().iterdir()) == ["d", "folder.journal", model.name]
    assert run("scan", model, "d", "-o", "d/found.txt", *REFERENCE).code == 0


def test_without_an_output_there_is_no_journal(run: Run, model: Path) -> None:
    write_traces(Path("d"), 3)
    before = sorted(Path().iterdir())
    assert run("scan", model, "d", *REFERENCE).code == 0
    assert sorted(Path().iterdir()) == before
