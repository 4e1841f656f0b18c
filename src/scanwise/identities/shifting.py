"""What a shift of the input changes (lecture 4.3)."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.executor import unit_range
from scanwise.inputs import as_samples, check_finite, number_array
from scanwise.layers.arguments import float32
from scanwise.memory import available_bytes, gibibytes
from scanwise.model import Model

__all__ = ["ShiftResponse", "shift_response"]

Shift = tuple[int, ...]

_BYTES_PER_SHIFT = 100  # a tuple of two numbers


@dataclass(frozen=True, eq=False)
class ShiftResponse:
    """Outputs for a shifted input.

    Attributes:
        shifts: the shifts, one entry a spatial axis each, in positions of the input; positive is towards the end.
        change: `(len(shifts),)` float32: the largest absolute difference from the outputs for the input as it is,
            over all samples and outputs.
        outputs: `(len(shifts), N, *output_shape)` float32.

    >>> import scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max")), (1, 20))
    >>> event = np.zeros((1, 20)); event[0, 8:11] = [1, 2, 1]
    >>> response = sw.shift_response(model, event, [-3, 0, 5])
    >>> response.change.tolist(), response.invariant
    ([0.0, 0.0, 0.0], True)
    """

    shifts: tuple[Shift, ...]
    change: NDArray[np.float32]
    outputs: NDArray[np.float32]

    @property
    def unchanged(self) -> NDArray[np.bool_]:
        """`(len(shifts),)`: where no output differs, in any bit of its value."""
        return np.asarray(self.change == 0)

    @property
    def invariant(self) -> bool:
        """Whether no shift changed any output."""
        return bool(self.unchanged.all())


def shift_response(
    model: Model,
    x: ArrayLike,
    shifts: Iterable[SupportsIndex | Sequence[SupportsIndex]],
    *,
    fill: float = 0.0,
) -> ShiftResponse:
    """Outputs of the model for its input moved to other places, and how far they are from those for it in its own.

    A network that scans and aggregates over all positions does not notice where its input's content is, as long as the
    content stays off the borders and moves by multiples of the network's stride (lecture 4.3). By weight sharing the
    answers at the positions are the same ones at other places, to the bit, so that the change of their maximum is
    exactly 0; a mean, logsumexp or softmax adds them up in another order, which leaves a rounding of the sum. An MLP
    does notice.

    Args:
        model: the model.
        x: `(N, *input_shape)`, or one sample `input_shape`; any real dtype, uint8 is taken as 0..1.
        shifts: for signals whole numbers of time steps; for images pairs (rows, columns), and a whole number moves
            along the columns. Positive is towards the end. A flat input `(D,)` is moved along its only axis.
        fill: value of the positions that nothing is moved to; what is moved over the border is lost.

    Raises:
        ShapeError: `x` has another shape.
        ArgumentError, ArgumentTypeError: `x` is not finite or not real, `shifts` or `fill` are not as stated, the
            outputs do not fit into memory, or they leave the range of float32.

    Source: lecture 4.3.

    >>> import numpy as np, scanwise as sw
    >>> mlp = sw.Model(sw.Sequential(sw.Flatten(), sw.Linear(2)), (1, 20))
    >>> event = np.zeros((1, 20)); event[0, 8:11] = [1, 2, 1]
    >>> sw.shift_response(mlp, event, [0, 5]).unchanged.tolist()
    [True, False]
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    array = number_array(x, "x")
    samples = as_samples(array[None] if array.shape == model.input_shape else array, model.input_shape)
    if len(samples) == 0:
        raise ShapeError("x must hold at least one sample. Got 0.")
    values = unit_range(samples).astype(np.float32)
    axes = max(1, len(model.input_shape) - 1)
    _make_room(shifts, len(values) * math.prod(model.output_shape))
    moves = _checked(shifts, axes)
    background = np.float32(float32("shift_response", "fill", fill))
    unshifted = model(values)
    check_finite(unshifted, "the output for x")
    outputs = np.empty((len(moves), *unshifted.shape), np.float32)
    for output, move in zip(outputs, moves, strict=True):
        output[:] = model(_moved(values, move, background))
        check_finite(output, f"the output for x shifted by {move}")
    with np.errstate(over="ignore"):  # between the ends of float32
        change = np.abs(outputs - unshifted).reshape(len(moves), -1).max(axis=1)
    return ShiftResponse(moves, change, outputs)


def _checked(shifts: Any, axes: int) -> tuple[Shift, ...]:
    expected = "whole numbers" if axes == 1 else "whole numbers or pairs (rows, columns) of them"
    try:
        moves = tuple(_entries(shift, axes) for shift in shifts)
    except TypeError:
        raise ArgumentTypeError(f"shifts must be {expected}. Got {shifts!r}.") from None
    if not moves:
        raise ArgumentError(f"shifts must be {expected}, at least one. Got none.")
    if any(len(move) != axes for move in moves):
        raise ArgumentError(f"shifts must be {expected}. Got {shifts!r}.")
    return moves


def _entries(shift: Any, axes: int) -> Shift:
    try:
        return (0,) * (axes - 1) + (_whole_number(shift),)
    except TypeError:  # a pair of them
        return tuple(_whole_number(entry) for entry in shift)


def _whole_number(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)


def _make_room(shifts: object, values: int) -> None:
    """Refuse more shifts than memory holds outputs of, `values` each; what cannot say its length is taken."""
    try:
        needed = operator.length_hint(shifts) * (4 * values + _BYTES_PER_SHIFT)
    except TypeError:  # nothing to go through, which is said elsewhere
        return
    except OverflowError:
        needed = 2**80
    memory = available_bytes()
    if needed > memory:
        raise ArgumentError(
            f"shifts must be few enough for the outputs to fit into memory ({gibibytes(memory)} available). "
            f"Got some that need {gibibytes(needed)}."
        )


def _moved(x: NDArray[np.float32], move: Shift, fill: np.float32) -> NDArray[np.float32]:
    """The samples `(N, ..., *extents)` with their content moved along the last axes."""
    moved = np.full_like(x, fill)
    goal: list[Any] = [...]
    origin: list[Any] = [...]
    for by, extent in zip(move, x.shape[-len(move) :], strict=True):
        kept = max(0, extent - abs(by))
        goal.append(slice(max(by, 0), max(by, 0) + kept))
        origin.append(slice(max(-by, 0), max(-by, 0) + kept))
    moved[tuple(goal)] = x[tuple(origin)]
    return moved
