"""Runs commands in this process, and makes the tiny data and models that they work on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], in_tmp_path: Path) -> Run:
    """Runs one command in an empty folder."""

    def command(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return command


def pulses(number: int, scale: float = 1.0, offset: float = 0.0) -> tuple[Any, Any]:
    """Series of 12 elements of noise, half of them with a pulse."""
    random = np.random.default_rng(number)
    x = 0.3 * random.normal(size=(number, 1, 12)).astype(np.float32)
    y = np.arange(number) % 2
    for i in np.flatnonzero(y):
        start = random.integers(0, 9)
        x[i, 0, start : start + 4] += 2
    return offset + scale * x, np.array(["none", "pulse"])[y]


@pytest.fixture
def series(in_tmp_path: Path) -> Path:
    """A CSV file of 40 series."""
    x, y = pulses(40)
    rows = [",".join([*(f"{v:.4f}" for v in sample[0]), name]) for sample, name in zip(x, y, strict=True)]
    path = in_tmp_path / "series.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def network(in_tmp_path: Path) -> Path:
    """A network file for these series."""
    path = in_tmp_path / "network.json"
    layers = sw.Sequential(sw.Conv1d(4, 5), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2))
    path.write_text(json.dumps(layers.to_json()))
    return path


@pytest.fixture
def model(in_tmp_path: Path) -> Path:
    """A model that finds a pulse where the mean of four neighbours exceeds 1."""
    net = sw.Sequential(sw.Conv1d(1, 4), sw.Aggregate("max"), sw.Linear(2))
    found = sw.Model(net, (1, 12), backend="reference", labels=("none", "pulse"))
    found.parameters["0.weight"] = np.full((1, 1, 4), 0.25)
    found.parameters["2.weight"] = np.array([[-8.0], [8.0]])
    found.parameters["2.bias"] = np.array([8.0, -8.0])
    path = in_tmp_path / "model.safetensors"
    found.save(path)
    return path


REFERENCE = ("--backend", "reference")
