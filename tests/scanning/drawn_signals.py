"""Hypothesis strategies: detectors for signals, and ways to cut a signal into chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import scanwise as sw
from scanwise.codegen.target import Target
from scanwise.plan.executor import NativeExecutor
from tests.plan.drawn_networks import Case, networks


@st.composite
def detectors(draw: st.DrawFn, *, padding: bool = False) -> Case:
    """A network on (C, T), `LogMel` in front or not, that ends in scores of a few labels."""
    case = draw(networks(most=4, padding=padding, flat=False).filter(lambda case: len(case.input_shape) == 2))
    ends: list[list[sw.Layer]] = [[sw.Flatten(), sw.Linear(3)]]
    if len(case.output_shape) > 1:
        ends += [[sw.Aggregate(mode)] for mode in sw.Aggregate.modes]
        ends += [[sw.Aggregate("max"), sw.Linear(2), sw.Softmax()]]
    return Case(sw.Sequential(*case.network.layers, *draw(st.sampled_from(ends))), case.input_shape)


def model_of(case: Case, target: Target | None = None) -> sw.Model:
    """A model with drawn parameters, compiled for a processor."""
    model = sw.Model(case.network, case.input_shape)
    model.parameters.update(case.parameters)
    if target is not None:
        model._executor = NativeExecutor(model.network, model.input_shape, target=target)
        model._loaded_version = -1
    return model


@st.composite
def chunks_of(draw: st.DrawFn, signal: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A signal cut at any places, some of which may be the same."""
    length = signal.shape[1]
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=8)))
    return [signal[:, a:b] for a, b in zip([0, *cuts], [*cuts, length], strict=True)]


def fed(stream: sw.Stream, chunks: list[NDArray[Any]]) -> NDArray[np.float32]:
    return np.concatenate([stream.feed(chunk) for chunk in chunks], axis=1)


def pieces(signal: NDArray[Any], size: int) -> list[NDArray[Any]]:
    return [signal[:, i : i + size] for i in range(0, signal.shape[1], size)]
