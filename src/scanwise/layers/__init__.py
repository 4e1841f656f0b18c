"""What a network is: frozen dataclasses with their shape rule and parameter shapes. No arithmetic on data."""

from .activation import GELU, LeakyReLU, ReLU, ScaledTanh, Sigmoid, SiLU, Tanh
from .aggregate import Aggregate
from .base import Layer, Shape, from_json
from .batch_norm import BatchNorm
from .container import Residual, Sequential
from .conv import Conv1d, Conv2d
from .conv_transpose import ConvTranspose1d, ConvTranspose2d
from .downsample import Downsample1d, Downsample2d
from .dropout import Dropout
from .flatten import Flatten
from .linear import Linear
from .logmel import LogMel
from .max_by_label import MaxByLabel
from .pad import Pad1d, Pad2d
from .plane import CPlane, SPlane
from .pool import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from .prelu import PReLU
from .radial_basis import RadialBasis
from .scan import Scan1d, Scan2d
from .softmax import Softmax
from .subsample import Subsample1d, Subsample2d
from .unfold import Unfold1d, Unfold2d
from .unit_bias import UnitBias
from .window import Geometry

__all__ = [
    "Aggregate",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm",
    "CPlane",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Downsample1d",
    "Downsample2d",
    "Dropout",
    "Flatten",
    "GELU",
    "Geometry",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LogMel",
    "MaxByLabel",
    "MaxPool1d",
    "MaxPool2d",
    "PReLU",
    "Pad1d",
    "Pad2d",
    "RadialBasis",
    "ReLU",
    "Residual",
    "SPlane",
    "ScaledTanh",
    "Scan1d",
    "Scan2d",
    "Sequential",
    "Shape",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Subsample1d",
    "Subsample2d",
    "Tanh",
    "Unfold1d",
    "Unfold2d",
    "UnitBias",
    "from_json",
]
