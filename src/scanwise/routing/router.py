"""Where a score comes from: back through the stored maxima to the input (lecture part 7)."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.executor import unit_range
from scanwise.inputs import as_samples, number_array
from scanwise.layers import Layer, Residual
from scanwise.model import Model
from scanwise.routing.masks import Choice, Mask, Trail, inputs_of
from scanwise.routing.maxima import first_maxima, takes_maxima
from scanwise.routing.parts import part, run

__all__ = ["Route", "Router", "route"]


@dataclass(frozen=True, eq=False)
class Route:
    """What a score depends on.

    Attributes:
        label: the label's name, or its number as text if the model has no names.
        score: the model's output for it.
        region: the smallest range (start, stop) along each spatial axis of the input that holds the mask; of a flat
            input along its only axis. (0, 0) where the mask is empty.
        mask: bool, of the input's shape: the inputs that the score can depend on as long as the maxima are where they
            are.
        path: the choices of the layers of maxima on the way, from the score to the input.
    """

    label: str
    score: float
    region: tuple[tuple[int, int], ...]
    mask: Mask
    path: tuple[Choice, ...]


def route(model: Model, x: ArrayLike, label: str | int) -> Route:
    """Follow a label's score back to the part of the input that it comes from.

    A maximum depends on the one input that it chose, and sends the gradient there alone (lecture 7.2). So the maxima of
    a scanning network say not only that a pattern is there but where. All other layers lead back to all that they are
    connected to: a convolution to its receptive field, a mean to its window, `Linear` to everything.

    Args:
        model: the model, with one score for each label.
        x: one sample, `input_shape` or `(1, *input_shape)`; any real dtype, uint8 is taken as 0..1.
        label: the label's name or number.

    Raises:
        ShapeError: `x` is not one sample, or the model does not give one score for each label.
        ArgumentError, ArgumentTypeError: there is no such label; `x` is not finite or not real; a layer is of a kind
            that has no rule.

    Source: lecture 7.1, 7.2 (the stored argmax), 7.3 and 8.4.

    >>> import numpy as np, scanwise as sw
    >>> model = sw.Model(sw.Sequential(sw.Conv1d(1, 3), sw.Aggregate("max")), (1, 20), labels=["bump"])
    >>> model.parameters["0.weight"] = [[[1.0, 2.0, 1.0]]]
    >>> event = np.zeros((1, 20)); event[0, 8:11] = [1, 2, 1]
    >>> found = sw.route(model, event, "bump")
    >>> found.score, found.region, found.path[0].positions.tolist()
    (6.0, ((8, 11),), [[0, 8]])
    """
    return Router(model).route(x, label)


class Router:
    """Follows many scores of one model back: the parts of the network between its maxima are made once.

    They have the parameters that the model had when they were made, by the first score that was followed.
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model, Model):
            raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
        self._model = model
        self._layers = list(model.network.flat())
        self._parts: dict[tuple[str, ...], Model] = {}

    @property
    def chooses(self) -> bool:
        """Whether a layer takes a maximum, so that routes differ from one input to the next."""
        return any(_holds_maxima(layer) for _, layer in self._layers)

    def route(self, x: ArrayLike, label: str | int) -> Route:
        """As the function `route`."""
        model = self._model
        number = _label_number(model, label)
        array = number_array(x, "x")
        sample = as_samples(array[None] if array.shape == model.input_shape else array, model.input_shape)
        if len(sample) != 1:
            raise ShapeError(
                f"x must be one sample, of shape {model.input_shape}. Got {len(sample)} samples."
            )
        score = model(sample).reshape(-1)[number]
        maxima: dict[str, NDArray[np.int64]] = {}
        self._store_maxima(self._layers, unit_range(sample).astype(np.float32), maxima)
        trail = Trail(maxima)
        outputs = np.zeros(model.output_shape, bool)
        outputs.flat[number] = True
        mask = np.array(inputs_of(model.network, outputs, model.input_shape, "", trail))
        name = str(number) if model.labels is None else model.labels[number]
        return Route(name, float(score), _bounds(mask), mask, tuple(trail.choices))

    def _store_maxima(
        self,
        layers: Iterable[tuple[str, Layer]],
        x: NDArray[np.float32],
        maxima: dict[str, NDArray[np.int64]],
    ) -> None:
        """Run the layers up to each layer of maxima in turn, and store what that one chooses.

        The layers in between run together, as they do in the whole network, so that their outputs have its bits.
        """
        waiting: list[tuple[str, Layer]] = []
        for place, layer in layers:
            if _holds_maxima(layer):
                if waiting:
                    x, waiting = self._run(waiting, x), []
                if isinstance(layer, Residual):
                    self._store_maxima(layer.flat(f"{place}."), x, maxima)
                else:
                    maxima[place] = first_maxima(layer, x[0])
            waiting.append((place, layer))

    def _run(self, layers: list[tuple[str, Layer]], x: NDArray[np.float32]) -> NDArray[np.float32]:
        places = tuple(place for place, _ in layers)
        if places not in self._parts:
            self._parts[places] = part(layers, x.shape[1:], self._model.parameters, self._model.backend)
        return run(self._parts[places], layers[-1], x)


def _label_number(model: Model, label: Any) -> int:
    if math.prod(model.output_shape[1:]) != 1:
        raise ShapeError(f"model must give one score for each label. Got output shape {model.output_shape}.")
    labels, count = model.labels, model.output_shape[0]
    known = f"a number from 0 to {count - 1}" + ("" if labels is None else f" or one of {labels!r}")
    if isinstance(label, str):
        if labels is None or label not in labels:
            raise ArgumentError(f"label must be {known}. Got {label!r}.")
        return labels.index(label)
    try:
        number = operator.index(label)
    except TypeError:
        number = None
    if number is None or isinstance(label, bool):
        raise ArgumentTypeError(f"label must be {known}. Got {label!r}.")
    if not 0 <= number < count:
        raise ArgumentError(f"label must be {known}. Got {label!r}.")
    return number


def _holds_maxima(layer: Layer) -> bool:
    if isinstance(layer, Residual):
        return any(_holds_maxima(inner) for _, inner in layer.flat())
    return takes_maxima(layer)


def _bounds(mask: Mask) -> tuple[tuple[int, int], ...]:
    where = np.argwhere(mask)[:, min(1, mask.ndim - 1) :]
    if len(where) == 0:
        return ((0, 0),) * max(1, mask.ndim - 1)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    return tuple((int(start), int(stop)) for start, stop in zip(low, high, strict=True))
