"""Whether neighbouring windows may share their work, and what to change in a network whose windows may not.

A window network without padding gives, applied to a larger input, exactly its outputs at all windows (lecture 3.5: a
CNN is a scanning MLP, reorganised into convolutions). Padding inside the window breaks this: the value beside a
window's edge is then zero for that window and a sample of the signal for its neighbour. So does a transposed
convolution, whose outputs at a window's edge would also sum what lies beside the window. A bias of each unit and the
cells of an `Aggregate` with a grid belong to places in the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scanwise import shapes
from scanwise.layers import Aggregate, Pad1d, Pad2d, Residual, Sequential, Shape

__all__ = ["Obstacle", "advice", "obstacle"]


@dataclass(frozen=True)
class Obstacle:
    """Why windows cannot share the work of a layer, and of all layers from there on.

    Attributes:
        layer: the first layer whose work is not shared, as its place in the network: the one that is in the way, or
            the `Residual` around it.
        reason: names the layer that is in the way.
    """

    layer: str
    reason: str

    def __str__(self) -> str:
        return self.reason


def obstacle(network: Sequential, input_shape: Shape) -> Obstacle | None:
    """The first thing that keeps windows from sharing work, or None if they may share all of it.

    >>> from scanwise.layers import Conv1d, Flatten, Linear
    >>> print(obstacle(Sequential(Conv1d(4, 3, padding="same"), Flatten(), Linear(2)), (1, 9)))
    layer 0 Conv1d(4, 3, padding='same') pads inside the window
    >>> obstacle(Sequential(Conv1d(4, 3), Flatten(), Linear(2)), (1, 9)) is None
    True
    """
    rows = shapes.walk(network, input_shape)
    for row in rows:
        why = _why(row)
        if why is not None:
            return Obstacle(_outermost(row, rows), f"layer {row.name} {row.layer.label()} {why}")
    return None


def advice(network: Sequential, input_shape: Shape) -> str | None:
    """What to change so that windows may share all work, or None if they may.

    >>> from scanwise.layers import Conv1d, MaxPool1d, Flatten, Linear
    >>> net = Sequential(Conv1d(4, 3, padding=1), MaxPool1d(2), Conv1d(4, 5, padding=2), Flatten(), Linear(2))
    >>> advice(net, (1, 16))
    'use padding=0 in layers 0 and 2 with a window larger by 10'
    """
    rows = shapes.walk(network, input_shape)
    places: dict[str, list[str]] = {}
    larger = [0] * (len(input_shape) - 1)
    for row in rows:
        if _why(row) is None:
            continue
        change, place = _change(row, rows)
        places.setdefault(change, []).append(place)
        # As many positions of the signal as are added around the window, so that all layers keep their shapes.
        if any(shapes.added_positions(row)) and place == row.name:
            for axis, positions in enumerate(shapes.added_positions(row)):
                step = row.layer.reach(row.input_shape)[1][axis]
                larger[axis] += positions * row.stride[axis] // step
    if not places:
        return None
    changes = ", ".join(f"{change} {_layers(names)}" for change, names in places.items())
    return changes + (f" with a window larger by {'x'.join(map(str, larger))}" if any(larger) else "")


def _change(row: shapes.Row, rows: Sequence[shapes.Row]) -> tuple[str, str]:
    """What to do, and the place of the layer to do it to."""
    place = _outermost(row, rows)
    if place != row.name:
        return "use kernels of 1 and no padding in", place
    if isinstance(row.layer, Aggregate):
        return "leave out the grid of", place
    if isinstance(row.layer, Residual):
        return "move the stride out of", place
    if isinstance(row.layer, Pad1d | Pad2d) or not any(shapes.added_positions(row)):
        return "leave out", place
    return "use padding=0 in", place


def _why(row: shapes.Row) -> str | None:
    """What is in the way of sharing a layer's work."""
    if any(shapes.added_positions(row)):
        return "pads inside the window"
    if row.layer.unshared is not None:
        return row.layer.unshared
    if shapes.pairs_positions(row):
        return "has a stride within"
    return None


def _outermost(row: shapes.Row, rows: Sequence[shapes.Row]) -> str:
    """The place of the outermost `Residual` around a layer, or the layer's own."""
    around = [r.name for r in rows if isinstance(r.layer, Residual) and row.name.startswith(f"{r.name}.")]
    return min(around, key=len, default=row.name)


def _layers(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    if len(unique) == 1:
        return f"layer {unique[0]}"
    return f"layers {', '.join(unique[:-1])} and {unique[-1]}"
