"""Dropout in training, forward and backward.

Which values are dropped is a hash of (seed, epoch, sample, layer, element), the same as in the reference: no state, and
the same values whatever the batch and the thread that a sample falls to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from llvmlite import ir

from scanwise.codegen.emitter import I32, I64, Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation
from scanwise.kernels.window import over_channels, pointer_at
from scanwise.layers import Dropout, Shape

__all__ = ["DropoutBackward", "DropoutForward", "SampleKeys"]

_GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: neighbouring counters become far-apart inputs of the hash


def _integer(value: int, kind: ir.Type) -> Value:
    value &= 0xFFFFFFFF
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def mix(e: Emitter, h: Value) -> Value:
    """MurmurHash3's finalizer (Appleby 2011): every bit of the input changes every bit of the output."""
    b = e.builder
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = b.mul(b.xor(h, b.lshr(h, _integer(shift, h.type))), _integer(factor, h.type))
    return b.xor(h, b.lshr(h, _integer(16, h.type)))


@dataclass(frozen=True)
class SampleKeys:
    """The random key of every picked row in this epoch, from which dropout draws. Arguments: order, seed (int32), keys.

    key = mix(seed ^ row), where the seed already holds the epoch: no key depends on the batch or on the thread.
    """

    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        order, seed, keys = e.arguments
        b = e.builder
        start = b.load(seed, typ=I32)

        def sample(n: Index) -> None:
            row = b.load(b.gep(order, [e.integer(n)], source_etype=I64), typ=I64)
            key = mix(e, b.xor(start, b.trunc(row, I32)))
            b.store(key, b.gep(keys, [e.integer(n)], source_etype=I32))

        e.loop(e.n, sample)


def _masked(e: Emitter, x: FeatureMap, y: FeatureMap, rate: float, ordinal: int) -> None:
    """y = m x, with m zero for dropped elements and 1 / (1 - rate) for the others. Arguments: x, y, keys."""
    source, goal, keys = e.arguments
    b, lanes = e.builder, y.lanes
    threshold = e.integers([int(rate * 2**32)] * lanes)
    scale = e.constant(float(np.float32(1 / (1 - rate))), lanes)
    steps = e.integers([_GOLDEN * (lane + 1) for lane in range(lanes)])

    def position(n: Index, key: Value, p: Index, q: Index) -> None:
        values = pointer_at(e, source, x, n, p, q)
        results = pointer_at(e, goal, y, n, p, q)

        def vector(c: Index, *_: int) -> None:
            # Element e = (h W + w) C + c; C counts channels, not padding lanes.
            element = e.affine((p, y.width * y.channels), (q, y.channels), (c, 1))
            counter = b.mul(b.trunc(e.integer(element), I32), _integer(_GOLDEN, I32))
            words = mix(e, b.add(e.broadcast(b.add(key, counter), lanes), steps))
            kept = b.icmp_unsigned(">=", words, threshold)
            value = b.fmul(e.load(values, c, lanes), scale)
            e.store(b.select(kept, value, e.constant(0.0, lanes)), results, c)

        over_channels(e, y, vector)

    def sample(n: Index) -> None:
        seed = b.add(e.load_integer(keys, n), _integer(_GOLDEN * (ordinal + 1), I32))
        key = mix(e, seed)
        e.loop(y.height, lambda p: e.loop(y.width, lambda q: position(n, key, p, q)))

    e.loop(e.n, sample)


@dataclass(frozen=True)
class DropoutForward:
    """y = m x. Arguments: x, y, keys (int32, one a sample).

    Attributes:
        x: input.
        y: output.
        rate: probability of a zero.
        ordinal: how many dropout layers come before this one in the network.
    """

    x: FeatureMap
    y: FeatureMap
    rate: float
    ordinal: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        _masked(e, self.x, self.y, self.rate, self.ordinal)


# dL/dx = m dL/dy


@dataclass(frozen=True)
class DropoutBackward:
    """dx = m dy, with the same m. Arguments: dy, dx, keys."""

    dy: FeatureMap
    dx: FeatureMap
    rate: float
    ordinal: int
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        _masked(e, self.dy, self.dx, self.rate, self.ordinal)


@dataclass(frozen=True)
class DropoutOperation(Operation):
    """`Dropout` in training.

    Attributes:
        rate: probability of a zero.
        ordinal: how many dropout layers come before this one.
    """

    rate: float
    ordinal: int = 0

    def resized(self, rows: int, columns: int) -> "DropoutOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(DropoutForward(maps.x, maps.y, self.rate, self.ordinal), ("x", "y", "keys")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(DropoutBackward(dy, dx, self.rate, self.ordinal), ("dy", "dx", "keys")),)


@lower.register
def _(layer: Dropout, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (DropoutOperation(extent, layer.p),)
