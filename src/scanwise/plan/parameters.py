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
        state: the same of those that are not trained but kept. They lie behind the trained ones.
        shapes: network-wide name -> PyTorch's shape.
        size: floats of the trained parameters, a multiple of the optimizer's chunk.
        floats: of the whole parameter buffer.
        constants: the buffer of fixed parameters.
    """

    places: dict[tuple[int, str], Place] = field(default_factory=dict)
    trained: dict[str, tuple[Parameter, int]] = field(default_factory=dict)
    state: dict[str, tuple[Parameter, int]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    size: int = 0
    floats: int = 0
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
                elif not parameter.state:
                    layout.places[key] = Place(Base.PARAMETERS, offset)
                    layout.trained[f"{node.name}.{parameter.name}"] = (parameter, offset)
                    offset += round_up(parameter.size, _ALIGNMENT)
        layout.size = round_up(max(1, offset), CHUNK)  # a network without parameters has one chunk of nothing
        layout._place_state(graph)
        layout.constants = aligned_zeros(fixed)
        for at, values in constants:
            layout.constants[at : at + values.size] = values
        return layout

    def _place_state(self, graph: Graph) -> None:
        self.floats = self.size
        for node in graph.nodes:
            for parameter in node.operation.parameters():
                if parameter.state:
                    self.places[node.number, parameter.name] = Place(Base.PARAMETERS, self.floats)
                    self.state[f"{node.name}.{parameter.name}"] = (parameter, self.floats)
                    self.floats += round_up(parameter.size, _ALIGNMENT)

    def write(self, parameters: Mapping[str, NDArray[np.float32]], buffer: NDArray[np.float32]) -> None:
        """PyTorch's layout -> the buffer of all parameters."""
        self.write_trained(parameters, buffer)
        _write(self.state, parameters, buffer)

    def write_trained(self, values: Mapping[str, NDArray[np.float32]], buffer: NDArray[np.float32]) -> None:
        """PyTorch's layout -> a buffer of one value for each trained one: moments, say."""
        _write(self.trained, values, buffer)

    def read(self, buffer: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The buffer of all parameters -> PyTorch's layout, as new arrays in the network's order."""
        found = self._read({**self.trained, **self.state}, buffer)
        return {name: found[name] for name in self.shapes if name in found}

    def read_trained(self, buffer: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """A buffer of one value for each trained one, gradients or moments -> PyTorch's layout."""
        return self._read(self.trained, buffer)

    def _read(
        self, places: Mapping[str, tuple[Parameter, int]], buffer: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        return {
            name: parameter.unpack(buffer[offset : offset + parameter.size]).reshape(self.shapes[name])
            for name, (parameter, offset) in places.items()
        }


def _write(
    places: Mapping[str, tuple[Parameter, int]],
    values: Mapping[str, NDArray[np.float32]],
    buffer: NDArray[np.float32],
) -> None:
    for name, (parameter, offset) in places.items():
        buffer[offset : offset + parameter.size] = parameter.pack(values[name])


def aligned_zeros(floats: int) -> NDArray[np.float32]:
    """Zeros that start on a cache line, with a spare line behind them for whole-vector reads."""
    raw = np.zeros(floats + 2 * _ALIGNMENT, np.float32)
    start = (-raw.ctypes.data // 4) % _ALIGNMENT
    return raw[start : start + floats]
