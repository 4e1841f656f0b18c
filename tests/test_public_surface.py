"""The names that users see cannot drift unnoticed, and importing the package costs next to nothing."""

from __future__ import annotations

import ast
import inspect
import operator
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scanwise

PUBLIC = {
    "AdamW", "Aggregate", "ArgumentError", "ArgumentTypeError", "AvgPool1d", "AvgPool2d", "BatchNorm", "CPlane",
    "Callback", "Checkpoint", "CheckpointError", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "Cosine",
    "Coverage", "DataError", "Detection", "DivergedError", "Downsample1d", "Downsample2d", "Dropout",
    "EarlyStopping", "EngineError", "EquivalentMatrix", "FileError", "Findings", "Flatten", "GELU", "History",
    "HistoryFile",
    "LeakyReLU", "LearningRates", "Linear", "LogMel", "MaxByLabel", "MaxPool1d", "MaxPool2d", "Model",
    "ModelFileError", "Neocognitron", "OneCycle", "PReLU", "Pad1d", "Pad2d", "Presence", "RadialBasis", "ReLU",
    "Residual", "Route", "SGD", "SPlane", "ScaledTanh", "Scan1d", "Scan2d", "ScanResult", "ScanwiseError",
    "SelfCheckWarning", "Sequential", "ShapeError", "ShiftResponse", "SiLU", "Sigmoid", "Softmax", "Step", "Stream",
    "StreamPool",
    "Subsample1d", "Subsample2d", "Tanh", "Tuning", "Unfold1d", "Unfold2d", "UnitBias", "UnknownNetworkError",
    "__version__", "as_convolution", "as_scan", "autotune", "detect", "equivalent_matrix", "find_learning_rate",
    "fit", "fully_convolutional", "get_threads", "load", "plot", "position_gradients", "route", "scan",
    "set_threads", "shift_response",
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
    "scipy",
    "pyarrow",
    "tifffile",
    "zarr",
)


def test_public_names() -> None:
    assert set(scanwise.__all__) == PUBLIC
    assert len(scanwise.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_name_loads_and_is_documented(name: str) -> None:
    value = getattr(scanwise, name)
    assert value.__name__.rpartition(".")[2] == name  # `plot` is a module
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


# As a caller writes them. Names and defaults are a promise, so a change here is a change for every user.
SIGNATURES = {
    "Linear": "(out_features, bias=True)",
    **dict.fromkeys(
        ("Conv1d", "Conv2d"),
        "(out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, flip=False, "
        "connections=None)",
    ),
    **dict.fromkeys(
        ("ConvTranspose1d", "ConvTranspose2d"),
        "(out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, "
        "flip=False)",
    ),
    **dict.fromkeys(
        ("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"),
        "(kernel_size, stride=None, padding=0, ceil_mode=False)",
    ),
    **dict.fromkeys(("Downsample1d", "Downsample2d"), "(stride)"),
    **dict.fromkeys(("Subsample1d", "Subsample2d"), "(kernel_size, stride=None)"),
    **dict.fromkeys(("Pad1d", "Pad2d"), "(padding, value=0.0)"),
    **dict.fromkeys(("ReLU", "Sigmoid", "Tanh", "ScaledTanh", "Softmax", "Flatten", "UnitBias"), "()"),
    "RadialBasis": "(codes)",
    "LeakyReLU": "(negative_slope=0.01)",
    "PReLU": "(num_parameters=1, init=0.25)",
    "GELU": "(approximate='none')",
    "SiLU": "()",
    "BatchNorm": "(eps=1e-05, momentum=0.1, affine=True)",
    "Dropout": "(p=0.5)",
    **dict.fromkeys(("Scan1d", "Scan2d"), "(mlp, window, stride=1)"),
    "SPlane": "(planes, kernel_size, r, stride=1, padding=0, gamma=0.9)",
    "CPlane": "(kernel_size, stride=1, padding=0, alpha=1.0, sigma=1.0, surround=0.0)",
    "MaxByLabel": "(labels)",
    **dict.fromkeys(("Unfold1d", "Unfold2d"), "(window, stride=1)"),
    "Aggregate": "(mode, grid=None)",
    "LogMel": "(sample_rate, n_fft, hop, n_mels, f_min=0.0, f_max=None)",
    **dict.fromkeys(("Sequential", "Residual"), "(*layers)"),
    "Model": (
        "(network, input_shape, *, seed=0, backend='native', labels=None, sample_rate=None, image_mode=None, "
        "background=None)"
    ),
    "Model.__call__": "(self, x, *, precision='exact')",
    "Model.gradients": "(self, x, dy)",
    "Model.loss_and_gradients": "(self, x, y, loss='cross_entropy')",
    "Model.presence": "(self, signals)",
    "Model.summary": "(self)",
    "Model.save": "(self, path)",
    "load": "(path, *, backend='native')",
    "fit": (
        "(model, x, y=None, *, epochs, batch_size=128, "
        "optimizer=SGD(lr=0.05, momentum=0.9, nesterov=False, weight_decay=0.0), loss='cross_entropy', "
        "validation_data=None, augment=None, callbacks=(), seed=0, checkpoint=None, progress=True)"
    ),
    "find_learning_rate": (
        "(model, x, y=None, *, batch_size=128, "
        "optimizer=SGD(lr=0.05, momentum=0.9, nesterov=False, weight_decay=0.0), loss='cross_entropy', "
        "augment=None, lowest=1e-06, highest=10.0, steps=400, seed=0)"
    ),
    "Checkpoint": "(path, every=30.0)",
    "SGD": "(lr, momentum=0.0, nesterov=False, weight_decay=0.0)",
    "AdamW": "(lr, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)",
    "autotune": "(model, *, seconds=60.0, again=False, progress=True)",
    "scan": "(model, signal, *, step=None, edge='valid', nan='error', out=None, progress=None)",
    "detect": (
        "(model, signal, *, threshold=None, overlap=0.2, low=None, merge=None, min_extent=None, max_extent=None, "
        "support=False, step=None, edge='valid', nan='error', progress=None)"
    ),
    "ScanResult.detections": (
        "(self, threshold=None, *, overlap=0.2, low=None, merge=None, min_extent=None, max_extent=None)"
    ),
    "Stream": "(model, step=None)",
    "Stream.feed": "(self, chunk)",
    "Stream.flush": "(self, edge='valid')",
    "Stream.restore": "(self, state)",
    "StreamPool": "(model, step=None)",
    "StreamPool.feed": "(self, chunks)",
    "StreamPool.flush": "(self, number, edge='valid')",
    "StreamPool.restore": "(self, state)",
    "equivalent_matrix": "(layer, input_shape=None, parameters=None)",
    "fully_convolutional": "(model, input_shape=None)",
    "plot.structure": "(layer, input_shape=None, *, path=None)",
    "plot.shift_response": "(response, *, path=None)",
    "plot.route": "(route, x, *, path=None)",
    "plot.maps": "(maps, *, path=None)",
    "plot.filters": "(weight, flipped=False, *, path=None)",
    "position_gradients": "(model, x, dy, place)",
    "route": "(model, x, label)",
    "shift_response": "(model, x, shifts, *, fill=0.0)",
    "set_threads": "(n)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_and_their_defaults(name: str) -> None:
    signature = inspect.signature(operator.attrgetter(name)(scanwise))
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == SIGNATURES[name]


def test_what_a_scan_gives() -> None:
    model = scanwise.Model(
        scanwise.Sequential(scanwise.Conv1d(3, 4), scanwise.Aggregate("max")), (2, 8), backend="reference"
    )
    result = scanwise.scan(model, np.zeros((2, 20)))
    assert result.scores.shape == (3, 13)
    assert result.positions.tolist() == list(range(13))
    assert (result.window, result.step, result.method) == (8, 1, "shared")
    assert result.coverage.complete
    assert result.presence.shape == (3,)
    assert isinstance(result.detections(threshold=0.5), list)


def test_import_loads_nothing_heavy() -> None:
    """In a fresh process. How long it takes is among the figures of `python -m benchmarks`."""
    code = "import scanwise, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    source = str(Path(inspect.getfile(scanwise)).parent.parent)
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    ).stdout.split()
    assert "scanwise" in loaded
    assert not set(HEAVY) & set(loaded)
