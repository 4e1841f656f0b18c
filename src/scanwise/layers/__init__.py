"""What a network is: frozen dataclasses with their shape rule and parameter shapes. No arithmetic on data."""

from .activation import LeakyReLU, ReLU, ScaledTanh, Sigmoid, Tanh
from .aggregate import Aggregate
from .base import Layer, Shape, from_json
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
    "CPlane",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Downsample1d",
    "Downsample2d",
    "Dropout",
    "Flatten",
    "Geometry",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LogMel",
    "MaxByLabel",
    "MaxPool1d",
    "MaxPool2d",
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
