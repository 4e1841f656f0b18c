"""Each form of a scan's result, read back by a reader of its own and compared with the detections."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scanwise as sw
from scanwise.cli.forms import FORMS, require_form_fits
from scanwise.cli.results import FileResult
from tests.cli.conftest import REFERENCE, Run
from tests.data.conftest import write_image, write_tone

RATE = 16000.0
# Labels that would break a table: tabs, line ends, quotes, and letters of other alphabets.
LABELS = ("yes", 'a "b"', "tab\there", "line\nend", "größer, 音")


def recordings() -> list[FileResult]:
    """Three recordings, of which the second has nothing in it."""
    found: list[list[Any]] = [
        [("yes", 0, 0.75, 16, 16016, None), (LABELS[2], 2, 0.5, 24001, 40001, (24010, 24020))],
        [],
        [(LABELS[3], 3, 1.0, 0, 16000, None), (LABELS[4], 4, 0.999999, 48000, 64000, None)],
    ]
    return [
        recording(f"folder/{name}.wav", extent, detections)
        for name, extent, detections in zip(("a", "b", "c"), (80000, 16001, 64000), found, strict=True)
    ]


def recording(file: str, extent: int, detections: list[Any]) -> FileResult:
    return FileResult(
        file, (extent,), RATE, 16000, 160, "shared", "why", (((extent - 5, extent),),), ((),), 0, 0,
        dict.fromkeys(LABELS, 0.5),
        tuple(sw.Detection(a, b, c, d, e, RATE, support) for a, b, c, d, e, support in detections),
    )  # fmt: skip


def images(*files: str) -> list[FileResult]:
    places = [((3, 5), (31, 33)), ((0, 40), (28, 68))]
    detections = tuple(
        sw.Detection(LABELS[k], k, 0.5 + 0.25 * k, start, stop) for k, (start, stop) in enumerate(places)
    )
    return [
        FileResult(
            file,
            (60, 90),
            None,
            (28, 28),
            (4, 4),
            "shared",
            "",
            ((), ((88, 90),)),
            ((), ()),
            0,
            0,
            {"yes": 0.5},
            detections,
        )
        for file in files
    ]


def traces() -> list[FileResult]:
    found = (sw.Detection("yes", 0, 0.5, 7, 19), sw.Detection(LABELS[1], 1, 0.25, 40, 52))
    return [FileResult("t.npy", (90,), None, 12, 1, "windows", "", ((),), ((),), 0, 0, {"yes": 0.5}, found)]


def found_in(results: list[FileResult]) -> list[tuple[FileResult, sw.Detection]]:
    return [(one, found) for one in results for found in one.detections]


class TestRoundTrips:
    @pytest.mark.parametrize("results", [recordings(), images("a.png", "b.png"), traces()])
    def test_csv(self, results: list[FileResult]) -> None:
        rows = list(csv.reader(io.StringIO(FORMS["csv"](results), newline="")))
        for row, (one, found) in zip(rows[1:], found_in(results), strict=True):
            unit = one.sample_rate or 1
            assert row[:2] == [one.file, found.label]
            assert tuple(round(float(text) * unit) for text in row[2:-1]) == found.box
            assert float(row[-1]) == pytest.approx(found.score, abs=1e-6)

    @pytest.mark.parametrize("results", [recordings(), images("a.png", "b.png"), traces()])
    def test_json(self, results: list[FileResult]) -> None:
        assert [FileResult.from_json(one) for one in json.loads(FORMS["json"](results))] == results
        again = [FileResult.from_json(one) for one in json.loads(FORMS["json"](results))]
        for (_, before), (_, after) in zip(found_in(results), found_in(again), strict=True):
            assert (before.support, before.support_seconds) == (after.support, after.support_seconds)

    @pytest.mark.parametrize("results", [recordings(), images("a.png", "b.png"), traces()])
    def test_json_lines(self, results: list[FileResult]) -> None:
        lines = FORMS["jsonl"](results).splitlines()
        for line, (one, found) in zip(lines, found_in(results), strict=True):
            read = json.loads(line)
            assert (read["file"], read["label"], read["index"]) == (one.file, found.label, found.index)
            assert read["score"] == found.score
            assert tuple(np.ravel([read["start"], read["stop"]])) == found.box
            assert read["seconds"] == (None if found.seconds is None else list(found.seconds))

    def test_audacity(self) -> None:
        (one, *_) = recordings()
        lines = FORMS["audacity"]([one]).split("\n")
        assert lines.pop() == ""
        for line, found in zip(lines, one.detections, strict=True):
            start, stop, text = line.split("\t")
            assert (round(float(start) * RATE), round(float(stop) * RATE)) == found.box
            assert text.encode().decode("unicode_escape") == found.label

    def test_raven_counts_over_all_files_and_within_each(self) -> None:
        results = recordings()
        head, *rows = (line.split("\t") for line in FORMS["raven"](results).rstrip("\n").split("\n"))
        assert head[:7] == [
            "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
        ]  # fmt: skip
        begins = {"folder/a.wav": 0, "folder/b.wav": 80000, "folder/c.wav": 96001}
        for number, (row, (one, found)) in enumerate(zip(rows, found_in(results), strict=True), 1):
            read = dict(zip(head, row, strict=True))
            assert (read["Selection"], read["View"], read["Channel"]) == (str(number), "Spectrogram 1", "1")
            before, (start, stop) = begins[one.file], found.box
            assert float(read["Begin Time (s)"]) == pytest.approx((before + start) / RATE, abs=1e-6)
            assert float(read["End Time (s)"]) == pytest.approx((before + stop) / RATE, abs=1e-6)
            assert float(read["File Offset (s)"]) == pytest.approx(start / RATE, abs=1e-6)
            assert (read["Begin Path"], read["Begin File"]) == (one.file, Path(one.file).name)
            assert (float(read["Low Freq (Hz)"]), float(read["High Freq (Hz)"])) == (0, RATE / 2)
            assert read["Label"].encode().decode("unicode_escape") == found.label or not found.label.isascii()
            assert float(read["Score"]) == pytest.approx(found.score, abs=1e-6)

    def test_coco(self) -> None:
        results = images("x/a.png", "x/b.png")
        entries = json.loads(FORMS["coco"](results))
        for entry, (one, found) in zip(entries, found_in(results), strict=True):
            left, top, width, height = entry["bbox"]
            assert (top, left, top + height, left + width) == found.box
            assert entry["image_id"] == results.index(one) + 1
            assert (entry["category_id"], entry["score"]) == (found.index, found.score)
            assert (entry["file_name"], entry["category_name"]) == (one.file, found.label)

    @pytest.mark.parametrize(
        ("files", "ids"),
        [
            (("val/000000000139.jpg", "val/000000000285.jpg"), (139, 285)),
            (("a/7.png", "b/7.png"), (1, 2)),
            (("7.png", "b.png"), (1, 2)),
            (("٣.png", "4.png"), (1, 2)),
        ],
    )
    def test_coco_takes_the_numbers_that_images_are_called_by(
        self, files: tuple[str, str], ids: tuple[int, int]
    ) -> None:
        assert [entry["image_id"] for entry in json.loads(FORMS["coco"](images(*files)))] == [
            ids[0], ids[0], ids[1], ids[1]
        ]  # fmt: skip

    def test_geojson(self) -> None:
        results = images("a.png")
        collection = json.loads(FORMS["geojson"](results))
        assert collection["type"] == "FeatureCollection"
        for feature, (one, found) in zip(collection["features"], found_in(results), strict=True):
            assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "Polygon")
            (ring,) = feature["geometry"]["coordinates"]
            assert ring[0] == ring[-1]
            assert len(ring) == 5
            x, y = zip(*ring, strict=True)
            assert (min(y), min(x), max(y), max(x)) == found.box
            assert feature["properties"]["classification"]["name"] == found.label
            assert feature["properties"]["measurements"] == {"score": found.score}
            assert feature["properties"]["file"] == one.file

    def test_a_table_has_a_line_for_each(self) -> None:
        assert len(FORMS["table"](recordings()).splitlines()) == 1 + 4 + 1  # one file has nothing


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(1, 10**6), st.floats(0, 1), st.booleans()), max_size=4
    ),
    st.sampled_from([None, 8000.0, 44100.0]),
    st.integers(1, 2),
)
def test_from_json_is_the_inverse_of_as_json(
    places: list[tuple[int, int, float, bool]], rate: float | None, axes: int
) -> None:
    detections = []
    for number, (start, extent, score, traced) in enumerate(places):
        one = (start, start + extent)
        support: Any = one if axes == 1 else (one, one)
        first, last = one if axes == 1 else ((start, 3), (start + extent, 9))
        detections.append(
            sw.Detection(f"label {number}", number, score, first, last, rate, support if traced else None)
        )
    size: Any = 5 if axes == 1 else (5, 6)
    result = FileResult(
        "a\udc80.wav", (10**10,) * axes, rate, size, size, "shared", "", (((1, 2), (4, 9)), ())[:axes],
        (((7, 9),), ())[:axes], 3, 4, {"x": 0.1, "y": None}, tuple(detections),
    )  # fmt: skip
    again = FileResult.from_json(json.loads(json.dumps(result.as_json())))
    assert again == result
    assert repr(again) == repr(result)
    assert [found.support for found in again.detections] == [found.support for found in result.detections]


@pytest.mark.parametrize("form", FORMS)
def test_nothing_found(form: str) -> None:
    results = images("a.png") if form in ("coco", "geojson") else recordings()
    empty = [FileResult(**{**vars(one), "detections": ()}) for one in results]
    text = FORMS[form](empty)
    assert text == "" or text.endswith("\n")
    if form in ("json", "coco", "geojson"):
        json.loads(text)


class TestFit:
    NETWORK = sw.Sequential(sw.Flatten(), sw.Linear(2))
    SOUND = sw.Model(NETWORK, (1, 40), sample_rate=8000, backend="reference")
    SERIES = sw.Model(NETWORK, (1, 40), backend="reference")
    IMAGE = sw.Model(NETWORK, (1, 4, 4), backend="reference")

    @pytest.mark.parametrize("form", FORMS)
    def test_what_fits(self, form: str) -> None:
        require_form_fits(form, self.IMAGE if form in ("coco", "geojson") else self.SOUND, 1)

    @pytest.mark.parametrize(
        ("form", "model", "files", "told"),
        [
            ("audacity", IMAGE, 1, "without seconds for a model without a sample rate. Got audacity"),
            ("raven", SERIES, 1, "without seconds for a model without a sample rate. Got raven"),
            ("coco", SOUND, 1, "without boxes for a model of signals. Got coco"),
            ("geojson", SERIES, 1, "without boxes for a model of signals. Got geojson"),
            ("audacity", SOUND, 2, "that names files for 2 of them. Got audacity"),
        ],
    )
    def test_what_does_not(self, form: str, model: sw.Model, files: int, told: str) -> None:
        with pytest.raises(sw.ArgumentError, match=f"format must be one {told}"):
            require_form_fits(form, model, files)


def test_a_form_that_does_not_fit_is_refused_before_anything_is_read(run: Run, model: Path) -> None:
    Path("broken.npy").write_text("this would be an error of its own")
    outcome = run("scan", model, "broken.npy", "--format", "geojson", "-o", "out.geojson", *REFERENCE)
    assert outcome.code == 2
    assert outcome.err == "error: format must be one without boxes for a model of signals. Got geojson.\n"
    assert not Path("out.geojson").exists()


def test_a_raven_table_of_recordings_of_other_rates(run: Run) -> None:
    """Times are those of the recordings, whatever rate the model wants."""
    net = sw.Sequential(sw.Downsample1d(10), sw.Aggregate("max"), sw.Linear(2))
    listener = sw.Model(net, (1, 400), backend="reference", labels=("none", "loud"), sample_rate=8000)
    listener.parameters["2.weight"] = np.array([[-20.0], [20.0]])
    listener.parameters["2.bias"] = np.array([5.0, -5.0])
    listener.save("m")
    write_tone(Path("a.wav"), 0.5, rate=16000)
    write_tone(Path("b.wav"), 0.3, rate=4000)
    outcome = run("scan", "m", "a.wav", "b.wav", *REFERENCE, "--format", "raven", "--merge", "0")
    rows = list(csv.DictReader(io.StringIO(outcome.out), delimiter="\t"))
    assert [row["Begin File"] for row in rows] == ["a.wav", "b.wav"]
    assert float(rows[1]["Begin Time (s)"]) - float(rows[1]["File Offset (s)"]) == pytest.approx(0.5)


def test_an_image_s_detections_as_geojson(run: Run) -> None:
    net = sw.Sequential(sw.MaxPool2d(4), sw.Flatten(), sw.Linear(2))
    viewer = sw.Model(net, (1, 4, 4), backend="reference", labels=("none", "light"), image_mode="L")
    viewer.parameters["2.weight"] = np.array([[-20.0], [20.0]])
    viewer.parameters["2.bias"] = np.array([5.0, -5.0])
    viewer.save("m")
    pixels = np.zeros((20, 32), np.uint8)
    pixels[9, 14] = 255
    write_image(Path("a.png"), pixels)
    assert run("scan", "m", "a.png", *REFERENCE, "-o", "found.geojson").code == 0
    (feature,) = json.loads(Path("found.geojson").read_text())["features"]
    assert feature["geometry"]["coordinates"] == [[[12, 8], [16, 8], [16, 12], [12, 12], [12, 8]]]
