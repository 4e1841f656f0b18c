"""The ways in which PyTorch scans give the scores of a scan; what is timed runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import scanwise as sw
from benchmarks import scan_memory, scan_speed, stream_speed
from benchmarks.exactness import ExactnessError
from benchmarks.protocol import PYTORCH, SCANWISE
from benchmarks.scan_cases import AUDIO, ScanCase
from benchmarks.scan_speed import WINDOWS, Timed
from benchmarks.setting import Setting
from benchmarks.torch_scan import ways
from tests.backends import random_values

QUICK = Setting(cases=(), threads=2, quick=True, data=None)
SIGNAL = sw.Sequential(
    sw.LogMel(8000, 32, 8, 10), sw.Conv1d(6, 3, dilation=2), sw.ReLU(), sw.MaxPool1d(2), sw.Conv1d(4, 2, groups=2),
    sw.Aggregate("mean"), sw.Linear(3),
)  # fmt: skip
IMAGE = sw.Sequential(
    sw.Conv2d(4, 3, stride=(1, 2)), sw.ReLU(), sw.MaxPool2d(2), sw.Conv2d(5, 2), sw.Flatten(), sw.Linear(6), sw.ReLU(),
    sw.Linear(3),
)  # fmt: skip
PADDED = sw.Sequential(
    sw.LogMel(8000, 32, 8, 10), sw.Conv1d(6, 3, padding=1), sw.Aggregate("max"), sw.Linear(3)
)


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    before = sw.get_threads(), torch.get_num_threads()
    yield
    sw.set_threads(before[0])
    torch.set_num_threads(before[1])


@pytest.mark.parametrize(
    ("network", "input_shape", "extent", "step", "names"),
    [
        (SIGNAL, (1, 131), (700,), (16,), ["dilated"]),
        (SIGNAL, (1, 131), (703,), (8,), ["dilated", "shifted"]),
        (SIGNAL, (1, 131), (400,), (2,), ["dilated", "shifted"]),
        (IMAGE, (2, 10, 13), (41, 40), (2, 4), ["dilated"]),
        (IMAGE, (2, 10, 13), (30, 27), (1, 1), ["dilated", "shifted"]),
        (IMAGE, (2, 10, 13), (30, 27), (2, 1), ["dilated", "shifted"]),
        (PADDED, (1, 131), (700,), (8,), ["windows"]),
        (PADDED, (1, 131), (300,), (5,), ["windows"]),
    ],
)
def test_every_way_gives_the_scores_of_a_scan(
    network: sw.Sequential, input_shape: tuple[int, ...], extent: tuple[int, ...], step: Any, names: list[str]
) -> None:
    model = sw.Model(network, input_shape, seed=3)
    signal = random_values(input_shape[0], *extent)
    expected = sw.scan(model, signal, step=step if len(step) > 1 else step[0]).scores
    found = ways(model, step)
    assert list(found) == names
    with torch.inference_mode():
        for name, way in found.items():
            scores = way(torch.from_numpy(signal)).numpy()
            assert scores.shape == expected.shape, name
            np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5, err_msg=name)


SMALL = ScanCase("small", SIGNAL, (1, 131), ((16,), (8,)), (900,), (500,))


def test_a_scan_is_timed_and_held_against_minimums() -> None:
    timed = scan_speed.timed_scan(SMALL, (8,), QUICK)
    assert list(timed.seconds) == [SCANWISE, f"{PYTORCH} dilated", f"{PYTORCH} shifted", WINDOWS]
    assert timed.windows == (500 - 131) // 8 + 1
    assert max(timed.errors.values()) < 1e-5
    assert [figure.minimum for figure in scan_speed.figures(timed)] == [70.0, 2.0, None]


def test_ratios_of_a_scan() -> None:
    seconds = {SCANWISE: 0.5, f"{PYTORCH} dilated": 2.0, f"{PYTORCH} windows": 9.0, WINDOWS: 10.0}
    timed = Timed(AUDIO[1], AUDIO[1].steps[0], 100, 25.0, seconds, {}, (32_000,), 0.001)
    share, ratio, real_time = scan_speed.figures(timed)
    assert (share.value, share.note) == (80.0, "20.0 of 25.0")
    assert (ratio.value, ratio.note) == (4.0, "against PyTorch dilated")
    assert (real_time.value, real_time.minimum) == (4.0, 2000.0)


def test_a_scan_that_is_wrong_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_speed, "ways", lambda *_: {"wrong": lambda x: torch.zeros(3, 24)})
    with pytest.raises(ExactnessError, match="wrong: relative error of scores"):
        scan_speed.timed_scan(SMALL, (16,), QUICK)


class FakeStream:
    """Takes what a stream takes."""

    def __init__(self, model: sw.Model) -> None:
        self.model = model

    def feed(self, chunk: NDArray[np.float32]) -> NDArray[np.float32]:
        assert chunk.shape in ((1, 320), (1, 640), (1, 16000))
        return np.empty((12, 1), np.float32)


def test_streams_are_timed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sw, "Stream", FakeStream)
    (section,) = stream_speed.streams(QUICK)
    assert [figure.minimum for figure in section.figures] == [1.0, None, None, 1.0, 35.0, None]


def test_ratios_of_a_stream() -> None:
    names = (stream_speed._FEED, stream_speed._HOP, stream_speed._LONG, stream_speed._WINDOW)
    seconds = dict(zip(names, (0.0005, 0.001, 0.0005, 0.05), strict=True))
    feed, hop, long = stream_speed.figures("ds-cnn", seconds)
    assert (feed.value, feed.met) == (0.5, True)
    assert (hop.value, hop.met) == (50.0, True)
    assert (long.value, long.met) == (100.0, None)


def test_memory_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_memory, "RATE", 1000)
    figures = scan_memory.memory(QUICK).figures
    assert [figure.met for figure in figures] == [True, True]
