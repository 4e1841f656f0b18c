"""How close each layer comes to the machine's measured peak, layer by layer, on one thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import scanwise as sw
from benchmarks.networks import Case
from benchmarks.peak import peak_gflops
from benchmarks.timing import interleaved
from scanwise import layers


@dataclass(frozen=True)
class Efficiency:
    """One layer alone, with the conversion of its input and output to and from the engine's layout.

    Attributes:
        layer: the call that makes it, with its input shape.
        forward: billions of operations a second, inference.
        backward: the same for input and parameter gradients together.
        peak: the machine's measured peak on one thread.
    """

    layer: str
    forward: float
    backward: float
    peak: float


def of(case: Case, *, rounds: int, seconds: float) -> list[Efficiency]:
    """Every layer of the network that multiplies weights. Layers that occur twice are timed once."""
    rows: list[Efficiency] = []
    shape = case.input_shape
    done: set[tuple[layers.Layer, tuple[int, ...]]] = set()
    sw.set_threads(1)
    for layer in case.network().layers:
        if layer.parameter_shapes(shape) and (layer, shape) not in done:
            done.add((layer, shape))
            rows.append(_time(layer, shape, case.batch, rounds, seconds))
        shape = layer.output_shape(shape)
    return rows


def _time(layer: layers.Layer, shape: tuple[int, ...], batch: int, rounds: int, seconds: float) -> Efficiency:
    model = sw.Model(sw.Sequential(layer), shape, seed=0)
    random = np.random.default_rng(0)
    x = random.uniform(0.05, 1.0, (batch, *shape)).astype(np.float32)
    dy = random.uniform(0.05, 1.0, (batch, *layer.output_shape(shape))).astype(np.float32)

    def forward(calls: int) -> None:
        for _ in range(calls):
            model(x)

    def both(calls: int) -> None:
        for _ in range(calls):
            model.gradients(x, dy)

    taken = interleaved({"forward": forward, "both": both}, rounds=rounds, seconds=seconds)
    operations = layer.operations(shape) * batch / 1e9
    # `gradients` runs forward first; each of the two gradients has as many operations as forward.
    backward = 2 * operations / max(taken["both"] - taken["forward"], 1e-9)
    return Efficiency(f"{layer!r} on {shape}", operations / taken["forward"], backward, peak_gflops(1))
