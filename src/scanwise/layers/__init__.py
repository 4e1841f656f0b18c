"""What a network is: frozen dataclasses with their shape rule and parameter shapes. No arithmetic on data."""

from .activation import LeakyReLU, ReLU, ScaledTanh, Sigmoid, Tanh
from .aggregate import Aggregate
from .base import Layer, Shape, from_json
from .container import Residual, Sequential
from .conv import Conv1d, Conv2d
from .downsample import Downsample1d, Downsample2d
from .dropout import Dropout
from .flatten import Flatten
from .linear import Linear
from .logmel import LogMel
from .pad import Pad1d, Pad2d
from .pool import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from .scan import Scan1d, Scan2d
from .softmax import Softmax
from .unfold import Unfold1d, Unfold2d
from .window import Geometry

__all__ = [
    "Aggregate",
    "AvgPool1d",
    "AvgPool2d",
    "Conv1d",
    "Conv2d",
    "Downsample1d",
    "Downsample2d",
    "Dropout",
    "Flatten",
    "Geometry",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LogMel",
    "MaxPool1d",
    "MaxPool2d",
    "Pad1d",
    "Pad2d",
    "ReLU",
    "Residual",
    "ScaledTanh",
    "Scan1d",
    "Scan2d",
    "Sequential",
    "Shape",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Unfold1d",
    "Unfold2d",
    "from_json",
]
