"""The Neocognitron's planes as operations (lecture 5.1).

Planes of S-cells are three operations: a convolution for what excites them, one V-cell for each position (`v_cell.py`),
and the cells themselves (`s_cell.py`). C-cells are a depthwise convolution with fixed weights and a saturating
activation.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scanwise.kernels.activation import Activation, ActivationOperation
from scanwise.kernels.conv import ConvOperation, FixedConvOperation
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.lowering import lower
from scanwise.kernels.operation import Extent, Operation
from scanwise.kernels.s_cell import CellOperation
from scanwise.kernels.v_cell import VCellOperation
from scanwise.kernels.window import Pooling
from scanwise.layers import CPlane, Shape, SPlane

__all__: list[str] = []  # what the module holds is registered with `lower`


@lower.register
def _(layer: SPlane, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    convolution = Convolution.of(geometry, extent, layer.planes, bias=False)
    padding = (geometry.padding[0], geometry.padding[2])
    pooling = Pooling(geometry.kernel, geometry.stride, padding, extent[1:], geometry.output)
    falloff = tuple(float(w) for w in layer.falloff(extent[0]).ravel())
    # The layer's input is value 0, and each operation makes the next: the cells read the first two.
    return (
        ConvOperation(extent, convolution, geometry.padding),
        VCellOperation(extent, pooling, "v", falloff, reads=(0,)),
        CellOperation((convolution.outputs, *convolution.positions), layer.r, reads=(1, 2)),
    )


@lower.register
def _(layer: CPlane, shape: Shape, extent: Extent) -> Sequence[Operation]:
    geometry = layer.geometry(shape)
    convolution = Convolution.of(geometry, extent, extent[0], groups=extent[0], bias=False)
    weights = partial(_spread_weights, layer, extent[0])
    return (
        FixedConvOperation(extent, convolution, geometry.padding, weights),
        ActivationOperation(
            (convolution.outputs, *convolution.positions), Activation("saturation", layer.alpha)
        ),
    )


def _spread_weights(layer: CPlane, planes: int) -> NDArray[np.float32]:
    return np.tile(layer.weights().astype(np.float32), (planes, 1, 1, 1))
