"""What a scan takes at least, against counting every value of every window in a set."""

from __future__ import annotations

import math

import numpy as np
import pytest

import scanwise as sw
from benchmarks.scan_cases import AUDIO, CASES, ScanCase
from benchmarks.scan_operations import ideal_ratio, shared_operations
from scanwise import shapes

SIGNAL = sw.Sequential(
    sw.Conv1d(2, 3), sw.MaxPool1d(2), sw.Conv1d(3, 2, stride=2), sw.Flatten(), sw.Linear(2)
)
IMAGE = sw.Sequential(sw.Conv2d(2, 3), sw.MaxPool2d((2, 3)), sw.Conv2d(3, 2), sw.Aggregate("max"))
PADDED = sw.Sequential(
    sw.Conv1d(2, 3), sw.MaxPool1d(2), sw.Conv1d(3, 2, padding=1), sw.Flatten(), sw.Linear(2)
)


def counted(model: sw.Model, step: tuple[int, ...], counts: tuple[int, ...], shared: int) -> float:
    """Operations of different values; those of the first `shared` layers are shared."""
    total = 0.0
    for number, row in enumerate(shapes.walk(model.network, model.input_shape)):
        inside = row.output_shape[1:]
        places: set[object] = set()
        for window in np.ndindex(counts):
            for value in np.ndindex(inside):
                place: object = (window, value)
                if number < shared and inside:
                    axes = zip(window, step, value, row.stride, strict=True)
                    place = tuple(w * hop + v * stride for w, hop, v, stride in axes)
                places.add(place)
        total += row.operations * len(places) / math.prod(inside)
    return total


@pytest.mark.parametrize("step", [1, 2, 3, 4, 8, 20])
@pytest.mark.parametrize(("network", "shared"), [(SIGNAL, 5), (PADDED, 2)])
def test_signals(network: sw.Sequential, shared: int, step: int) -> None:
    model = sw.Model(network, (1, 13))
    assert shared_operations(model, (step,), (6,)) == pytest.approx(counted(model, (step,), (6,), shared))


@pytest.mark.parametrize("step", [(1, 1), (2, 3), (4, 1), (9, 9)])
def test_images(step: tuple[int, int]) -> None:
    model = sw.Model(IMAGE, (1, 9, 11))
    assert shared_operations(model, step, (4, 3)) == pytest.approx(counted(model, step, (4, 3), 4))


def test_windows_apart_have_nothing_to_share() -> None:
    model = sw.Model(SIGNAL, (1, 13))
    assert ideal_ratio(model, (13,), (5,)) == 1.0
    assert ideal_ratio(model, (1,), (1000,)) > 2.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_first_step_is_the_networks_own(case: ScanCase) -> None:
    assert case.steps[0] == shapes.receptive_field(case.network, case.input_shape)[1]


def test_networks_to_scan_do_not_pad_unless_they_say_so() -> None:
    for case in CASES:
        padded = shapes.has_padding(case.network, case.input_shape) is not None
        assert padded == case.name.endswith("padded")
    assert {case.input_shape for case in AUDIO} == {(1, 16_000)}
