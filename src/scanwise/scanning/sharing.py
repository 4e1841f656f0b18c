"""Whether neighbouring windows may share their work.

A window network without padding gives, applied to a larger input, exactly its outputs at all windows (lecture 3.5: a
CNN is a scanning MLP, reorganised into convolutions). Padding inside the window breaks this: the value beside a
window's edge is then zero for that window and a sample of the signal for its neighbour. So does a transposed
convolution, whose outputs at a window's edge would also sum what lies beside the window, and a bias of each unit, which
belongs to a place in the window.
"""

from __future__ import annotations

from scanwise import shapes
from scanwise.layers import Layer, Residual, Sequential, Shape


def obstacle(network: Sequential, input_shape: Shape) -> str | None:
    """Why windows cannot share work, or None if they can.

    >>> from scanwise.layers import Conv1d, Flatten, Linear
    >>> obstacle(Sequential(Conv1d(4, 3, padding="same"), Flatten(), Linear(2)), (1, 9))
    "layer 0 Conv1d(4, 3, padding='same') pads inside the window"
    >>> obstacle(Sequential(Conv1d(4, 3), Flatten(), Linear(2)), (1, 9)) is None
    True
    """
    padded = shapes.has_padding(network, input_shape)
    if padded is not None:
        return f"layer {padded.name} {padded.layer.label()} pads inside the window"
    for row in shapes.walk(network, input_shape):
        if row.layer.unshared is not None:
            return f"layer {row.name} {row.layer.label()} {row.layer.unshared}"
    return _strided_residual(network, input_shape, "")


def _strided_residual(layer: Layer, shape: Shape, name: str) -> str | None:
    """A `Residual` around a stride: its sum pairs positions only where the window leaves a single one."""
    if not isinstance(layer, Sequential | Residual):
        return None
    if isinstance(layer, Residual) and any(step != 1 for step in layer.reach(shape)[1]):
        return f"layer {name.rstrip('.')} {layer.label()} has a stride within"
    for place, inner, reached in layer.chain(shape):
        found = _strided_residual(inner, reached, f"{name}{place}.")
        if found is not None:
            return found
    return None
