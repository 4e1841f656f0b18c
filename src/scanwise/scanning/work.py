"""A model and a signal, checked against each other and ready to be evaluated: what `scan` and `detect` share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scanwise import shapes
from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError
from scanwise.model import Model
from scanwise.scanning.evaluation import Write, evaluate, settle
from scanwise.scanning.evaluators import Evaluator, evaluator_for
from scanwise.scanning.finite import RULES, FiniteValues
from scanwise.scanning.grid import EDGES, Axis, Coverage, per_axis
from scanwise.scanning.source import Source
from scanwise.scanning.tiling import ENDLESS, comes_again, even_counts, tile_counts
from scanwise.threads import get_threads

# Windows finished, and windows in all: None as long as the end of the signal is not known.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Work:
    """A model and a signal, checked against each other.

    Attributes:
        counts: windows in a tile along each axis.
        labels: scores of a window.
    """

    source: Source
    axes: tuple[Axis, ...]
    counts: tuple[int, ...]
    evaluator: Evaluator
    finite: FiniteValues
    labels: int

    @classmethod
    def of(cls, model: Model, source: Source, step: Any, edge: str, nan: str) -> Work:
        """Check a signal against a model, and choose how its windows are evaluated."""
        labels = score_count(model)
        _check_signal(model, source)
        stride = shapes.receptive_field(model.network, model.input_shape)[1]
        steps = stride if step is None else per_axis("step", step, len(stride), 1)
        axes = tuple(
            Axis(ENDLESS if extent is None else extent, window, min(each, ENDLESS), own, edge)
            for extent, window, each, own in zip(
                source.extent, model.input_shape[1:], steps, stride, strict=True
            )
        )
        _check_extent(source, axes)
        # A tile has whole windows only, whatever the edge.
        evaluator = evaluator_for(model, tuple(replace(axis, edge="valid") for axis in axes))
        if source.extent[0] is None:
            axes = settle(source, axes, tile_counts(axes, evaluator.most))
            _check_extent(source, axes)
        if source.extent[0] is not None and comes_again(model.executor, axes):
            counts = even_counts(axes, evaluator.most, get_threads())
        else:
            counts = tuple(tile_counts(axes, evaluator.most))
        return cls(source, axes, counts, evaluator, FiniteValues(source, nan), labels)

    def run(self, write: Write, progress: Progress | None) -> tuple[Axis, ...]:
        """Evaluate all windows; gives where they lie, now that the end of the signal is known."""
        done = 0

        def report(windows: int) -> None:
            nonlocal done
            done += windows
            if progress is not None:
                extent = self.source.extent[0]
                first = None if extent is None else replace(self.axes[0], extent=extent).count
                rest = math.prod(axis.count for axis in self.axes[1:])
                progress(done, None if first is None else first * rest)

        return evaluate(self.source, self.axes, self.counts, self.evaluator, self.finite, write, report)

    def coverage(self, axes: tuple[Axis, ...]) -> Coverage:
        """What the scan looked at."""
        return Coverage(axes, self.finite.skipped, self.finite.runs)


def check_arguments(model: object, edge: object, nan: object, progress: object) -> None:
    """Raise ArgumentError or ArgumentTypeError unless they are as `scan` takes them."""
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    for name, value, choices in (("edge", edge, EDGES), ("nan", nan, RULES)):
        if not isinstance(value, str) or value not in choices:
            raise ArgumentError(f"{name} must be one of {', '.join(map(repr, choices))}. Got {value!r}.")
    if progress is not None and not callable(progress):
        raise ArgumentTypeError(f"progress must be a function. Got {progress!r}.")


def score_count(model: Model) -> int:
    if len(model.input_shape) not in (2, 3):
        raise ShapeError(f"model's input_shape must be (C, T) or (C, H, W) to scan. Got {model.input_shape}.")
    if math.prod(model.output_shape[1:]) != 1:
        raise ShapeError(
            f"model must give one vector of scores per window to scan. Got output shape {model.output_shape}; "
            "end the network in Aggregate(...), or in Flatten() and Linear(...)."
        )
    return model.output_shape[0]


def _check_signal(model: Model, source: Source) -> None:
    name, error = source.origin.name, source.origin.shape_error
    wanted, shape = model.input_shape, (source.channels, *source.extent)
    shown = f"({', '.join('n' if n is None else str(n) for n in shape)}{',' if len(shape) == 1 else ''})"
    if len(shape) != len(wanted):
        names = "(C, T)" if len(wanted) == 2 else "(C, H, W)"
        hint = f"; add the channel axis: {name}[None]" if len(shape) == len(wanted) - 1 else ""
        raise error(f"{name} must have shape {names} for this model. Got {shown}{hint}.")
    if source.channels != wanted[0]:
        raise error(f"{name} must have {wanted[0]} channels, first. Got {source.channels}, shape {shown}.")


def _check_extent(source: Source, axes: tuple[Axis, ...]) -> None:
    if all(axis.count for axis in axes):
        return
    extent, window = tuple(axis.extent for axis in axes), tuple(axis.window for axis in axes)
    name, error = source.origin.name, source.origin.shape_error
    if axes[0].edge == "pad":
        raise error(f"{name} must not be empty. Got {extent}.")
    hint = '; only edge="pad" takes a smaller one' if axes[0].edge == "extend" and min(extent) else ""
    raise error(f"{name} must be at least as large as the window {window}. Got {extent}{hint}.")
