"""Whole tasks from the command line, in processes of their own: the demo, and training and testing on real data."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import mnist, weak_labels


def figures(threads: int, data: Path | None) -> dict[str, float]:
    """Name with unit to value.

    Args:
        threads: for the engine.
        data: a folder with `mnist.npz` and `fsdd/{train,test}/<digit>/*.wav`, or None to leave these tasks out.
    """
    found: dict[str, float] = {}
    if importlib.util.find_spec("sklearn") is not None:
        seconds, result = _run(threads, "demo")
        found["scanwise demo, whole command (s)"] = seconds
        found |= {f"scanwise demo, {name}": result[name] for name in ("precision", "recall")}
    if data is not None:
        data = data.resolve()
        speech, digits = data / "fsdd", data / "mnist.npz"
        found |= _trained("TDNN on FSDD", threads, speech / "train", speech / "test")
        lenet5 = ("--network", "lenet5", "--epochs", "10")
        found |= _trained("LeNet-5 on MNIST, 10 epochs", threads, digits, digits, *lenet5)
        found |= mnist.figures(threads, digits)
        found |= weak_labels.figures(threads, speech)
    return found


def _trained(name: str, threads: int, training: Path, test: Path, *options: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        model = str(Path(folder, "model.safetensors"))
        _, trained = _run(threads, "train", str(training), "-o", model, *options)
        _, tested = _run(threads, "eval", model, str(test))
    return {
        f"{name}: training (s)": trained["seconds"],
        f"{name}: accuracy on unseen data": tested["accuracy"],
    }


def _run(threads: int, *arguments: str) -> tuple[float, Any]:
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
