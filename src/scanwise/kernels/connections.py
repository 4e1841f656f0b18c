"""Convolutions that see some of their input channels (LeCun et al. 1998, table I).

They run as full convolutions whose other weights are zero. Only the connected weights are parameters: the packed
gradient is cleared at the others, so that no optimizer ever moves them from zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.operation import Parameter
from scanwise.layers.arguments import Table

__all__ = ["ConnectedGradient", "connected_parameters"]

_LANES = 4  # every packed weight is a multiple of it


@dataclass(frozen=True)
class ConnectedGradient:
    """dw = dw where there is a connection, else 0. Arguments: dw, 1 or 0 for each of its floats.

    Attributes:
        size: floats.
    """

    size: int
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        dw, connected = e.arguments
        zero = e.constant(0.0, _LANES)

        def vector(i: Index) -> None:
            at = e.mul(i, _LANES)
            here = e.builder.fcmp_ordered(">", e.load(connected, at, _LANES), zero)
            e.store(e.builder.select(here, e.load(dw, at, _LANES), zero), dw, at)

        e.loop(self.size // _LANES, vector)


def connected_parameters(convolution: Convolution, table: Table, full: Parameter) -> Sequence[Parameter]:
    """The weights of the connections `(E, R, S)`, and the fixed ones and zeros that their gradient is cleared with.

    Args:
        convolution: the sizes.
        table: `(K, C)`, 1 where an output channel sees an input channel.
        full: the weights of the convolution as if it saw all channels.
    """
    connected: NDArray[np.bool_] = np.array(table, bool)
    kernel = convolution.kernel

    def pack(weight: NDArray[np.float32]) -> NDArray[np.float32]:
        spread = np.zeros((*connected.shape, *kernel), np.float32)
        spread[connected] = weight.reshape(-1, *kernel)
        return full.pack(spread)

    def unpack(packed: NDArray[np.float32]) -> NDArray[np.float32]:
        weight: NDArray[np.float32] = full.unpack(packed)[connected]
        return weight

    ones = np.ones((int(connected.sum()), *kernel), np.float32)
    weight = replace(full, pack=pack, unpack=unpack)
    return weight, Parameter("connected", full.size, pack, unpack, fixed=pack(ones))
