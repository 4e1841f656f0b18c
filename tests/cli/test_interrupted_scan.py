"""Scans of many files that are killed, interrupted or run into a full disk, and go on to the same bytes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from scanwise import load
from tests.cli.conftest import REFERENCE, Run
from tests.cli.test_many_files import files_of, write_traces
from tests.cli.test_wrong_use import command, one_line

Scan = Callable[..., int]

# Children of a process that has imported everything begin at once, and are killed as any other process is.
SERVER = """
import json, os, sys
from scanwise.cli import main, scanning
import safetensors.numpy, scanwise.cli.app, scanwise.plan.executor
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os._exit(main(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def server() -> Iterator[Scan]:
    """Gives a function that scans, kills that some time after the journal has so many lines, and says how it ended."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def scan(model: Path, output: str, kill_after: tuple[int, float] | None = None) -> int:
            requests.write(json.dumps(["scan", str(model), "d", "-o", output]) + "\n")
            requests.flush()
            child = int(answers.readline())
            if kill_after is not None:
                lines, seconds = kill_after
                wait_for(Path(f"{output}.journal"), lines)
                time.sleep(seconds)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return int(answers.readline())

        yield scan
        requests.close()


def wait_for(journal: Path, lines: int) -> None:
    """Until it has so many lines, or has come and gone."""
    patience, seen = time.monotonic() + 10, False
    while time.monotonic() < patience:
        try:
            if journal.read_bytes().count(b"\n") >= lines:
                return
            seen = True
        except FileNotFoundError:
            if seen:
                return
        time.sleep(0.0005)


def test_killed_at_50_moments_it_goes_on_to_the_same_bytes(model: Path) -> None:
    write_traces(Path("d"), 30)
    Path("d/010-damaged.npy").write_bytes(b"no array")
    moments, journal = random.Random(0), Path("out.json.journal")
    lines: list[int] = []
    with server() as scan:
        assert scan(model, "whole.json") == 1
        whole = Path("whole.json").read_bytes()
        assert len(files_of(whole.decode())) == 31
        while len(lines) < 50:
            moment = moments.randrange(31), moments.uniform(0, 0.01)
            if scan(model, "out.json", kill_after=moment) == -signal.SIGKILL:
                lines.append(journal.read_bytes().count(b"\n") if journal.exists() else 0)
                assert scan(model, "out.json") == 1
            assert not journal.exists()
            assert Path("out.json").read_bytes() == whole
            Path("out.json").unlink()
    assert len(set(lines)) >= 10  # different moments


def interrupted(model: Path, *, after: int = 3, stop: int = signal.SIGINT) -> tuple[int, str]:
    """Begins a scan of `d`, and sends it a signal once some files are finished."""
    with subprocess.Popen(
        command("scan", str(model), "d", "-o", "out.json", *REFERENCE), stderr=subprocess.PIPE, text=True
    ) as process:
        journal = Path("out.json.journal")
        while not journal.exists() or journal.read_bytes().count(b"\n") <= after:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(stop)
        _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_says_how_to_go_on(run: Run, model: Path, stop: int, code: int) -> None:
    write_traces(Path("d"), 40, length=3000)
    ended, err = interrupted(model, stop=stop)
    assert ended == code
    assert "Traceback" not in err
    done = int(err.split()[0])
    assert 2 <= done < 40
    assert err.splitlines()[0] == f"{done} of 40 files are done: the same command goes on from there"
    outcome = run("scan", model, "d", "-o", "out.json", *REFERENCE)
    assert outcome.code == 0
    going_on, saved = outcome.err.splitlines()
    assert saved == "saved out.json"
    assert going_on in [  # the signal may have come between the line and its count
        f"going on after {n} of 40 files" for n in (done, done + 1)
    ]
    whole = run("scan", model, "d", "-o", "whole.json", *REFERENCE)
    assert whole.err == "saved whole.json\n"
    assert Path("out.json").read_bytes() == Path("whole.json").read_bytes()
    assert {path.name for path in Path().iterdir()} == {"d", model.name, "out.json", "whole.json"}


@pytest.mark.parametrize(
    ("room", "journal", "full"), [(500, False, "journal"), (3000, True, "journal"), (13_500, True, "output")]
)
def test_on_a_full_disk_what_was_finished_stays_usable(
    run: Run, model: Path, room: int, journal: bool, full: str
) -> None:
    """In bytes, the largest file that may be written: the journal does not fit, or the output, which is larger."""
    write_traces(Path("d"), 20)
    result = subprocess.run(
        command("scan", str(model), "d", "-o", "out.json", *REFERENCE),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert result.returncode == 2
    written = {"journal": "out.json.journal: the journal", "output": "out.json: the file"}[full]
    assert result.stderr.splitlines()[-1] == f"error: {written} must be writable. File too large."
    assert {path.name for path in Path().iterdir()} - {"out.json.journal"} == {"d", model.name}
    assert Path("out.json.journal").exists() == journal
    outcome = run("scan", model, "d", "-o", "out.json", *REFERENCE)
    assert outcome.code == 0, outcome.err
    assert ("going on after" in outcome.err) == journal
    assert run("scan", model, "d", "-o", "whole.json", *REFERENCE).code == 0
    assert Path("out.json").read_bytes() == Path("whole.json").read_bytes()


@pytest.fixture
def begun(model: Path) -> Path:
    """A journal of some of the files in `d`."""
    write_traces(Path("d"), 40, length=3000)
    interrupted(model)
    return Path("out.json.journal")


def test_other_work_than_the_journal_s_is_refused(run: Run, model: Path, begun: Path) -> None:
    content = begun.read_bytes()
    arguments = ("scan", model, "d", "-o", "out.json", *REFERENCE)
    one_line(run(*arguments, "--threshold", "0.7"), 2, "with threshold 0.5, now 0.7")
    np.save("d/new.npy", np.zeros(20))
    one_line(run(*arguments), 2, "of other files: 40, now 41")
    Path("d/new.npy").unlink()
    other = load(model, backend="reference")
    other.parameters["2.bias"] = np.zeros(2)
    other.save(model)
    one_line(run(*arguments), 2, "with another model")
    assert begun.read_bytes() == content
    anew = run(*arguments, "--restart")
    assert (anew.code, anew.err) == (0, "saved out.json\n")
    assert not begun.exists()


def test_what_is_damaged_or_has_changed_is_scanned_again(run: Run, model: Path, begun: Path) -> None:
    content = bytearray(begun.read_bytes())
    lines = content.splitlines(keepends=True)
    content[len(lines[0]) + len(lines[1]) + 30] ^= 1
    begun.write_bytes(content)
    np.save("d/000.npy", np.zeros(3000))
    outcome = run("scan", model, "d", "-o", "out.json", *REFERENCE)
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "out.json.journal is whole up to line 2: what follows in it is scanned again",
        "d/000.npy has changed since it was scanned: it is scanned again",
        "saved out.json",
    ]
    assert run("scan", model, "d", "-o", "whole.json", *REFERENCE).code == 0
    assert Path("out.json").read_bytes() == Path("whole.json").read_bytes()
