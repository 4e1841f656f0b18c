"""Scanwise's own command line, in processes of their own: what a user gets from a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple


class Trained(NamedTuple):
    """What a training gave.

    Attributes:
        seconds: of training alone, without reading the data.
        accuracy: on unseen data.
    """

    seconds: float
    accuracy: float


def trained(threads: int, training: Path, test: Path, *options: str) -> Trained:
    """Train on one set of data with options of `scanwise train`, and evaluate on the other."""
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        model = str(Path(folder, "model.safetensors"))
        _, result = run(threads, "train", str(training.resolve()), "-o", model, *options)
        _, tested = run(threads, "eval", model, str(test.resolve()))
    return Trained(result["seconds"], tested["accuracy"])


def run(threads: int, *arguments: str) -> tuple[float, Any]:
    """Seconds and result of one command."""
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "scanwise", *arguments, "--json"],
            env={**os.environ, "SCANWISE_THREADS": str(threads)},
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - started, json.loads(done.stdout)
