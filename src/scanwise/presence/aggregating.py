"""An aggregating network on signals of any size, in memory that does not grow with them."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise import shapes
from scanwise.errors import ArgumentError, ShapeError
from scanwise.layers import Sequential, Shape
from scanwise.memory import gibibytes
from scanwise.model import Model
from scanwise.parameters import Parameters
from scanwise.presence.aggregation import Aggregates
from scanwise.presence.body import Layout, PlainBody, Signal, pieces
from scanwise.presence.parts import Part, split
from scanwise.presence.result import Presence
from scanwise.presence.signals import as_signals
from scanwise.presence.tiles import Grid

# Bytes of a layer's input and output, beyond which a signal is not evaluated whole.
MOST_WHOLE = 1 << 30

_TAIL_ROWS = 1 << 8  # aggregates whose gradients are computed in one go
_KEPT_LAYOUTS = 1 << 12


class AggregatingNetwork:
    """What `Model.presence` runs: body, aggregate and tail of a network.

    Signals on which no layer pads go through the body tile by tile. Where a layer pads, a signal goes through it whole,
    since it is padded at its own ends alone. On the reference backend all do: it computes in float64 from end to end,
    which pieces in float32 would not give. Safe for use from several threads, one at a time.

    Args:
        network: with an `Aggregate`.
        input_shape: `(C, T)` or `(C, H, W)`, the model's own.
        backend: `"native"` or `"reference"`.

    Attributes:
        body: the layers before the `Aggregate`.
        aggregate: the `Aggregate`.
        tail: the layers after it; None if there are none.
        channels: that the body gives.

    Raises:
        ArgumentError: the network does not take signals of any size.
    """

    def __init__(self, network: Sequential, input_shape: Shape, backend: str) -> None:
        self._input_shape = input_shape
        self.body, self.aggregate, self.tail = split(network, input_shape, backend)
        self._plain = PlainBody(self.body)
        self._whole_network = Part(list(network.flat()), backend) if backend == "reference" else None
        last = shapes.walk(self.body.network, input_shape)[-1]
        self._field, self._stride = last.receptive_field, last.stride
        self.channels = last.output_shape[0]
        self._layouts: dict[Shape, Layout] = {}
        self._lock = threading.Lock()
        self._version = -1  # of the parameters that the parts hold

    def __call__(
        self, signals: Sequence[ArrayLike] | ArrayLike, parameters: Parameters, labels: tuple[str, ...] | None
    ) -> Presence:
        """Scores and places of all signals, with these parameters of the whole network."""
        with self._lock:
            self.load(parameters)
            return self._presence(signals, labels)

    def load(self, parameters: Parameters) -> None:
        """Take the whole network's parameters."""
        if self._version != parameters.version:
            self.take(parameters)
            self._version = parameters.version

    def take(self, parameters: Mapping[str, NDArray[np.float32]]) -> None:
        """The same without a version."""
        for part in (self.body, self.tail, self._whole_network):
            if part is not None:
                part.load(parameters)

    def _presence(self, signals: Sequence[ArrayLike] | ArrayLike, labels: tuple[str, ...] | None) -> Presence:
        arrays = as_signals(signals, self._input_shape)
        checked = [self.laid_out(number, values) for number, values in enumerate(arrays)]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named on the next lines
            found = self._aggregate(checked)
            aggregates = np.stack([each.value for each in found])
        for number, values in enumerate(aggregates):
            _require_finite(number, values, "from the Aggregate")
        spans = [signal.spans(each.place) for signal, each in zip(checked, found, strict=True)]
        starts, stops = (np.stack(ends) for ends in zip(*spans, strict=True))
        scores = aggregates
        if self.tail is not None:
            tail = self.tail.at(aggregates.shape[1:])
            scores = tail.executor.forward(aggregates)
            decided = _deciding_aggregates(tail, aggregates)
            starts, stops = (ends[np.arange(len(ends))[:, None], decided] for ends in (starts, stops))
        if self._whole_network is not None:
            whole = [self._whole_network.at(signal.values.shape)(signal.values[None]) for signal in checked]
            scores = np.concatenate(whole)
        if starts.shape[2] == 1:
            starts, stops = starts[:, :, 0], stops[:, :, 0]
        return Presence(scores, starts, stops, labels)

    def laid_out(self, number: int, values: NDArray[Any], name: str = "signals") -> Signal:
        """A checked signal with where the network's positions lie on it, which a training asks again in every epoch.

        Args:
            number: its place in the list.
            values: `(C, T)` or `(C, H, W)`.
            name: of the list, for messages.

        Raises:
            ShapeError: the network does not take signals of its size.
        """
        if values.shape not in self._layouts:
            if len(self._layouts) == _KEPT_LAYOUTS:
                self._layouts.clear()
            self._layouts[values.shape] = self._layout(f"{name}[{number}]", values.shape)
        return Signal(number, values, self._layouts[values.shape])

    def _layout(self, name: str, shape: Shape) -> Layout:
        """Where the network's positions lie on a signal, and whether it goes through the body whole."""
        network = self.body.network
        missing = tuple(max(0, f - e) for f, e in zip(self._field, shape[1:], strict=True))
        if any(missing) and shapes.has_padding(network, self._input_shape) is None:
            raise ShapeError(
                f"{name} must be at least as large as the network's receptive field {self._field}. "
                f"Got {shape[1:]}, which lacks {missing}."
            )
        try:
            *rows, _ = shapes.walk(Sequential(*network.layers, self.aggregate), shape)
        except (ShapeError, ArgumentError) as error:
            raise ShapeError(f"{name} must fit the network. Got shape {shape}: {error}") from None
        padded = shapes.has_padding(network, shape)
        whole = (
            padded is not None or self._whole_network is not None or any(map(shapes.pairs_positions, rows))
        )
        if whole:
            self._check_size(name, rows, padded)
        grid = Grid(rows[-1].output_shape[1:], self._field, self._stride)
        return Layout(grid, whole, shapes.padding_before(network, shape))

    def _check_size(self, name: str, rows: list[shapes.Row], padded: shapes.Row | None) -> None:
        """Refuse a signal that would take much memory as a whole."""
        needed = 4 * max(math.prod(row.input_shape) + math.prod(row.output_shape) for row in rows)
        if needed > MOST_WHOLE:
            reason, advice = "on the reference backend", "the native backend"
            if self._whole_network is None and padded is not None:
                reason = f"since layer {self.body.place(padded.name)} {padded.layer.label()} pads"
                advice = "a network without padding"
            raise ShapeError(
                f"{name} must be small enough to be evaluated whole, {reason}: at most "
                f"{gibibytes(MOST_WHOLE)} for a layer's input and output. Got shape {rows[0].input_shape}, which takes "
                f"{gibibytes(needed)}; {advice} takes signals of any size."
            )

    def aggregates(self, signal: Signal) -> Aggregates:
        """The aggregates of a signal, before its first position."""
        return Aggregates(self.aggregate, self.channels, signal.layout.grid.positions)

    def _aggregate(self, signals: Sequence[Signal]) -> list[Aggregates]:
        """The aggregates of every signal. Where all positions must be seen before the first is added, signals of
        several pieces go through the body twice.
        """
        found = [self.aggregates(signal) for signal in signals]
        for signal, piece in pieces(self._plain, self.channels, signals):
            _require_finite(signal.number, piece, "before the Aggregate")
            found[signal.number].look(piece)
            if found[signal.number].sums_exponentials and signal.layout.pieces(self.channels) == 1:
                found[signal.number].add_exponentials(piece)
        again = [
            signal
            for signal in signals
            if found[signal.number].sums_exponentials and signal.layout.pieces(self.channels) > 1
        ]
        for signal, piece in pieces(self._plain, self.channels, again):
            found[signal.number].add_exponentials(piece)
        return found


def _require_finite(number: int, values: NDArray[np.float32], where: str) -> None:
    """Refuse a signal that has become infinite within the network: no position decides."""
    finite = np.isfinite(values)
    if not finite.all():
        raise ArgumentError(
            f"signals[{number}] must be small enough for the network's values to stay finite. Got "
            f"{values[~finite][0]} {where}."
        )


def _deciding_aggregates(tail: Model, aggregates: NDArray[np.float32]) -> NDArray[np.intp]:
    """`(N, K)`: which aggregate, of a channel or of a cell of it, speaks most for each score, by value times gradient.

    The gradients of all K scores are those of K copies of the aggregates, each by another score.
    """
    scores = math.prod(tail.output_shape)
    found = []
    for y in np.split(aggregates, range(_TAIL_ROWS, len(aggregates), _TAIL_ROWS)):
        copies = np.repeat(y, scores, axis=0)
        gradients, _ = tail.gradients(copies, np.tile(np.eye(scores, dtype=np.float32), (len(y), 1)))
        found.append((gradients * copies).reshape(len(y), scores, -1).argmax(axis=2))
    return np.concatenate(found)
