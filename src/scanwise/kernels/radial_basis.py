"""Radial basis functions, forward and backward (LeCun et al. 1998, equation 7), at every position of a map by itself.

The codes are fixed parameters, once with the outputs in the lanes and once with the inputs: `[rows / lanes][columns]
[lanes]` of the table and of its transpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import Activation
from scanwise.kernels.lowering import lower
from scanwise.kernels.maps import FeatureMap, lanes_for, round_up
from scanwise.kernels.operation import Call, Extent, Maps, Operation, Parameter
from scanwise.kernels.window import each_position, over_channels, pointer_at
from scanwise.layers import RadialBasis, Shape

__all__ = ["RadialBasisBackward", "RadialBasisForward", "in_lanes"]


def in_lanes(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(rows, columns)` -> `[rows / lanes][columns][lanes]`, zeros in the padding lanes."""
    rows, columns = table.shape
    lanes = lanes_for(rows)
    spread = np.zeros((round_up(rows, lanes), columns), np.float32)
    spread[:rows] = table
    return spread.reshape(-1, lanes, columns).transpose(0, 2, 1).reshape(-1)


# z_i = -sum_j (x_j - c_ij)^2


@dataclass(frozen=True)
class RadialBasisForward:
    """z from x. Arguments: x, codes with outputs in the lanes, z."""

    x: FeatureMap
    z: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        x, codes, z = e.arguments
        b, lanes, inputs = e.builder, self.z.lanes, self.x.channels

        def position(n: Index, p: Index, q: Index) -> None:
            source, goal = pointer_at(e, x, self.x, n, p, q), pointer_at(e, z, self.z, n, p, q)

            def vector(i: Index, _: int, valid: int) -> None:
                def square(j: Index, total: Value) -> list[Value]:
                    code = e.load(codes, e.affine((i, inputs), (j, lanes)), lanes)
                    difference = b.fsub(e.load_broadcast(source, j, lanes), code)
                    return [e.fma(difference, difference, total)]

                (total,) = e.loop(inputs, square, [e.constant(0.0, lanes)])
                e.store(e.keep(b.fneg(total), lanes, valid), goal, i)

            over_channels(e, self.z, vector)

        each_position(e, self.z, position)


# dL/dx_j = sum_i dL/dz_i 2 (c_ij - x_j)


@dataclass(frozen=True)
class RadialBasisBackward:
    """dx from dz. Arguments: x, codes with inputs in the lanes, dz, dx."""

    x: FeatureMap
    dz: FeatureMap
    dx: FeatureMap
    pointers: int = 4

    def emit(self, e: Emitter) -> None:
        x, codes, dz, dx = e.arguments
        b, lanes, outputs = e.builder, self.dx.lanes, self.dz.channels

        def position(n: Index, p: Index, q: Index) -> None:
            source, errors = pointer_at(e, x, self.x, n, p, q), pointer_at(e, dz, self.dz, n, p, q)
            goal = pointer_at(e, dx, self.dx, n, p, q)

            def vector(j: Index, *_: int) -> None:
                value = e.load(source, j, lanes)

                def term(i: Index, total: Value) -> list[Value]:
                    code = e.load(codes, e.affine((j, outputs), (i, lanes)), lanes)
                    return [e.fma(e.load_broadcast(errors, i, lanes), b.fsub(code, value), total)]

                (total,) = e.loop(outputs, term, [e.constant(0.0, lanes)])
                e.store(b.fadd(total, total), goal, j)

            over_channels(e, self.dx, vector)

        each_position(e, self.dx, position)


@dataclass(frozen=True)
class RadialBasisOperation(Operation):
    """`RadialBasis` in a network.

    Attributes:
        layer: the layer, with its codes.
    """

    layer: RadialBasis

    @property
    def output(self) -> Extent:
        return (len(self.layer.codes), *self.extent[1:])

    def parameters(self) -> Sequence[Parameter]:
        table = np.array(self.layer.codes, np.float32)
        packed = {"codes": in_lanes(table), "turned codes": in_lanes(table.T)}
        return tuple(
            Parameter(name, values.size, np.ravel, np.ravel, fixed=values) for name, values in packed.items()
        )

    def resized(self, rows: int, columns: int) -> "RadialBasisOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        return (Call(RadialBasisForward(maps.x, maps.y), ("x", "codes", "y")),)

    def backward(self, maps: Maps, activation: Activation | None) -> Sequence[Call]:
        dy, dx = maps.gradients
        return (Call(RadialBasisBackward(maps.x, dy, dx), ("x", "turned codes", "dy", "dx")),)


@lower.register
def _(layer: RadialBasis, shape: Shape, extent: Extent) -> Sequence[Operation]:
    return (RadialBasisOperation(extent, layer),)
