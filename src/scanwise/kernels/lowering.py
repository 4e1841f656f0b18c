"""Layer -> operations. Each kernel module registers the rule of its layer here."""

from collections.abc import Sequence
from functools import singledispatch

from scanwise.errors import EngineError
from scanwise.kernels.operation import Extent, Operation
from scanwise.layers import Layer, Shape

__all__ = ["lower"]


@singledispatch
def lower(layer: Layer, shape: Shape, extent: Extent) -> Sequence[Operation]:
    """The operations, one after another, that compute the layer.

    Args:
        layer: a layer that is not a container and not `Flatten` (those are the network's structure).
        shape: the shape that reaches the layer, as the layer knows it.
        extent: (C, H, W) of the map that holds it: 1-D has H = 1, and flat vectors may still lie as the map that
            they were before `Flatten`.
    """
    raise EngineError(f"the native engine must know layer {layer!r}. Got no rule for {type(layer).__name__}.")
