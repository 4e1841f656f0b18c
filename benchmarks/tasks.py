"""Whole tasks from the command line, in processes of their own: the demo, and training and testing on real data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchmarks import accuracy, false_alarms, mnist, weak_labels
from benchmarks.commands import run, trained


def figures(threads: int, data: Path | None) -> dict[str, float]:
    """Name with unit to value.

    Args:
        threads: for the engine.
        data: a folder with `mnist.npz` and `fsdd/{train,test}/<digit>/*.wav`, or None to leave these tasks out.
    """
    found: dict[str, float] = {}
    if importlib.util.find_spec("sklearn") is not None:
        seconds, result = run(threads, "demo")
        found["scanwise demo, whole command (s)"] = seconds
        found |= {f"scanwise demo, {name}": result[name] for name in ("precision", "recall")}
    if data is not None:
        data = data.resolve()
        speech, digits = data / "fsdd", data / "mnist.npz"
        found |= _named("TDNN on FSDD", threads, speech / "train", speech / "test")
        lenet5 = ("--network", "lenet5", "--epochs", "10")
        found |= _named("LeNet-5 on MNIST, 10 epochs", threads, digits, digits, *lenet5)
        found |= mnist.figures(threads, digits)
        found |= accuracy.figures(threads, data)
        found |= weak_labels.figures(threads, speech)
        found |= false_alarms.figures(threads, speech)
    return found


def _named(name: str, threads: int, training: Path, test: Path, *options: str) -> dict[str, float]:
    result = trained(threads, training, test, *options)
    return {f"{name}: training (s)": result.seconds, f"{name}: accuracy on unseen data": result.accuracy}
