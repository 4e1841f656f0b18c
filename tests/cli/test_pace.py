from __future__ import annotations

import time

import pytest

import scanwise as sw
from scanwise.cli.pace import Pace


@pytest.mark.parametrize(
    ("shape", "rate", "step", "windows", "expected"),
    [
        ((1, 400), 8000.0, 100, 180_000, "0.312 signal-hours per second"),
        ((1, 4, 4), None, 2, 1_500_000, "3 megapixels per second"),
        ((1, 12), None, None, 1_200_000, "0.6 million samples per second"),
    ],
)
def test_the_pace_counts_what_was_scanned_and_the_part_of_the_present_file(
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    rate: float | None,
    step: int | None,
    windows: int,
    expected: str,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    shown: list[tuple[float, int, str]] = []
    network = sw.Sequential(sw.Flatten(), sw.Linear(2))
    model = sw.Model(network, shape, backend="reference", sample_rate=rate)
    pace = Pace(lambda *told: shown.append(told), model, 4, step)
    pace.file_done()  # of an earlier run
    clock[0] = 1.0
    pace(windows // 2, None)
    pace(windows, windows * 4 // 3)
    pace.file_done()
    clock[0] = 2.0
    pace.file_done()  # could not be read
    assert [told[:2] for told in shown] == [(1.0, 4), (1.0, 4), (1.75, 4), (2.0, 4), (3.0, 4)]
    assert shown[-1][2] == expected
