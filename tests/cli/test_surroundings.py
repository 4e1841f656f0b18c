"""What surrounds a command: signals, streams that are closed or not UTF-8, names that are no text, other commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import REFERENCE, Run
from tests.cli.test_wrong_use import command, one_line
from tests.data.conftest import write_tone


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "1e400", "0", "-3", "1.5", "1x", "x", "1x2x3x4", "9" * 5000]
)
def test_input_shapes_that_are_none(run: Run, network: Path, text: str) -> None:
    outcome = run("inspect", network, f"--input-shape={text}")
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert "must be" in outcome.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"layers": [{"kind": "Linear", "out_features": 2, "out_features": 3}]}',
            "Got 'out_features' twice",
        ),
        (
            '{"layers": [{"kind": "Linear", "out_features": ' + "9" * 5000 + "}]}",
            "network must be a JSON file",
        ),
        (
            '{"layers": [{"kind": "LeakyReLU", "negative_slope": NaN}]}',
            "negative_slope must be a finite number",
        ),
        ("[" * 100_000, "nested at most"),
        ('{"layers": ', "network must be a JSON file"),
        ("", "network must be a JSON file"),
        ("null", "network must be a JSON object"),
    ],
)
def test_network_files_that_are_none(run: Run, text: str, message: str) -> None:
    Path("n.json").write_text(text)
    one_line(run("inspect", "n.json", "--input-shape", "1x9"), 2, message)


def test_an_output_never_replaces_an_input(run: Run, series: Path, model: Path, network: Path) -> None:
    content = {path: path.read_bytes() for path in (series, model, network)}
    message = "output must be another file than those that are read"
    os.link(series, "twin.csv")
    for output in (series, "./" + series.name, "twin.csv", network):
        one_line(run("train", series, "-o", output, "--network", network, *REFERENCE), 2, message)
    shutil.copy(series, "v.csv")
    one_line(run("train", series, "-o", "v.csv", "--validation", "v.csv", *REFERENCE), 2, message)
    np.save("s.npy", np.zeros(20))
    for output in ("s.npy", model):
        one_line(run("scan", model, "s.npy", "-o", output, *REFERENCE), 2, message)
    assert content == {path: path.read_bytes() for path in content}


@pytest.mark.parametrize("window", ["nan", "inf", "1e300", "0", "-1"])
def test_windows_of_audio_that_are_none(run: Run, window: str) -> None:
    for label in "ab":
        write_tone(Path(f"d/{label}/0.wav"))
    one_line(run("train", "d", "-o", "m", "--window", window), 2, "window must be")


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, **settings}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_labels_and_file_names_that_are_no_text(model: Path, encoding: str) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m\n.npy")
    signal_ = np.zeros(20)
    signal_[5:9] = 3
    np.save(name, signal_)
    for form in ("table", "json", "csv"):
        arguments = command("scan", str(model), name, *REFERENCE, "--format", form)
        result = subprocess.run(
            arguments, capture_output=True, check=False, env=environment(PYTHONIOENCODING=encoding)
        )
        assert (result.returncode, result.stderr) == (0, b"")
        assert b"pulse" in result.stdout
        if form == "json":
            assert json.loads(result.stdout)[0]["file"] == name
        if form == "table":
            assert b"\x1b" not in result.stdout
            assert result.stdout.count(b"\n") == 2
        written = subprocess.run([*arguments, "-o", f"out.{form}"], capture_output=True, check=False)
        assert written.returncode == 0, written.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(model: Path, closed: str) -> None:
    code = "import sys; from scanwise.cli import main; sys.exit(main())"
    for arguments, expected in (("inspect 'MODEL'", 0), ("inspect missing", 2), ("--version", 0)):
        line = f"'{sys.executable}' -c '{code}' {arguments.replace('MODEL', str(model))} {closed}"
        result = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        assert result.returncode == expected, result.stderr
        assert "Traceback" not in result.stderr
        assert "error" not in result.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0])
def test_signals_end_a_training_cleanly(series: Path, number: int, code: int, delay: float) -> None:
    before = set(Path().iterdir())
    with subprocess.Popen(
        command("train", str(series), "-o", "m", "--epochs", "1000000", *REFERENCE, "--network", "mlp"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "samples of 2 labels" in process.stderr.readline()  # it has begun
        time.sleep(delay)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    written = set(Path().iterdir()) - before
    assert written <= {Path("m")}
    if written:
        assert subprocess.run(command("inspect", "m"), capture_output=True, check=False).returncode == 0
