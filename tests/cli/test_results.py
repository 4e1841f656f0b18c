"""A file's result goes through JSON text and comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import scanwise as sw
from scanwise.cli.results import FileResult
from scanwise.scanning import Detection

finite = st.floats(allow_nan=False)
place = st.integers(0, 1 << 62)


@st.composite
def results(draw: st.DrawFn, file: str = "a.npy") -> FileResult:
    labels = draw(st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True))
    image = draw(st.booleans())
    rate = None if image else draw(st.sampled_from([None, 8000.0, 44100.5]))
    point: st.SearchStrategy[Any] = st.tuples(place, place) if image else place
    return FileResult(
        file=file,
        extent=draw(st.tuples(place, place) if image else st.tuples(place)),
        sample_rate=rate,
        window=draw(point),
        step=draw(point),
        method="shared",
        reason=draw(st.text()),
        uncovered=tuple(tuple(draw(st.lists(st.tuples(place, place), max_size=2))) for _ in range(1 + image)),
        padded=tuple(tuple(draw(st.lists(st.tuples(place, place), max_size=1))) for _ in range(1 + image)),
        skipped=draw(st.integers(0, 10)),
        replaced=draw(st.integers(0, 10)),
        presence={label: draw(st.none() | finite) for label in labels},
        detections=tuple(
            Detection(labels[index], index, draw(finite), draw(point), draw(point), rate)
            for index in draw(st.lists(st.integers(0, len(labels) - 1), max_size=3))
        ),
    )


@given(results())
@settings(max_examples=100)
def test_a_result_comes_back_as_it_was(result: FileResult) -> None:
    again = FileResult.from_json(json.loads(json.dumps(result.as_json())))
    assert again == result
    assert repr(again) == repr(result)  # also -0.0, and tuples where tuples were


def test_results_of_scans_come_back(in_tmp_path: Path) -> None:
    for network, shape, signal in (
        (sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max")), (1, 8), np.ones((1, 30))),
        (sw.Sequential(sw.MaxPool2d(3), sw.Flatten(), sw.Linear(2)), (1, 6, 6), np.ones((1, 20, 23))),
    ):
        model = sw.Model(network, shape, backend="reference")
        found = sw.scan(model, signal)
        result = FileResult.of(Path("x"), found, found.detections(0.1), support=True)
        assert result.detections
        assert FileResult.from_json(json.loads(json.dumps(result.as_json()))) == result
