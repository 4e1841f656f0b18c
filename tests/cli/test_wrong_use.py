"""Every wrong input: one line on standard error, the right exit code, nothing half-written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import REFERENCE, Outcome, Run
from tests.data.conftest import write_image, write_tone


def one_line(outcome: Outcome, code: int, message: str) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def train(run: Run, data: str, *options: str) -> Outcome:
    outcome = run("train", data, "-o", "m", *REFERENCE, *options)
    assert not Path("m").exists()
    assert not list(Path().glob("**/*.part"))
    return outcome


def test_missing_data(run: Run) -> None:
    one_line(
        train(run, "nowhere"),
        2,
        "DATA must be an existing folder or file. Got nowhere, which does not exist.",
    )


def test_empty_folder(run: Run) -> None:
    Path("d").mkdir()
    one_line(train(run, "d"), 1, "d must hold one sub-folder per label. Got none.")


def test_one_label_only(run: Run) -> None:
    write_tone(Path("d/only/0.wav"))
    one_line(train(run, "d"), 1, "d must hold at least 2 labels. Got 1: 'only'.")


def test_label_without_files(run: Run) -> None:
    write_tone(Path("d/a/0.wav"))
    Path("d/b").mkdir()
    one_line(train(run, "d"), 1, "d/b must hold at least one file. Got none.")


def test_label_with_one_file(run: Run) -> None:
    for name in ("a/0", "a/1", "b/0"):
        write_tone(Path(f"d/{name}.wav"))
    one_line(train(run, "d"), 1, "label 'b' must have at least 2 samples")
    one_line(
        train(run, "d", "--patience", "2", "--validation", "0", "--network", "mlp"),
        2,
        "patience must be left out",
    )


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVEfmt "])
def test_unreadable_file(run: Run, content: bytes) -> None:
    write_tone(Path("d/a/0.wav"))
    Path("d/b").mkdir()
    Path("d/b/0.wav").write_bytes(content)
    one_line(train(run, "d"), 1, "d/b/0.wav must be a WAV, FLAC or OGG file. Got")


def test_nan_in_data(run: Run) -> None:
    x = np.zeros((4, 2, 6))
    x[3, 1, 5] = np.nan
    np.savez("d.npz", x=x, y=np.arange(4) % 2)
    one_line(
        train(run, "d.npz"),
        1,
        "x[3] in d.npz must hold values that are finite as float32. Got nan at position (1, 5).",
    )


def test_channels_that_differ(run: Run) -> None:
    for name, channels in (("a", 2), ("b", 3)):
        Path("d", name).mkdir(parents=True)
        np.save(f"d/{name}/0.npy", np.zeros((channels, 9)))
    one_line(
        train(run, "d"), 1, "d/b/0.npy must have 2 axes, channels included, and 2 channels, as d/a/0.npy has"
    )


def test_mixed_kinds(run: Run) -> None:
    write_tone(Path("d/a/0.wav"))
    write_image(Path("d/b/0.png"), np.zeros((4, 4), np.uint8))
    one_line(
        train(run, "d"), 1, "d must hold files of one kind. Got audio (d/a/0.wav) and image (d/b/0.png)."
    )


def test_window_larger_than_memory(run: Run, series: Path) -> None:
    one_line(
        train(run, str(series), "--window", "1e14"),
        2,
        "window must be small enough for 40 clips to fit into memory",
    )


@pytest.mark.parametrize("window", ["0", "-3", "2.5", "3x4", "axb", "3x4x5", "", "nan", "inf"])
def test_windows_that_are_none(run: Run, series: Path, window: str) -> None:
    one_line(train(run, str(series), "--window", window), 2, "window must be")


def test_unknown_network(run: Run, series: Path) -> None:
    one_line(train(run, str(series), "--network", "alexnet"), 2, "network must be one of mlp, lenet5")
    one_line(train(run, str(series), "--network", "lenet5"), 2, "network 'lenet5': input must be an image")
    one_line(
        train(run, str(series), "--network", "no.json"),
        2,
        "network must be an existing file. Got no.json, which does not exist.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "network must be a JSON file. Got n.json"),
        ("[" * 100_000, "network must be nested at most 50 levels deep. Got n.json."),
        ('{"layers":[' * 400 + "]}" * 400, "layers must be nested at most 50 levels deep"),
        ("[]", "network must be a JSON object with 'layers'"),
    ],
    ids=["broken", "brackets", "nested", "list"],
)
def test_network_files_that_are_none(run: Run, series: Path, text: str, message: str) -> None:
    Path("n.json").write_text(text)
    one_line(train(run, str(series), "--network", "n.json"), 2, message)
    one_line(run("inspect", "n.json", "--input-shape", "1x20"), 2, message)


@pytest.mark.parametrize("validation", ["1", "1.5", "-0.2", "nan"])
def test_validation_fractions_that_are_none(run: Run, series: Path, validation: str) -> None:
    one_line(
        train(run, str(series), "--validation", validation), 2, "validation must be a path, or a fraction"
    )


def test_validation_data_that_do_not_exist(run: Run, series: Path) -> None:
    one_line(train(run, str(series), "--validation", "nowhere"), 2, "Got nowhere, which does not exist")


@pytest.mark.parametrize(
    "options",
    [("--epochs", "0"), ("--epochs", "two"), ("--batch-size", "0"), ("--seed", "-1"), ("--optimizer", "lion"),
     ("--on-error", "ignore"), ("--sample-rate", "0"), ("--patience", "0"), ("--nonsense",)],
)  # fmt: skip
def test_wrong_options(run: Run, series: Path, options: tuple[str, ...]) -> None:
    one_line(train(run, str(series), *options), 2, "See 'scanwise train --help'.")


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_wrong_learning_rates(run: Run, series: Path, rate: str) -> None:
    outcome = train(run, str(series), "--network", "mlp", "--learning-rate", rate)
    assert outcome.code == 2
    assert "lr_max must be" in outcome.err
    assert "Traceback" not in outcome.err


def test_missing_arguments_and_commands(run: Run) -> None:
    one_line(run("train"), 2, "Missing option '--output'")
    one_line(run("train", "-o", "m"), 2, "DATA must be given, unless --from names a model")
    one_line(run("train", "d"), 2, "Missing option '--output'")
    one_line(run("trian"), 2, "No such command 'trian'")
    bare = run()
    assert (bare.code, bare.out) == (2, "")
    assert "Usage: scanwise" in bare.err


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nowhere/m", "output must be in a folder that exists. Got nowhere/m."),
        (".", "output must be a file. Got ., which is a folder."),
        (os.devnull, "output must be an ordinary file."),
    ],
)
def test_output_that_cannot_be_written_is_found_before_training(
    run: Run, model: Path, series: Path, output: str, message: str
) -> None:
    one_line(run("train", series, "-o", output, *REFERENCE), 2, message)
    np.save("s.npy", np.zeros(20))
    one_line(run("scan", model, "s.npy", "-o", output, *REFERENCE), 2, message)


def test_a_folder_that_must_not_be_written_to(
    run: Run, series: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    one_line(
        run("train", series, "-o", "m", *REFERENCE),
        2,
        "output must be in a folder that can be written to. Got m.",
    )


def test_disk_full_while_saving(
    run: Run, series: Path, model: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before = sorted(Path().iterdir())
    outcome = run("train", series, "-o", "m", "--network", network, *REFERENCE, "--epochs", "1")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == "error: m: the file must be writable. No space left on device."
    np.save("s.npy", np.zeros(20))
    outcome = run("scan", model, "s.npy", "-o", "out", *REFERENCE)
    assert (outcome.code, outcome.err) == (
        2,
        "error: out: the file must be writable. No space left on device.\n",
    )
    assert sorted(Path().iterdir()) == sorted([*before, Path("s.npy")])


@pytest.mark.parametrize("damage", ["truncated", "flipped", "newer", "text", "empty", "missing", "folder"])
@pytest.mark.parametrize("command", ["eval", "scan", "inspect"])
def test_model_files_that_are_none(run: Run, model: Path, series: Path, command: str, damage: str) -> None:
    content = bytearray(model.read_bytes())
    if damage == "truncated":
        content = content[:-5]
    elif damage == "flipped":
        content[-1] ^= 1
    elif damage == "newer":
        content = content.replace(rb"\"version\":1", rb"\"version\":9")
        assert rb"\"version\":9" in content
    bad = Path("bad")
    if damage == "folder":
        bad.mkdir()
    elif damage != "missing":
        bad.write_bytes({"text": b"no model at all", "empty": b""}.get(damage, bytes(content)))
    arguments = {"eval": ("bad", series), "scan": ("bad", series), "inspect": ("bad",)}[command]
    one_line(run(command, *arguments), 2, "bad")


def test_ctrl_c_leaves_no_traceback(
    run: Run, series: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scanwise.cli.evaluation.open_labelled", interrupted)
    outcome = run("eval", model, series, *REFERENCE)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.strip() in ("", "interrupted")  # some versions of typer keep it to themselves


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from scanwise.cli import main; sys.exit(main())", *arguments]


def test_output_that_nobody_reads_or_fits_nowhere(model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command("inspect", str(model)), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (
        2,
        "error: the output must be writable. No space left on device\n",
    )
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        command("inspect", str(model)), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


def test_help_imports_neither_numpy_nor_rich() -> None:
    """So that it is quick. How quick is among the figures of `python -m benchmarks`."""
    code = (
        "import sys; from scanwise.cli import main; code = main(['--help']);"
        "assert not {'numpy', 'llvmlite', 'rich', 'soundfile', 'PIL'} & set(sys.modules), sys.modules; sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Does this pattern occur anywhere in a signal, and where?" in result.stdout


def test_version(run: Run) -> None:
    import scanwise

    outcome = run("--version")
    assert (outcome.code, outcome.out) == (0, f"scanwise {scanwise.__version__}\n")
