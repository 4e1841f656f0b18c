"""What decided a detection's score: nothing outside of its support (lecture part 7)."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import scanwise as sw
from scanwise.layers import Layer, Shape
from tests.backends import BACKENDS, random_values
from tests.plan.drawn_networks import Case, classifiers

# Networks with maxima at several places, that pad or do not.
DECIDING: list[tuple[Shape, tuple[Layer, ...]]] = [
    ((2, 30), (sw.Conv1d(4, 3), sw.Tanh(), sw.MaxPool1d(2), sw.Conv1d(4, 2), sw.Aggregate("max"), sw.Linear(3))),
    ((2, 30), (sw.Conv1d(3, 5, padding="same"), sw.MaxPool1d(3), sw.Aggregate("max"))),
    ((1, 60), (sw.LogMel(8000, 16, 4, 5), sw.Conv1d(2, 3), sw.Aggregate("max"))),
    ((2, 12, 13), (sw.Conv2d(3, 3), sw.MaxPool2d(2), sw.Conv2d(3, 2), sw.Aggregate("max"))),
    ((1, 9, 9), (sw.Residual(sw.Conv2d(1, 3, padding=1), sw.MaxPool2d(3, 1, 1)), sw.Aggregate("max"), sw.Linear(2))),
]  # fmt: skip


def ranges_of(found: sw.Detection) -> tuple[tuple[int, int], ...]:
    """The support as one range an axis."""
    assert found.support is not None
    first = found.support[0]
    return found.support if isinstance(first, tuple) else (found.support,)  # type: ignore[return-value]


def starts_of(found: sw.Detection) -> tuple[int, ...]:
    return tuple(start for start, _ in found.ranges)


def window_of(signal: NDArray[Any], found: sw.Detection) -> NDArray[Any]:
    return np.asarray(signal[(slice(None), *(slice(*one) for one in found.ranges))])


def changed_outside(signal: NDArray[Any], found: sw.Detection, scale: float) -> NDArray[Any]:
    changed: NDArray[Any] = signal + np.float32(scale) * random_values(*signal.shape)[..., ::-1]
    inside = (slice(None), *(slice(*one) for one in ranges_of(found)))
    changed[inside] = signal[inside]
    return changed


def path_of(model: sw.Model, window: NDArray[Any], label: int) -> list[tuple[str, Any]]:
    return [(choice.place, choice.positions.tolist()) for choice in sw.route(model, window, label).path]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "layers"), DECIDING, ids=str)
def test_what_lies_outside_does_not_matter_while_the_maxima_stay(
    shape: Shape, layers: tuple[Layer, ...], backend: str
) -> None:
    model = sw.Model(sw.Sequential(*layers), shape, backend=backend)
    signal = random_values(*shape[:1], *(2 * extent + 3 for extent in shape[1:]))
    result = sw.scan(model, signal)
    compared = 0
    for found in result.detections(0.0)[:6]:
        assert all(
            low <= first <= last <= high
            for (first, last), (low, high) in zip(ranges_of(found), found.ranges, strict=True)
        )
        changed = changed_outside(signal, found, 0.02)
        before, after = window_of(signal, found), window_of(changed, found)
        if path_of(model, before, found.index) == path_of(model, after, found.index):
            compared += 1
            place = tuple(
                start // axis.step for start, axis in zip(starts_of(found), result.axes, strict=True)
            )
            scores = sw.scan(model, changed).scores[(found.index, *place)]
            np.testing.assert_array_equal(scores, result.scores[(found.index, *place)])
    assert compared


@given(classifiers())
@settings(max_examples=30, deadline=None)
def test_support_is_the_region_of_the_route(case: Case) -> None:
    """Of drawn networks, where a window lies in the signal counted in."""
    if len(case.input_shape) == 1:
        return
    model = sw.Model(case.network, case.input_shape, backend="reference")
    model.parameters.update(case.parameters)
    signal = random_values(*case.input_shape[:1], *(extent + 3 for extent in case.input_shape[1:]))
    for found in sw.scan(model, signal).detections(0.0)[:3]:
        route = sw.route(model, window_of(signal, found), found.index)
        expected = tuple(
            (begin + start, begin + stop)
            for begin, (start, stop) in zip(starts_of(found), route.region, strict=True)
        )
        assert ranges_of(found) == expected


@pytest.mark.parametrize("start", [0, 33, 95])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_planted_pattern_is_the_support(start: int, backend: str) -> None:
    model = listener(backend)
    signal = np.zeros((1, 100), np.float32)
    signal[0, start : start + 5] = [1, 2, 3, 2, 1]
    found = sw.scan(model, signal).detections(0.5)
    assert [one.support for one in found] == [(start, start + 5)]
    assert found[0].support_seconds == (start / 50, (start + 5) / 50)


def listener(backend: str = "native") -> sw.Model:
    """Hears 1 2 3 2 1 in 20 samples."""
    network = sw.Sequential(sw.Conv1d(1, 5), sw.Aggregate("max"))
    model = sw.Model(network, (1, 20), labels=["bump"], sample_rate=50, backend=backend)
    model.parameters = {"0.weight": [[[1.0, 2.0, 3.0, 2.0, 1.0]]], "0.bias": [-18.5]}
    return model


def test_the_support_of_an_event_is_that_of_its_best_window() -> None:
    signal = np.zeros((1, 100), np.float32)
    signal[0, 30:35] = [1, 2, 3, 2, 1]
    signal[0, 45:50] = [1, 2, 4, 2, 1]
    (found,) = sw.scan(listener(), signal).detections(0.5, merge=0)
    assert (found.start, found.stop) == (15, 65)
    assert found.support == (45, 50)


def test_of_an_image() -> None:
    model = sw.Model(sw.Sequential(sw.Conv2d(1, 3), sw.Aggregate("max")), (1, 10, 12))
    model.parameters = {"0.weight": np.ones((1, 1, 3, 3)), "0.bias": [-8.5]}
    image = np.zeros((1, 40, 50), np.uint8)
    image[0, 20:23, 30:33] = 255
    (found,) = sw.scan(model, image).detections(0.5)
    assert found.support == ((20, 23), (30, 33))
    assert found.support_seconds is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_maximum_it_is_the_receptive_field(backend: str) -> None:
    """Of 11 samples a pooling of 2 leaves one out."""
    network = sw.Sequential(sw.AvgPool1d(2), sw.Flatten(), sw.Linear(1))
    model = sw.Model(network, (1, 11), backend=backend)
    found = sw.scan(model, random_values(1, 40), step=3).detections(0.0)
    assert [one.support for one in found] == [(one.ranges[0][0], one.ranges[0][0] + 10) for one in found]


def test_padding_alone_is_an_empty_range() -> None:
    network = sw.Sequential(sw.Pad1d((4, 0)), sw.Conv1d(1, 2), sw.Aggregate("max"))
    model = sw.Model(network, (1, 6))
    model.parameters["1.weight"] = [[[1.0, 1.0]]]
    found = sw.scan(model, np.full((1, 12), -1.0), step=6).detections(0.0)
    assert [one.support for one in found] == [(0, 0), (6, 6)]


def test_of_a_memory_map(tmp_path: Path) -> None:
    signal = np.zeros((1, 100), np.int16)
    signal[0, 50:55] = [1, 2, 3, 2, 1]
    np.save(tmp_path / "signal.npy", signal)
    found = sw.scan(listener(), np.load(tmp_path / "signal.npy", mmap_mode="r")).detections(0.5)
    assert [one.support for one in found] == [(50, 55)]


class TestWhatIsKept:
    def test_copies_have_the_support_and_not_the_signal(self) -> None:
        signal = np.zeros((1, 100), np.float32)
        signal[0, 30:35] = [1, 2, 3, 2, 1]
        (found,) = sw.scan(listener(), signal).detections(0.5)
        for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
            assert again == found
            assert again.trace == again.support == (30, 35)
        assert dataclasses.asdict(found)["label"] == "bump"

    def test_a_pickled_scan_has_no_signal(self) -> None:
        result = sw.scan(listener(), np.ones((1, 30), np.float32))
        again = pickle.loads(pickle.dumps(result))
        np.testing.assert_array_equal(again.scores, result.scores)
        assert {found.support for found in again.detections(0.0)} == {None}
        assert {found.support_seconds for found in again.detections(0.0)} == {None}

    def test_a_detection_made_by_hand_has_none(self) -> None:
        assert sw.Detection("x", 0, 0.5, 3, 7).support is None

    @pytest.mark.parametrize("what", ["model", "signal"])
    def test_what_has_changed_since(self, what: str) -> None:
        model, signal = listener(), random_values(1, 100)
        found = sw.scan(model, signal).detections(0.0)[0]
        if what == "model":
            model.parameters["0.bias"] = [3.0]
        else:
            signal[:] = 0
        with pytest.raises(sw.ArgumentError, match="must be as they were when they were scanned"):
            _ = found.support
