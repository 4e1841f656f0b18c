"""`scanwise eval` where labels have places, and of whole files that are longer than a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import scanwise as sw
from tests.cli.conftest import REFERENCE, Run
from tests.cli.test_wrong_use import one_line
from tests.data.conftest import write_image
from tests.data.labelled import write_voc
from tests.evaluation.detectors import RATE, WINDOW, detector, write_field


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bootstrap draws a thousand times is tested in tests/evaluation."""
    monkeypatch.setattr("scanwise.cli.evaluation._REPEATS", (50, 50))


@pytest.fixture
def field(in_tmp_path: Path) -> Path:
    detector().save("m")
    return write_field(in_tmp_path / "field", events=2)


def test_events_in_whole_recordings(run: Run, field: Path) -> None:
    result = run("eval", "m", field, "--json").json
    assert result["samples"] == 48  # windows: about 24 events, and as many from the gaps
    events = result["events"]
    assert (events["files"], events["unit"]) == (12, "hour")
    assert events["rule"] == {"tolerance": WINDOW / 4 / RATE}
    click = events["labels"]["click"]
    assert (click["events"], click["threshold"]) == (24, 0.5)
    assert click["searched"] == pytest.approx(240 / 3600, rel=0.01)
    hits, alarms = click["hits"], click["false_alarms"]
    assert click["recall"]["value"] == pytest.approx(hits / 24)
    assert click["precision"]["value"] == pytest.approx(hits / (hits + alarms))
    assert click["false_alarm_rate"]["value"] == pytest.approx(alarms / click["searched"])
    assert click["recall"]["low"] <= click["recall"]["value"] <= click["recall"]["high"]
    rows = click["trade_off"]
    assert rows[0]["false_alarms_per_hour"] == 0
    assert [row["miss_rate"] for row in rows] == sorted((row["miss_rate"] for row in rows), reverse=True)
    found = [found["label"] for one in run("scan", "m", field, "--json").json for found in one["detections"]]
    assert len(found) == hits + alarms  # as `scan` finds them
    assert "all" not in events


def test_the_text_has_a_table_of_events_and_the_trade_off(run: Run, field: Path) -> None:
    events, trade_off = run("eval", "m", field).out.split("\n\n")[-2:]
    assert "false alarms per hour" in events.splitlines()[0]
    assert events.splitlines()[1].split()[:2] == ["click", "24"]
    assert trade_off.splitlines()[0].split()[:2] == ["click:", "threshold"]


def test_options_of_detections(run: Run, field: Path) -> None:
    strict = run("eval", "m", field, "--json", "--threshold", "0.999", "--overlap", "0.9").json["events"]
    assert strict["rule"] == {"overlap": 0.9}
    assert strict["labels"]["click"]["hits"] == 0  # a window is much longer than a click
    joined = run("eval", "m", field, "--json", "--low", "0.6", "--step", "2")
    assert joined.code == 2
    assert joined.err == "error: low must be at most threshold, 0.5. Got 0.6.\n"


def test_the_calibrated_threshold_is_the_default(run: Run, field: Path) -> None:
    run("calibrate", "m", field, "--precision", "0.5")
    threshold = sw.load("m").thresholds
    assert threshold is not None
    result = run("eval", "m", field, "--json").json["events"]["labels"]["click"]
    assert result["threshold"] == threshold["click"].value
    assert result["precision"]["value"] >= 0.5


def test_a_picture_of_the_trade_off(run: Run, field: Path) -> None:
    outcome = run("eval", "m", field, "--plot", "p.png")
    assert (outcome.code, outcome.err) == (0, "saved p.png\n")
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    one_line(run("eval", "m", field, "--plot", "p.gif"), 2, "plot must be a file that ends in .png")
    one_line(run("eval", "m", field, "--plot", "no/p.png"), 2, "plot must be in a folder that exists")


def test_the_dot_of_the_threshold_lies_on_the_line(
    run: Run, field: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("scanwise.cli.trade_off_picture.finished", lambda figure, _: drawn.append(figure))
    for threshold in (
        "0.015",
        "0.1",
        "0.4",
        "0.9",
    ):  # at the lowest there are more false alarms than rows of a table
        assert run("eval", "m", field, "--threshold", threshold, "--plot", "p.png").code == 0
        line, dot = drawn.pop().axes[0].lines
        (x,), (y,) = dot.get_data()
        corners = [(at, miss) for at, miss in zip(*line.get_data(), strict=True) if at == x]
        before = [miss for at, miss in zip(*line.get_data(), strict=True) if at < x]
        assert len(corners) == 1, threshold
        assert corners[0][1] <= y <= min([*before, 1.0])


def test_several_labels_and_all_together(run: Run, field: Path) -> None:
    detector(("click", "thump")).save("two")
    tables = run("eval", "two", field).out.split("\n\n")
    assert [line.split()[:2] for line in tables[3].splitlines()[1:]] == [
        ["click", "24"],
        ["thump", "0"],
        ["all", "24"],
    ]
    assert "  -  " in tables[3].splitlines()[2]  # nothing is there that could be recalled
    assert tables[6].startswith("all: threshold")


def test_megapixels_of_images(run: Run, in_tmp_path: Path) -> None:
    for number in range(4):
        pixels = np.zeros((40, 50), np.uint8)
        pixels[10:16, 20:26] = 255
        write_image(Path("d", f"{number}.png"), pixels)
        write_voc(Path("d", f"{number}.xml"), f"{number}.png", [("spot", (21, 11, 26, 16))])
    net = sw.Sequential(sw.Conv2d(1, 6), sw.Aggregate("max"))
    model = sw.Model(net, (1, 6, 6), labels=["spot"], image_mode="L")
    model.parameters["0.weight"] = np.full((1, 1, 6, 6), 1 / 2)
    model.parameters["0.bias"] = [-12.0]
    model.loss = "binary_cross_entropy"
    model.save("m")
    events = run("eval", "m", "d", "--json", "--overlap", "0.5").json["events"]
    spot = events["labels"]["spot"]
    assert (events["unit"], spot["hits"], spot["false_alarms"]) == ("megapixel", 4, 0)
    assert spot["false_alarm_rate"]["high"] == pytest.approx(-np.log(0.05) / spot["searched"])


@pytest.mark.parametrize("aggregates", [True, False])
def test_files_longer_than_a_window_are_scored_whole(run: Run, in_tmp_path: Path, aggregates: bool) -> None:
    for number in range(6):
        signal = np.zeros(5 * WINDOW)
        signal[10:13] = 0.9 if number < 3 else 0.0  # far from the middle, to which clips are cropped
        path = Path("d", "click" if number < 3 else "background", f"{number}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(path), signal, RATE, subtype="FLOAT")
    model = detector()
    if not aggregates:
        net = sw.Sequential(sw.Conv1d(1, 3), sw.MaxPool1d(WINDOW - 2), sw.Flatten())
        other = sw.Model(net, (1, WINDOW), labels=("click",), sample_rate=RATE)
        other.parameters = dict(model.parameters)
        other.loss = model.loss
        model = other
    model.save("m")
    result = run("eval", "m", "d", "--json").json
    assert (result["accuracy"], result["labels"]["click"]["recall"]) == (1.0, 1.0)
    assert result["labels"]["click"]["average_precision"] == 1.0
    assert "events" not in result


@pytest.mark.parametrize(
    "option", [("--tolerance", "1"), ("--overlap", "0.5"), ("--step", "2"), ("--low", "0.2")]
)
def test_options_of_places_need_places(run: Run, model: Path, series: Path, option: tuple[str, str]) -> None:
    one_line(
        run("eval", model, series, *option, *REFERENCE),
        2,
        f"{option[0][2:]} must be left out for labels without places. Got {series}.",
    )


def test_intervals_are_over_files(run: Run, field: Path) -> None:
    result = run("eval", "m", field, "--json").json
    accuracy = result["intervals"]["all_right"]
    assert accuracy["value"] == result["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert 0 <= result["labels"]["click"]["area"] <= 1
