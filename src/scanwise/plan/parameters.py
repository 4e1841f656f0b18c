"""Where every parameter lies: one buffer in the engine's order, one of fixed constants, one of what is derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels.maps import round_up
from scanwise.kernels.operation import Parameter
from scanwise.kernels.optimizer import CHUNK
from scanwise.layers import Shape
from scanwise.plan.graph import Graph
from scanwise.plan.records import Base

__all__ = ["ParameterLayout", "Place", "aligned_zeros"]

# Floats: every parameter starts on a cache line.
_ALIGNMENT = 16


@dataclass(frozen=True)
class Place:
    """An offset, in floats, from a base."""

    base: Base
    offset: int = 0


@dataclass
class ParameterLayout:
    """Offsets of the parameters of a graph.

    Attributes:
        places: (number of a node, parameter name) -> place.
        trained: network-wide name -> (parameter, offset).
        shapes: network-wide name -> PyTorch's shape.
        size: floats of the parameter buffer, a multiple of the optimizer's chunk.
        constants: the buffer of fixed parameters.
    """

    places: dict[tuple[int, str], Place] = field(default_factory=dict)
    trained: dict[str, tuple[Parameter, int]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    size: int = 0
    constants: NDArray[np.float32] = field(default_factory=lambda: aligned_zeros(0))

    @classmethod
    def of(cls, graph: Graph) -> ParameterLayout:
        layout = cls(shapes=graph.parameter_shapes)
        offset, fixed = 0, 0
        constants: list[tuple[int, NDArray[np.float32]]] = []
        for node in graph.nodes:
            for parameter in node.operation.parameters():
                key = (node.number, parameter.name)
                if parameter.fixed is not None:
                    layout.places[key] = Place(Base.CONSTANTS, fixed)
                    constants.append((fixed, parameter.fixed))
                    fixed += round_up(parameter.size, _ALIGNMENT)
                else:
                    layout.places[key] = Place(Base.PARAMETERS, offset)
                    layout.trained[f"{node.name}.{parameter.name}"] = (parameter, offset)
                    offset += round_up(parameter.size, _ALIGNMENT)
        layout.size = round_up(max(1, offset), CHUNK)  # a network without parameters has one chunk of nothing
        layout.constants = aligned_zeros(fixed)
        for at, values in constants:
            layout.constants[at : at + values.size] = values
        return layout

    def write(self, parameters: Mapping[str, NDArray[np.float32]], buffer: NDArray[np.float32]) -> None:
        """PyTorch's layout -> the buffer."""
        for name, (parameter, offset) in self.trained.items():
            buffer[offset : offset + parameter.size] = parameter.pack(parameters[name])

    def read(self, buffer: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The buffer -> PyTorch's layout, as new arrays."""
        return {
            name: parameter.unpack(buffer[offset : offset + parameter.size]).reshape(self.shapes[name])
            for name, (parameter, offset) in self.trained.items()
        }


def aligned_zeros(floats: int) -> NDArray[np.float32]:
    """Zeros that start on a cache line, with a spare line behind them for whole-vector reads."""
    raw = np.zeros(floats + 2 * _ALIGNMENT, np.float32)
    start = (-raw.ctypes.data // 4) % _ALIGNMENT
    return raw[start : start + floats]
