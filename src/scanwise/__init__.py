"""Scanwise: does this pattern occur anywhere in a signal, and where?

    import scanwise as sw

    net = sw.Sequential(sw.Conv1d(16, 5), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2))
    model = sw.Model(net, input_shape=(1, 100))
    sw.fit(model, x, y, epochs=10)
    sw.scan(model, signal).detections(threshold=0.5)

Names are loaded when they are first used, so that `import scanwise` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanwise.errors import ArgumentError as ArgumentError
    from scanwise.errors import ArgumentTypeError as ArgumentTypeError
    from scanwise.errors import CheckpointError as CheckpointError
    from scanwise.errors import DataError as DataError
    from scanwise.errors import DivergedError as DivergedError
    from scanwise.errors import EngineError as EngineError
    from scanwise.errors import FileError as FileError
    from scanwise.errors import ModelFileError as ModelFileError
    from scanwise.errors import ScanwiseError as ScanwiseError
    from scanwise.errors import SelfCheckWarning as SelfCheckWarning
    from scanwise.errors import ShapeError as ShapeError
    from scanwise.errors import UnknownNetworkError as UnknownNetworkError
    from scanwise.identities import EquivalentMatrix as EquivalentMatrix
    from scanwise.identities import ShiftResponse as ShiftResponse
    from scanwise.identities import as_convolution as as_convolution
    from scanwise.identities import as_scan as as_scan
    from scanwise.identities import equivalent_matrix as equivalent_matrix
    from scanwise.identities import fully_convolutional as fully_convolutional
    from scanwise.identities import plot as plot
    from scanwise.identities import position_gradients as position_gradients
    from scanwise.identities import shift_response as shift_response
    from scanwise.layers import GELU as GELU
    from scanwise.layers import Aggregate as Aggregate
    from scanwise.layers import AvgPool1d as AvgPool1d
    from scanwise.layers import AvgPool2d as AvgPool2d
    from scanwise.layers import BatchNorm as BatchNorm
    from scanwise.layers import Conv1d as Conv1d
    from scanwise.layers import Conv2d as Conv2d
    from scanwise.layers import ConvTranspose1d as ConvTranspose1d
    from scanwise.layers import ConvTranspose2d as ConvTranspose2d
    from scanwise.layers import CPlane as CPlane
    from scanwise.layers import Downsample1d as Downsample1d
    from scanwise.layers import Downsample2d as Downsample2d
    from scanwise.layers import Dropout as Dropout
    from scanwise.layers import Flatten as Flatten
    from scanwise.layers import LeakyReLU as LeakyReLU
    from scanwise.layers import Linear as Linear
    from scanwise.layers import LogMel as LogMel
    from scanwise.layers import MaxByLabel as MaxByLabel
    from scanwise.layers import MaxPool1d as MaxPool1d
    from scanwise.layers import MaxPool2d as MaxPool2d
    from scanwise.layers import Pad1d as Pad1d
    from scanwise.layers import Pad2d as Pad2d
    from scanwise.layers import PReLU as PReLU
    from scanwise.layers import RadialBasis as RadialBasis
    from scanwise.layers import ReLU as ReLU
    from scanwise.layers import Residual as Residual
    from scanwise.layers import ScaledTanh as ScaledTanh
    from scanwise.layers import Scan1d as Scan1d
    from scanwise.layers import Scan2d as Scan2d
    from scanwise.layers import Sequential as Sequential
    from scanwise.layers import Sigmoid as Sigmoid
    from scanwise.layers import SiLU as SiLU
    from scanwise.layers import Softmax as Softmax
    from scanwise.layers import SPlane as SPlane
    from scanwise.layers import Subsample1d as Subsample1d
    from scanwise.layers import Subsample2d as Subsample2d
    from scanwise.layers import Tanh as Tanh
    from scanwise.layers import Unfold1d as Unfold1d
    from scanwise.layers import Unfold2d as Unfold2d
    from scanwise.layers import UnitBias as UnitBias
    from scanwise.model import Model as Model
    from scanwise.model import load as load
    from scanwise.neocognitron import Neocognitron as Neocognitron
    from scanwise.presence import Presence as Presence
    from scanwise.routing import Route as Route
    from scanwise.routing import route as route
    from scanwise.scanning import Coverage as Coverage
    from scanwise.scanning import Detection as Detection
    from scanwise.scanning import Findings as Findings
    from scanwise.scanning import ScanResult as ScanResult
    from scanwise.scanning import Stream as Stream
    from scanwise.scanning import StreamPool as StreamPool
    from scanwise.scanning import detect as detect
    from scanwise.scanning import scan as scan
    from scanwise.threads import get_threads as get_threads
    from scanwise.threads import set_threads as set_threads
    from scanwise.training import SGD as SGD
    from scanwise.training import AdamW as AdamW
    from scanwise.training import Callback as Callback
    from scanwise.training import Checkpoint as Checkpoint
    from scanwise.training import Cosine as Cosine
    from scanwise.training import EarlyStopping as EarlyStopping
    from scanwise.training import History as History
    from scanwise.training import HistoryFile as HistoryFile
    from scanwise.training import LearningRates as LearningRates
    from scanwise.training import OneCycle as OneCycle
    from scanwise.training import Step as Step
    from scanwise.training import find_learning_rate as find_learning_rate
    from scanwise.training import fit as fit
    from scanwise.tuning import Tuning as Tuning
    from scanwise.tuning import autotune as autotune

__version__ = "0.1.0"

# Which module each public name comes from. `tests/test_public_surface.py` compares this with the imports above.
_PLACES = {
    "errors": (
        "ArgumentError", "ArgumentTypeError", "CheckpointError", "DataError", "DivergedError", "EngineError",
        "FileError", "ModelFileError", "ScanwiseError", "SelfCheckWarning", "ShapeError", "UnknownNetworkError",
    ),
    "identities": (
        "EquivalentMatrix", "ShiftResponse", "as_convolution", "as_scan", "equivalent_matrix",
        "fully_convolutional", "plot", "position_gradients", "shift_response",
    ),
    "layers": (
        "Aggregate", "AvgPool1d", "AvgPool2d", "BatchNorm", "CPlane", "Conv1d", "Conv2d", "ConvTranspose1d",
        "ConvTranspose2d", "Downsample1d", "Downsample2d", "Dropout", "Flatten", "GELU", "LeakyReLU", "Linear",
        "LogMel", "MaxByLabel", "MaxPool1d", "MaxPool2d", "PReLU", "Pad1d", "Pad2d", "RadialBasis", "ReLU", "Residual",
        "SPlane", "ScaledTanh", "Scan1d", "Scan2d", "Sequential", "SiLU", "Sigmoid", "Softmax", "Subsample1d",
        "Subsample2d", "Tanh", "Unfold1d", "Unfold2d", "UnitBias",
    ),
    "model": ("Model", "load"),
    "neocognitron": ("Neocognitron",),
    "presence": ("Presence",),
    "routing": ("Route", "route"),
    "scanning": ("Coverage", "Detection", "Findings", "ScanResult", "Stream", "StreamPool", "detect", "scan"),
    "threads": ("get_threads", "set_threads"),
    "training": (
        "AdamW", "Callback", "Checkpoint", "Cosine", "EarlyStopping", "History", "HistoryFile", "LearningRates",
        "OneCycle", "SGD", "Step", "find_learning_rate", "fit",
    ),
    "tuning": ("Tuning", "autotune"),
}  # fmt: skip
_PLACE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = ["__version__", *sorted(_PLACE_OF)]


def __getattr__(name: str) -> Any:
    module = _PLACE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'scanwise' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"scanwise.{module}"), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
