"""Single kernels on one thread against what they shall reach of the machine's measured peak.

Each layer is compiled by itself and its results are checked against float64 first (`layer`). Rates count the operations
of the direct formula, so Winograd's algorithm, which needs fewer, can pass the peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import scanwise as sw
from benchmarks.bandwidth import cache_work
from benchmarks.figure import Figure
from benchmarks.layer import PASSES, LayerAlone
from benchmarks.peak import peak_work
from benchmarks.report import Section
from benchmarks.timing import interleaved
from scanwise.layers import Conv2d

__all__ = ["KINDS", "Kind", "Measured", "figures", "loaded_bytes", "section"]

SAMPLES = 16
FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT = PASSES


@dataclass(frozen=True)
class Goal:
    """What a pass shall reach: a share of the peak."""

    minimum: float
    stretch: float


@dataclass(frozen=True)
class Kind:
    """A layer to time.

    Attributes:
        name: what the table calls it.
        layer: the layer.
        input_shape: of one sample.
        goals: what each pass that is timed shall reach.
        fast: by Winograd's algorithm.
        in_cache: the share is of the bandwidth of the first-level cache, not of the multiply-add peak.
    """

    name: str
    layer: Conv2d
    input_shape: tuple[int, int, int]
    goals: dict[str, Goal]
    fast: bool = False
    in_cache: bool = False


def _all(goal: Goal) -> dict[str, Goal]:
    return dict.fromkeys(PASSES, goal)


_DIRECT = {FORWARD: Goal(0.8, 0.9), INPUT_GRADIENT: Goal(0.8, 0.9), WEIGHT_GRADIENT: Goal(0.7, 0.8)}
_POINTWISE = _all(Goal(0.7, 0.85))
_FEW_CHANNELS = {FORWARD: Goal(0.4, 0.6)}
_DEPTHWISE = {FORWARD: Goal(0.6, 0.6)}
# The weight gradient's effective rate has no stretch of its own: all three passes shall reach the same.
_WINOGRAD = _all(Goal(1.7, 1.7))

KINDS = (
    Kind("3x3, 64 channels", Conv2d(64, 3, padding=1), (64, 32, 32), _DIRECT),
    Kind("3x3, 128 channels", Conv2d(128, 3, padding=1), (128, 16, 16), _DIRECT),
    Kind("1x1, 64 channels", Conv2d(64, 1), (64, 32, 32), _POINTWISE),
    Kind("1x1, 128 channels", Conv2d(128, 1), (128, 16, 16), _POINTWISE),
    Kind("1x1, 256 channels", Conv2d(256, 1), (256, 8, 8), _POINTWISE),
    Kind("5x5, 1 input channel", Conv2d(16, 5, padding=2), (1, 28, 28), _FEW_CHANNELS),
    Kind("5x5, 3 input channels", Conv2d(32, 5, padding=2), (3, 32, 32), _FEW_CHANNELS),
    Kind(
        "depthwise 3x3, 64 channels",
        Conv2d(64, 3, padding=1, groups=64),
        (64, 25, 5),
        _DEPTHWISE,
        in_cache=True,
    ),
    Kind("Winograd 3x3, 64 channels", Conv2d(64, 3, padding=1), (64, 32, 32), _WINOGRAD, fast=True),
    Kind("Winograd 3x3, 128 channels", Conv2d(128, 3, padding=1), (128, 16, 16), _WINOGRAD, fast=True),
)


@dataclass(frozen=True)
class Measured:
    """One pass of one kind.

    Attributes:
        kind: what was timed.
        name: the pass.
        rate: operations a second, or bytes a second (`in_cache`).
        share: of the peak, or of the cache's bandwidth.
        error: relative error against float64.
        direct_error: the direct sum's, where another algorithm was timed.
    """

    kind: str
    name: str
    rate: float
    share: float
    goal: Goal
    error: float
    direct_error: float | None = None


def loaded_bytes(kind: Kind) -> int:
    """What a depthwise kernel must load for one sample: R S inputs for every output value.

    Weights (which a tile of positions keeps in registers) and stores (which go another way) are not counted.
    """
    outputs = math.prod(kind.layer.output_shape(kind.input_shape))
    return 4 * outputs * math.prod(kind.layer.geometry(kind.input_shape).kernel)


def figures(*, rounds: int, seconds: float) -> list[Measured]:
    """Every pass of every kind that has a goal."""
    sw.set_threads(1)
    return [row for kind in KINDS for row in _of(kind, rounds, seconds)]


def _of(kind: Kind, rounds: int, seconds: float) -> Iterator[Measured]:
    alone = LayerAlone(kind.layer, kind.input_shape, SAMPLES, fast=kind.fast)
    direct = LayerAlone(kind.layer, kind.input_shape, 1).errors if kind.fast else {}
    limit, most = cache_work() if kind.in_cache else peak_work(1)
    works = {"limit": limit, **{name: alone.work(name) for name in kind.goals}}
    taken = interleaved(works, rounds=rounds, seconds=seconds)
    amount = loaded_bytes(kind) if kind.in_cache else alone.operations
    for name, goal in kind.goals.items():
        rate = amount * alone.samples / taken[name]
        share = rate * taken["limit"] / most
        yield Measured(kind.name, name, rate, share, goal, alone.errors[name], direct.get(name))


def section(rows: list[Measured]) -> Section:
    """The table of the report."""
    note = (
        "One thread, a layer compiled by itself; a share of the multiply-add peak, whose loop is timed in turns with "
        "the kernel; operations of the direct formula. Depthwise: bytes of the R S inputs of every output value "
        "(weights and stores not counted) as a share of the load bandwidth of the first-level cache, likewise timed. "
        "Winograd's effective rate passes the peak; weights are transformed once a step and their transform is not in "
        "the time. Errors are relative (length of the difference over length of the result) against float64."
    )
    return Section("Single kernels and their minimums", note, figures=[_figure(row) for row in rows])


def _figure(row: Measured) -> Figure:
    unit = "B" if row.kind.startswith("depthwise") else "FLOP"
    note = f"{row.rate / 1e9:.0f} G{unit}/s; error {row.error:.1e}"
    if row.direct_error is not None:
        note += f", of the direct sum {row.direct_error:.1e}"
    goal = row.goal
    return Figure(
        f"{row.kind}, {row.name}", 100 * row.share, "%", 100 * goal.minimum, 100 * goal.stretch, note=note
    )
