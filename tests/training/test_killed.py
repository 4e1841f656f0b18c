"""Trainings that are killed at any moment, and go on to the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from scanwise.training.checkpoint_file import Saved, read

# What trains: dropout, moments, a schedule, validation and early stopping, which all have something to remember.
# Children of a process that has compiled everything begin at once, and are killed as any other process is. A child
# tells its progress: a byte when a step is done, when a check-point is written but not in its place, and when it is.
SERVER = """
import os, pathlib, sys
import numpy as np
import scanwise as sw
from scanwise.training import run
from scanwise.training.native_program import NativeProgram

NETWORK = sw.Sequential(sw.Conv1d(8, 3), sw.ReLU(), sw.Dropout(0.3), sw.Aggregate("max"), sw.Linear(3))
random = np.random.default_rng(0)
x, y = random.standard_normal((50, 1, 16)).astype(np.float32), random.integers(0, 3, 50)

def train(path):
    model = sw.Model(NETWORK, (1, 16), seed=1)
    sw.fit(
        model, x, y, epochs=4, batch_size=10, optimizer=sw.AdamW(sw.OneCycle(0.02)), validation_data=0.2, seed=2,
        callbacks=[sw.EarlyStopping(patience=3)], checkpoint=sw.Checkpoint(path, every=0),
    )

def telling(function, after):
    def tells(*arguments):
        if not after:
            os.write(1, b".")
        result = function(*arguments)
        if after:
            os.write(1, b".")
        return result
    return tells

run.SLICE_SECONDS = 0.0
train(sys.argv[1])
os.write(1, b"#")
NativeProgram.advance = telling(NativeProgram.advance, True)
os.fsync = telling(lambda *_: None, False)  # a killed process, unlike the power, leaves what it has written
pathlib.Path.replace = telling(pathlib.Path.replace, True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.write(1, b"%d\\n" % os.getpid())
        train(line.strip())
        os.write(1, b"!")
        os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"#")
"""

Train = Callable[[Path, int | None], int]


@contextmanager
def server(whole: Path) -> Iterator[Train]:
    """Gives a function that trains, kills that after so many signs of progress, and says how many there were."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(whole)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def train(path: Path, kill_after: int | None) -> int:
            requests.write(f"{path}\n".encode())
            child = int(b"".join(iter(lambda: answers.read(1), b"\n")))
            seen = 0
            while (sign := answers.read(1)) == b".":
                seen += 1
                if seen == kill_after:
                    os.kill(child, signal.SIGKILL)
            if sign == b"!":
                sign = answers.read(1)
            assert sign == b"#"
            return seen

        assert answers.read(1) == b"#"  # everything is compiled
        yield train
        requests.close()


def result(path: Path) -> Saved:
    saved = read(path)
    assert saved is not None
    assert saved.finished
    return saved


def test_killed_at_50_moments_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole", tmp_path / "checkpoint"
    moments = random.Random(0)
    kills = 0
    with server(whole) as train:
        expected = result(whole)
        signs = train(path, None)  # of a training that is not killed
        assert signs > 40
        path.unlink()
        while kills < 50:
            for _ in range(moments.randint(1, 4)):  # the same training several times
                train(path, moments.randrange(1, signs))
                saved = read(path) if path.exists() else None
                kills += saved is None or not saved.finished
            train(path, None)
            found = result(path)
            assert found.run == expected.run
            for name, value in expected.parameters.items():
                assert found.parameters[name].tobytes() == value.tobytes(), name
            for one, other in zip(found.history["epochs"], expected.history["epochs"], strict=True):
                assert one | {"seconds": 0} == other | {"seconds": 0}
            for name in ("stopped", "best_epoch", "interrupted"):
                assert found.history[name] == expected.history[name]
            path.unlink()
            assert [place.name for place in tmp_path.iterdir()] == ["whole"]
    assert not np.array_equal(*(expected.history["epochs"][i]["loss"] for i in (0, 1)))
