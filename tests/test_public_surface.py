"""The names that users see cannot drift unnoticed, and importing the package costs next to nothing."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import scanwise

PUBLIC = {
    "AdamW", "Aggregate", "ArgumentError", "ArgumentTypeError", "AvgPool1d", "AvgPool2d", "Callback", "Conv1d",
    "Conv2d", "Cosine", "Coverage", "DataError", "Detection", "DivergedError", "Downsample1d", "Downsample2d",
    "Dropout", "EarlyStopping", "EngineError", "FileError", "Flatten", "History", "LeakyReLU", "Linear",
    "LogMel", "MaxPool1d", "MaxPool2d", "Model", "ModelFileError", "OneCycle", "Pad1d", "Pad2d", "ReLU",
    "Residual", "SGD", "ScaledTanh", "ScanResult", "ScanwiseError", "Sequential", "ShapeError", "Sigmoid",
    "Softmax", "Step", "Tanh", "UnknownNetworkError", "__version__", "fit", "get_threads", "load", "scan",
    "set_threads",
}  # fmt: skip

HEAVY = (
    "llvmlite",
    "safetensors",
    "rich",
    "typer",
    "soundfile",
    "soxr",
    "PIL",
    "sklearn",
    "torch",
    "matplotlib",
)


def test_public_names() -> None:
    assert set(scanwise.__all__) == PUBLIC
    assert len(scanwise.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_name_loads_and_is_documented(name: str) -> None:
    value = getattr(scanwise, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)
    assert name in dir(scanwise)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(inspect.getfile(scanwise)).read_text())
    imported = {
        f"{node.module}.{alias.asname}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {
        f"scanwise.{module}.{name}" for module, names in scanwise._PLACES.items() for name in names
    }


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Convolution'"):
        _ = scanwise.Convolution


def test_version_is_the_packages() -> None:
    project = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text()
    assert f'version = "{scanwise.__version__}"' in project


def test_import_loads_nothing_heavy_and_takes_at_most_a_tenth_of_a_second() -> None:
    # In a fresh process, after NumPy; the best of three, since the machine may be busy.
    code = (
        "import time, numpy, sys; start = time.perf_counter(); import scanwise; "
        "print(time.perf_counter() - start, *sorted(set(m.split('.')[0] for m in sys.modules)))"
    )
    source = str(Path(inspect.getfile(scanwise)).parent.parent)
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    seconds = []
    for _ in range(3):
        words = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": path},
        ).stdout.split()
        seconds.append(float(words[0]))
        assert not set(HEAVY) & set(words[1:])
    assert min(seconds) <= 0.1
