"""Parts of an aggregating network with dropout in training: between its `Dropout` layers, layers run as they are.

Which of a signal's values are dropped is decided by their numbers in the map of the whole signal, as in a network that
is made for its size (`reference/dropout.py`). So a value is kept or dropped alike in every tile that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise import shapes
from scanwise.executor import unit_range
from scanwise.layers import Dropout, Layer, Sequential, Shape
from scanwise.presence.body import Tile
from scanwise.presence.parts import Part

__all__ = ["Keys", "MaskedBody", "MaskedPart"]

Keys = NDArray[np.uint32]
Floats = NDArray[np.float32]
Gradients = dict[str, NDArray[np.float64]]
# (number of the dropout layer, shape of a sample before it) -> what its values are multiplied by, (N, *shape)
MaskOf = Callable[[int, Shape], Floats]


@dataclass(frozen=True)
class _Passed:
    """What came of samples: what reached each run of layers, the masks between runs, and what the last one gave."""

    reached: list[NDArray[Any]]
    masks: list[Floats]
    y: Floats


class MaskedPart:
    """Some layers of a network in a row, `Dropout` among them.

    Args:
        named: the layers, with their places in the network.
        backend: of the models that run them.
        before: how many dropout layers come before these in the network.
    """

    def __init__(self, named: Sequence[tuple[str, Layer]], backend: str, before: int = 0) -> None:
        runs: list[list[tuple[str, Layer]]] = [[]]
        self.dropouts: list[int] = []  # indices of layers
        self._layers: list[Dropout] = []
        for index, (place, layer) in enumerate(named):
            if isinstance(layer, Dropout):
                self.dropouts.append(index)
                self._layers.append(layer)
                runs.append([])
            else:
                runs[-1].append((place, layer))
        self._runs = [Part(run, backend) if run else None for run in runs]
        self._before = before

    def load(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the whole network's parameters."""
        for run in self._runs:
            if run is not None:
                run.load(parameters)

    def mask(self, number: int, shape: Shape, keys: Keys, whole: Shape, start: Shape) -> Floats:
        """The mask of a dropout layer for a part of a larger map; see `reference.dropout.mask`."""
        # The reference is a package of all layers, which need not be imported before it is of use.
        from scanwise.reference import dropout

        found = dropout.mask(
            self._layers[number], shape, keys, self._before + number, whole=whole, start=start
        )
        return found.astype(np.float32)

    def forward(self, x: NDArray[Any], mask_of: MaskOf) -> _Passed:
        """Run the layers on samples `(N, ...)`."""
        reached: list[NDArray[Any]] = []
        masks: list[Floats] = []
        for run in self._runs:
            if reached:
                masks.append(mask_of(len(masks), x.shape[1:]))
                x = x * masks[-1]
            reached.append(x)
            x = unit_range(x).astype(np.float32) if run is None else run.at(x.shape[1:]).executor.forward(x)
        return _Passed(reached, masks, x)

    def backward(self, passed: _Passed, dy: Floats, *, to_input: bool) -> tuple[Floats | None, Gradients]:
        """The gradient by the input, if it is wanted, and those by the parameters, by their names in the network."""
        found: Gradients = {}
        dx: Floats | None = dy
        for number in reversed(range(len(self._runs))):
            assert dx is not None
            run, x = self._runs[number], passed.reached[number]
            if run is not None:
                executor = run.at(x.shape[1:]).executor
                if number or to_input:
                    dx, gradients = executor.gradients(x, dx)
                else:
                    gradients = executor.parameter_gradients(x, dx)
                    dx = None
                found |= {
                    run.place(name): gradient.astype(np.float64) for name, gradient in gradients.items()
                }
            if number:
                assert dx is not None
                dx = dx * passed.masks[number - 1]
        return dx, found


class MaskedBody:
    """The layers before the `Aggregate`; a `Body`.

    Args:
        part: the layers.
        network: the same, as one.
    """

    def __init__(self, part: MaskedPart, network: Sequential) -> None:
        self._part, self._network = part, network
        self._maps: dict[Shape, list[tuple[Shape, Shape]]] = {}
        self.keys: Keys = np.zeros(0, np.uint32)  # of the step's signals, by their numbers

    def forward(self, tiles: Sequence[Tile]) -> Floats:
        """Values of the tiles' positions."""
        return self._passed(tiles).y

    def parameter_gradients(self, tiles: Sequence[Tile], dy: Floats) -> Gradients:
        """Gradients of `sum(y * dy)`."""
        return self._part.backward(self._passed(tiles), dy, to_input=False)[1]

    def _passed(self, tiles: Sequence[Tile]) -> _Passed:
        def mask_of(number: int, shape: Shape) -> Floats:
            return np.concatenate([self._mask(tile, number, shape) for tile in tiles])

        return self._part.forward(np.stack([tile.values for tile in tiles]), mask_of)

    def _mask(self, tile: Tile, number: int, shape: Shape) -> Floats:
        whole, stride = self._maps_of(tile.signal.values.shape)[number]
        start = tuple(first // step for first, step in zip(tile.first, stride, strict=True))
        return self._part.mask(number, shape, self.keys[[tile.signal.number]], whole, start)

    def _maps_of(self, shape: Shape) -> list[tuple[Shape, Shape]]:
        """Of every dropout layer, the shape of a whole signal's map, and samples or pixels between its positions."""
        if shape not in self._maps:
            rows = shapes.walk(self._network, shape)
            self._maps[shape] = [(rows[i].output_shape, rows[i].stride) for i in self._part.dropouts]
        return self._maps[shape]
