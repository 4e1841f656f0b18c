"""Layer -> operations. Each kernel module registers the rule of its layer here.

A module is imported when the first of its layers is lowered: a network uses a few kinds of layers, and importing all
modules takes as long as everything else that a process with a filled object cache does before its first step.
"""

import importlib
import importlib.util
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
    for name in _modules(layer):
        importlib.import_module(name)
    rule = lower.dispatch(type(layer))
    if rule is lower.dispatch(object):
        raise EngineError(
            f"the native engine must know layer {layer!r}. Got no rule for {type(layer).__name__}."
        )
    return rule(layer, shape, extent)


def _modules(layer: Layer) -> list[str]:
    """The modules with the rules of a layer and of what it is a kind of: they are called as the layers' own."""
    places = [
        kind.__module__ for kind in type(layer).__mro__ if kind.__module__.startswith("scanwise.layers.")
    ]
    names = [place.replace("scanwise.layers.", "scanwise.kernels.") for place in places]
    return [name for name in names if importlib.util.find_spec(name) is not None]
