"""Gradients of an aggregating network's loss on signals of any size, tile by tile.

A signal's loss depends on the body's values z_k(t) through the aggregates y_k alone. So it goes forward once to find
y, and what the aggregate makes of the gradient by it says how much each position matters:

    max        dz_k(t) = dy_k at the first maximum, else 0
    mean       dz_k(t) = dy_k / T
    logsumexp  dz_k(t) = dy_k exp(z_k(t) - y_k)
    softmax    dz_k(t) = p_k(t) (dy_k - sum_j dy_j y_j),    p_k(t) = exp z_k(t) / sum of all exponentials

(`kernels/aggregate.py`); with a grid, in each cell by itself. The positions of a tile then go backward as one input of
the body, and the parameters' gradients add up over tiles and signals, always in the same order. Tiles on which nothing
depends are left out: of a maximum most are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError
from scanwise.layers import Aggregate, BatchNorm, Dropout, Layer, Scan1d, Scan2d, Sequential, Shape
from scanwise.presence.aggregating import AggregatingNetwork
from scanwise.presence.body import Body, PlainBody, Signal, Tile, batches, pieces, read_tile, read_whole
from scanwise.training.losses import correct, gives_probabilities, losses
from scanwise.training.masked import Keys, MaskedBody, MaskedPart

__all__ = ["PresenceGradients", "SignalGradients"]

# Values of signals, or of the body, that are kept at a time, unless one signal has more: 16 MiB.
_KEPT_VALUES = 1 << 22


@dataclass(frozen=True)
class SignalGradients:
    """What some signals give.

    Attributes:
        losses: `(N,)`, the loss of each.
        correct: how many had their largest score at their label; None where targets are not labels.
        gradients: of the mean loss, by every parameter.
    """

    losses: NDArray[np.float64]
    correct: int | None
    gradients: dict[str, NDArray[np.float64]]


class PresenceGradients:
    """Gradients of a network that ends in an `Aggregate`, with or without layers after it.

    Args:
        network: the whole network.
        input_shape: the model's own.
        backend: `"native"` or `"reference"`.

    Raises:
        ArgumentError: the network does not take signals of any size, or has `BatchNorm`, or `Dropout` within a
            `Residual` or `Scan1d`, `Scan2d`.
    """

    def __init__(self, network: Sequential, input_shape: Shape, backend: str) -> None:
        _require_trainable(network)
        self._network = network
        self._parts = AggregatingNetwork(network, input_shape, backend)
        body = MaskedPart(self._parts.body.named, backend)
        after = [] if self._parts.tail is None else self._parts.tail.named
        self._tail = MaskedPart(after, backend, before=len(body.dropouts))
        self._masked = MaskedBody(body, self._parts.body.network) if body.dropouts else None
        self._body: Body = PlainBody(self._parts.body) if self._masked is None else self._masked
        self._masked_parts = [self._tail] if self._masked is None else [body, self._tail]
        self._shapes: dict[str, tuple[int, ...]] = {}

    @property
    def drops(self) -> bool:
        """Whether there is dropout."""
        return self._masked is not None or bool(self._tail.dropouts)

    def take(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the network's parameters."""
        self._parts.take(parameters)
        for part in self._masked_parts:
            part.load(parameters)
        self._shapes = {name: value.shape for name, value in parameters.items()}

    def __call__(
        self, signals: Iterable[NDArray[Any]], targets: NDArray[Any], loss: str, keys: Keys | None = None
    ) -> SignalGradients:
        """Loss and gradients of checked signals.

        Args:
            signals: asked for when their turn comes: those that are read from files need not all be in memory.
            targets: as `inputs.as_target` gives them.
            loss: its name.
            keys: `reference.sample_keys` of the signals, from which dropout draws.
        """
        keys = np.zeros(len(targets), np.uint32) if keys is None else keys
        if self._masked is not None:
            self._masked.keys = keys
        # Of a network that is sure of all signals nothing depends on any tile.
        total = {name: np.zeros(shape) for name, shape in self._shapes.items()}
        found = np.empty(len(targets))
        hits: list[int] = []
        for group in self._groups(signals):
            numbers = [signal.number for signal in group]
            values = self._values(group)
            scores, of_tail, by_aggregate = self._scored(group, values, targets[numbers], loss, keys[numbers])
            probabilities = gives_probabilities(self._network, loss)
            found[numbers] = losses(scores, targets[numbers], loss, probabilities=probabilities)
            right = correct(scores, targets[numbers], loss)
            if right is not None:
                hits.append(int(right.sum()))
            _add(total, of_tail)
            slopes = {
                signal.number: _by_position(
                    self._parts.aggregate,
                    values[signal.number].reshape(-1, *signal.layout.grid.positions),
                    dy,
                )
                for signal, dy in zip(group, by_aggregate, strict=True)
            }
            for gradients in self._backward(group, slopes):
                _add(total, gradients)
        mean = {name: value / len(targets) for name, value in total.items()}
        return SignalGradients(found, sum(hits) if hits else None, mean)

    def _groups(self, signals: Iterable[NDArray[Any]]) -> Iterator[list[Signal]]:
        """Some signals at a time, as their values and those of their positions allow."""
        group: list[Signal] = []
        kept = 0
        for number, values in enumerate(signals):
            signal = self._parts.laid_out(number, values)
            size = max(self._parts.channels * math.prod(signal.layout.grid.positions), values.size)
            if group and kept + size > _KEPT_VALUES:
                yield group
                group, kept = [], 0
            group.append(signal)
            kept += size
        yield group

    def _values(self, signals: Sequence[Signal]) -> dict[int, NDArray[np.float32]]:
        """`(J, positions)` of each signal."""
        found: dict[int, list[NDArray[np.float32]]] = {signal.number: [] for signal in signals}
        for signal, piece in pieces(self._body, self._parts.channels, signals):
            found[signal.number].append(piece)
        return {number: np.concatenate(parts, axis=1) for number, parts in found.items()}

    def _scored(
        self,
        signals: Sequence[Signal],
        values: Mapping[int, NDArray[np.float32]],
        targets: NDArray[Any],
        loss: str,
        keys: Keys,
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float64]], NDArray[np.float32]]:
        """Scores, the gradients of the summed loss by the tail's parameters, and those by the aggregates."""
        aggregates = np.stack([self._aggregate(signal, values[signal.number]) for signal in signals])
        passed = self._tail.forward(
            aggregates, lambda number, shape: self._tail.mask(number, shape, keys, shape, ())
        )
        by_score = self._by_score(passed.y, targets, loss)
        by_aggregate, gradients = self._tail.backward(passed, by_score, to_input=True)
        assert by_aggregate is not None
        return passed.y, gradients, by_aggregate

    def _aggregate(self, signal: Signal, values: NDArray[np.float32]) -> NDArray[np.float32]:
        found = self._parts.aggregates(signal)
        found.look(values)
        if found.sums_exponentials:
            found.add_exponentials(values)
        return found.value

    def _by_score(self, scores: NDArray[np.float32], targets: NDArray[Any], loss: str) -> NDArray[np.float32]:
        """The gradient of the summed loss by the scores."""
        # The reference is a package of all layers, which need not be imported before it is of use.
        from scanwise.reference import loss as gradient_of
        from scanwise.reference.loss import (
            binary_cross_entropy_of_probabilities,
            cross_entropy_of_probabilities,
        )

        wide = scores.astype(np.float64)
        if not gives_probabilities(self._network, loss):
            _, slopes = gradient_of(loss, wide, targets)
        elif loss == "cross_entropy":
            _, slopes = cross_entropy_of_probabilities(wide, targets)
        else:
            _, slopes = binary_cross_entropy_of_probabilities(wide, targets)
        return np.asarray(slopes * len(scores), np.float32)

    def _backward(
        self, signals: Sequence[Signal], slopes: Mapping[int, NDArray[np.float32]]
    ) -> Iterator[dict[str, NDArray[np.float64]]]:
        """Gradients by the body's parameters, a batch of tiles at a time."""
        for batch in batches(self._tiles(signals, slopes), lambda tile: tile[0].values):
            tiles, dy = zip(*batch, strict=True)
            yield self._body.parameter_gradients(tiles, np.stack(dy))

    def _tiles(
        self, signals: Sequence[Signal], slopes: Mapping[int, NDArray[np.float32]]
    ) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        """Inputs of the body, one size after another, and the gradients by the positions that they have alone."""
        for signal in sorted(
            signals,
            key=lambda s: (s.layout.whole, s.values.shape if s.layout.whole else s.layout.grid.counts),
        ):
            own = slopes[signal.number]
            if signal.layout.whole:
                yield read_whole(signal), own
                continue
            counts, positions = signal.layout.grid.counts, signal.layout.grid.positions
            for wanted in itertools.product(
                *(range(0, n, c) for n, c in zip(positions, counts, strict=True))
            ):
                start = tuple(min(w, n - c) for w, n, c in zip(wanted, positions, counts, strict=True))
                part = own[
                    (slice(None), *(slice(s, s + c) for s, c in zip(start, counts, strict=True)))
                ].copy()
                for axis, (s, w) in enumerate(zip(start, wanted, strict=True), 1):
                    part[(slice(None),) * axis + (slice(0, w - s),)] = 0  # the tile before has these
                if part.any():
                    yield read_tile(signal, start), part


def _by_position(
    layer: Aggregate, values: NDArray[np.float32], dy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Gradients by the values of positions, from those by the aggregates, `(J,)` or with a grid `(J, *cells)`."""
    slopes = np.empty_like(values)
    for cell in layer.cells(values.shape):
        own = values[cell.inputs]
        found = _by_position_of_cell(layer.mode, own.reshape(len(own), -1), dy[cell.output])
        slopes[cell.inputs] = found.reshape(own.shape)
    return slopes


def _by_position_of_cell(
    mode: str, values: NDArray[np.float32], dy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`(J, positions)` from the gradient by the aggregates, `(J,)`."""
    slopes = np.zeros(values.shape)
    if mode == "max":
        rows = np.arange(len(values))
        slopes[rows, values.argmax(axis=1)] = dy
    elif mode == "mean":
        slopes[:] = dy[:, None] / values.shape[1]
    else:
        wide = values.astype(np.float64)
        largest = wide.max(axis=1, keepdims=True) if mode == "logsumexp" else wide.max()
        terms = np.exp(wide - largest)
        if mode == "logsumexp":
            slopes = dy[:, None] * terms / terms.sum(axis=1, keepdims=True)
        else:
            shares = terms / terms.sum()
            slopes = shares * (dy - dy @ shares.sum(axis=1))[:, None]
    return slopes.astype(np.float32)


def _add(total: dict[str, NDArray[np.float64]], more: Mapping[str, NDArray[np.float64]]) -> None:
    for name, value in more.items():
        total[name] += value


def _require_trainable(network: Sequential) -> None:
    """Raise ArgumentError for what depends on more than one tile at a time."""
    for place, layer in network.flat():
        within = [] if isinstance(layer, Dropout) else list(_leaves(layer))
        found = next((leaf for leaf in within if isinstance(leaf, BatchNorm | Dropout)), None)
        if found is not None:
            inside = "" if found is layer else f", which has {found.label()}"
            raise ArgumentError(
                "network must have no BatchNorm, and Dropout neither in a Residual nor in a Scan, to be trained on "
                f"signals of unequal size. Got layer {place} {layer.label()}{inside}."
            )


def _leaves(layer: Layer) -> Iterator[Layer]:
    """The layers within a layer, at any depth; it itself, if it has none."""
    inside = layer.mlp.layers if isinstance(layer, Scan1d | Scan2d) else getattr(layer, "layers", None)
    if inside is None:
        yield layer
    for each in inside or ():
        yield from _leaves(each)
