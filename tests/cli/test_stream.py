from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import scanwise as sw
from scanwise.calibration import Calibration, Threshold
from tests.cli.conftest import REFERENCE, Outcome, Run
from tests.cli.test_wrong_use import command, one_line

RATE = 8000


@pytest.fixture
def listener(in_tmp_path: Path) -> Path:
    """A model that hears whether a window of 50 ms holds something loud."""
    net = sw.Sequential(sw.MaxPool1d(40), sw.Aggregate("max"), sw.Linear(2))
    model = sw.Model(net, (1, 400), labels=("none", "loud"), sample_rate=RATE)
    model.parameters["2.weight"] = np.array([[-20.0], [20.0]])
    model.parameters["2.bias"] = np.array([5.0, -5.0])
    path = in_tmp_path / "listener.safetensors"
    model.save(path)
    return path


def clicks(*places: int, length: int = 8000) -> NDArray[np.int16]:
    values = np.random.default_rng(0).integers(-50, 50, length).astype("<i2")
    values[list(places)] = 20_000
    return values


@pytest.fixture
def stream(run: Run, listener: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def command_(content: bytes, *options: object, model: Path = listener) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
        return run("stream", model, *options)

    return command_


def scanned(listener: Path, values: NDArray[np.int16]) -> list[dict[str, Any]]:
    signal_ = (values / 2**15).astype(np.float32)[np.newaxis]
    found = sw.scan(sw.load(listener), signal_).detections()
    return [
        {
            "label": d.label,
            "score": d.score,
            "start": d.start,
            "stop": d.stop,
            "seconds": list(d.seconds or ()),
        }
        for d in found
    ]


@pytest.mark.parametrize("backend", [(), REFERENCE])
def test_it_finds_what_a_scan_finds(stream: Any, listener: Path, backend: tuple[str, ...]) -> None:
    values = clicks(1000, 2500, 2600, 6000)
    outcome = stream(values.tobytes(), "--json", *backend)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert sorted(lines, key=lambda line: line["start"]) == scanned(listener, values)
    assert len(lines) == 3


def test_a_line_has_time_label_and_score(stream: Any) -> None:
    (line,) = stream(clicks(4000).tobytes()).out.splitlines()
    start, stop, label, score = line.split()
    assert float(start) <= 0.5 <= float(stop)
    assert float(stop) - float(start) == pytest.approx(0.05)
    assert label == "loud"
    assert float(score) > 0.99


def test_wav_of_another_rate_with_two_channels(stream: Any) -> None:
    values = np.repeat(clicks(4000), 2)
    file = io.BytesIO()
    soundfile.write(file, np.stack([values, values], axis=1), 2 * RATE, "PCM_16", format="WAV")
    outcome = stream(file.getvalue(), "--json")
    assert outcome.err == "resampling from 16000 to 8000 Hz\n"
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["seconds"][0] <= 0.5 <= json.loads(line)["seconds"][1]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_raw_samples(stream: Any, dtype: str) -> None:
    values = clicks(4000) / 2**15
    if dtype == "uint8":
        content = (values * 127 + 128).astype(dtype)
    else:
        content = (values * (np.iinfo(dtype).max if dtype.startswith("int") else 1)).astype(dtype)
    outcome = stream(content.tobytes(), "--dtype", dtype, "--rate", RATE)
    assert len(outcome.out.splitlines()) == 1, outcome.err


def test_what_is_left_is_said(stream: Any) -> None:
    outcome = stream(clicks(4000, length=8010).tobytes() + b"\0")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "the last 1 bytes are no whole sample of all channels and were left out",
        "not covered: the last 0.001 s, less than a window or a step",
    ]
    assert "not covered: the last 0.001 s" in stream(clicks(4, length=10).tobytes()).err


@pytest.mark.parametrize(
    ("content", "options", "code", "message"),
    [
        (b"", (), 1, "standard input must be audio. Got nothing"),
        (b"This is a letter and no audio. " * 5, (), 1, "Got text"),
        (b"OggS" + bytes(99), (), 1, "Got Ogg"),
        (
            np.full(9, np.nan, "<f4").tobytes(),
            ("--dtype", "float32"),
            1,
            "finite samples. Got nan at sample 0",
        ),
        (b"\0" * 99, ("--threshold", "2"), 2, "threshold must be between 0 and 1"),
        (b"\0" * 99, ("--dtype", "int7"), 2, "int7"),
        (b"\0" * 99, ("--rate", "0"), 2, "0"),
        (b"\0" * 99, ("--channels", "0"), 2, "0"),
    ],
)
def test_wrong_input(stream: Any, content: bytes, options: tuple[str, ...], code: int, message: str) -> None:
    one_line(stream(content, *options), code, message)


def test_wrong_models(stream: Any) -> None:
    sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (2, 4)).save("two")
    one_line(stream(b"\0" * 99, model="two"), 2, "one channel for 'stream'. Got 2")
    sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 4, 4)).save("image")
    one_line(stream(b"\0" * 99, model="image"), 2, "must be (C, T) for a stream")


def test_a_terminal_and_no_input_at_all(run: Run, listener: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    one_line(run("stream", listener), 2, "from a pipe or a file. Got a terminal, or none")


def opened(listener: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command("stream", str(listener), *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_detection_is_printed_while_the_stream_goes_on(listener: Path) -> None:
    with opened(listener) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(clicks(4000).tobytes())
        process.stdin.flush()
        assert b"loud" in process.stdout.readline()
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_ctrl_c_prints_the_rest(listener: Path) -> None:
    """A window whose neighbours have not all come yet is printed at the end."""
    with opened(listener) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(clicks(1000, 7990).tobytes())
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert b"loud" in process.stdout.read()
        assert process.stderr.read() == b""
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_whoever_reads_has_seen_enough(listener: Path) -> None:
    with opened(listener) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(clicks(1000).tobytes())
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(clicks(1000, 3000).tobytes())
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(listener: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("stream", str(listener)),
            input=clicks(1000).tobytes(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the output must be writable. No space left")
    assert done.stderr.count(b"\n") == 1


def test_the_model_s_own_thresholds(stream: Any, listener: Path) -> None:
    model = sw.load(listener)
    loud = Threshold(0.95, "precision", 0.9, 0.95, 0.9, 1.0, 0.95, 40.0, unit="detection")
    model.calibration = Calibration((("loud", loud),))
    model.save(listener)
    content = clicks(4000).tobytes()
    outcome = stream(content, "--json")
    assert outcome.err.splitlines()[0] == f"thresholds: loud {loud}"
    assert outcome.out == stream(content, "--json", "--threshold", "0.95").out
