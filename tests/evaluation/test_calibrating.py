"""Calibration on labelled files, from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import scanwise as sw
from scanwise.data import Collection, Dataset, open_labels
from scanwise.evaluation import Overlap, Tolerance, calibrate, scan_files
from tests.data.labelled import write_coco, write_picture
from tests.evaluation.detectors import RATE, WINDOW, detector, write_field


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return open_labels(write_field(tmp_path_factory.mktemp("field")))


def test_measured_false_alarms_lie_in_the_predicted_interval(field: Collection, tmp_path: Path) -> None:
    model = detector()
    report = calibrate(model, field, false_alarms_per_hour=150)
    (found,) = report.labels
    threshold = found.threshold
    assert threshold is not None
    assert model.thresholds == {"click": threshold}
    assert (threshold.unit, threshold.files, threshold.events, report.files) == ("hour", 12, 12, 12)
    assert threshold.amount == pytest.approx(12 * (20 - 3 / RATE) / 3600, rel=1e-6)
    assert threshold.expected <= 150
    assert (found.events, found.hits) == (12, round(12 * found.recall.value))
    held = 0
    for seed in range(1, 7):
        fresh = scan_files(model, open_labels(write_field(tmp_path / str(seed), seed=seed)))
        (measured,) = fresh.measures({"click": threshold.value}, Tolerance(0.05), repeats=1)
        amount = sum(fresh.amounts(["click"]).values())
        low, high = threshold.predicted(amount)
        held += low <= measured.false_alarm_rate.value <= high
    assert held >= 5


def test_what_is_stored_is_what_a_scan_finds(field: Collection) -> None:
    model = detector()
    report = calibrate(model, field, precision=0.5)
    (found,) = report.labels
    assert found.threshold is not None
    detections = 0
    for file in field.files:
        signal, _ = soundfile.read(str(file.path), dtype="float32")
        detections += len(sw.detect(model, signal[None]).detections)
    assert found.threshold.amount == detections
    assert found.hits == round(found.threshold.expected * detections)
    assert (found.threshold.unit, report.calibration.rule) == ("detection", "tolerance")
    assert report.calibration.within == pytest.approx(WINDOW / 4 / RATE)
    assert report.calibration.data == Path(field.source).name


def test_how_it_is_counted_is_remembered(field: Collection) -> None:
    model = detector()
    report = calibrate(model, field, precision=0.5, rule=Overlap(0.01), step=2, low=0.3)
    stored = report.calibration
    assert (stored.rule, stored.within, stored.step, stored.low) == ("overlap", 0.01, 2, 0.3)
    assert model.thresholds is not None
    assert model.thresholds["click"].value >= 0.3


def test_a_temperature_comes_first(tmp_path: Path) -> None:
    model = detector()
    model.parameters["0.bias"] = [-7.0]  # takes some noise for clicks
    data = open_labels(write_field(tmp_path / "d", events=3))
    plain = calibrate(model, data, false_alarms_per_hour=150).labels[0].threshold
    report = calibrate(model, data, false_alarms_per_hour=150, temperature=True)
    cooled = report.labels[0].threshold
    assert plain is not None
    assert cooled is not None
    T = report.calibration.temperature
    assert T != 1
    assert np.log(cooled.value / (1 - cooled.value)) == pytest.approx(
        np.log(plain.value / (1 - plain.value)) / T, rel=1e-6
    )


class TestClips:
    def test_precision_of_files_without_places(self, tmp_path: Path) -> None:
        random = np.random.default_rng(0)
        for number in range(60):
            clip = 0.22 * random.standard_normal(3 * WINDOW)
            label = "click" if number < 40 else "background"
            if label == "click":
                clip[50:53] = random.normal(0.8, 0.2)
            (tmp_path / label).mkdir(exist_ok=True)
            soundfile.write(str(tmp_path / label / f"{number}.wav"), clip, RATE, subtype="FLOAT")
        model = detector()
        report = calibrate(model, open_labels(tmp_path), precision=0.8)
        (found,) = report.labels
        assert found.threshold is not None
        assert (found.threshold.unit, report.calibration.rule, found.events) == ("clip", "clips", 40)
        assert found.hits >= 30
        with pytest.raises(sw.ArgumentError, match="rule must be left out for the precision of clips"):
            calibrate(model, open_labels(tmp_path), precision=0.8, rule=Tolerance(1))
        by_hour = calibrate(model, open_labels(tmp_path), false_alarms_per_hour=2000).labels[0]
        assert by_hour.left_out == by_hour.events == 40
        assert by_hour.threshold is not None
        assert by_hour.threshold.files == 20

    def test_precision_of_a_data_set(self) -> None:
        random = np.random.default_rng(1)
        x = 0.2 * random.standard_normal((80, 1, WINDOW)).astype(np.float32)
        y = np.arange(80)[:, None] % 2
        x[1::2, 0, 10:13] = 0.8
        data = Dataset(x, y.astype(np.float32), ("click",), "audio", RATE)
        model = detector()
        report = calibrate(model, data, precision=0.8, name="clicks.npz")
        assert report.labels[0].hits == 40
        assert report.calibration.data == "clicks.npz"
        with pytest.raises(sw.ArgumentError, match="false_alarms_per_hour must be counted in whole files"):
            calibrate(model, data, false_alarms_per_hour=1)
        with pytest.raises(sw.ArgumentError, match="step and low must be left out for clips"):
            calibrate(model, data, precision=0.8, step=2)
        with pytest.raises(sw.ArgumentError, match="data must have the model's labels"):
            calibrate(detector(("thump",)), data, precision=0.8)


def test_megapixels_of_images(in_tmp_path: Path) -> None:
    for number in range(6):
        write_picture(Path("d", f"{number}.png"), 60, 80, seed=number)
    write_coco(
        Path("d/labels.json"), {f"{n}.png": [("spot", [10, 10, 6, 6])] if n < 3 else [] for n in range(6)}
    )
    net = sw.Sequential(sw.Conv2d(1, 3), sw.Aggregate("max"))
    model = sw.Model(net, (1, 6, 6), labels=["spot"], image_mode="L", seed=1)
    model.loss = "binary_cross_entropy"
    report = calibrate(model, open_labels("d/labels.json"), false_alarms_per_megapixel=500)
    threshold = report.labels[0].threshold
    assert threshold is not None
    assert threshold.unit == "megapixel"
    assert threshold.amount == pytest.approx((6 * 4800 - 3 * 36) / 1e6)
    with pytest.raises(sw.ArgumentError, match=r"false_alarms_per_hour must be asked of audio\. Got images"):
        calibrate(model, open_labels("d/labels.json"), false_alarms_per_hour=1)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"false_alarms_per_hour": 1}, r"at least 3 hours of data without events.*Got 0\.0666"),
            ({"precision": 0.9999}, "label 'click': "),
        ],
    )
    def test_too_little_data_leaves_the_model_as_it_was(
        self, field: Collection, options: dict[str, float], text: str
    ) -> None:
        model = detector()
        with pytest.raises(sw.DataError, match=text):
            calibrate(model, field, **options)  # type: ignore[arg-type]
        assert model.calibration is None

    def test_labels_that_the_data_lacks(self, field: Collection) -> None:
        model = detector(("click", "thump"))
        report = calibrate(model, field, precision=0.5)
        click, thump = report.labels
        assert click.threshold is not None
        assert (thump.threshold, thump.events) == (None, 0)
        assert "some threshold must have a precision of 0.5" in thump.reason
        assert model.thresholds is not None
        assert set(model.thresholds) == {"click"}
        # False alarms of it can be counted all the same.
        thump = calibrate(model, field, false_alarms_per_hour=150).labels[1]
        assert thump.threshold is not None
        assert np.isnan(thump.recall.value)

    def test_labels_that_the_model_does_not_know(self, field: Collection) -> None:
        with pytest.raises(sw.DataError, match=r"must hold only the model's labels \(thump\). Got click"):
            calibrate(detector(("thump",)), field, precision=0.5)

    def test_a_model_without_labels_numbers_them(self, field: Collection) -> None:
        model = detector()
        model.labels = None
        with pytest.raises(sw.DataError, match=r"must hold only the model's labels \(0\)\. Got click"):
            calibrate(model, field, precision=0.5)

    def test_silent_recordings_have_no_false_alarm(self, tmp_path: Path) -> None:
        (tmp_path / "background").mkdir()
        for number in range(3):
            soundfile.write(str(tmp_path / "background" / f"{number}.wav"), np.zeros(60 * RATE), RATE)
        model = detector()
        (found,) = calibrate(model, open_labels(tmp_path), false_alarms_per_hour=100).labels
        assert found.threshold is not None
        assert found.threshold.value == 0.01  # the lowest that is looked at
        with pytest.raises(sw.DataError, match="label 'click': some threshold must have"):
            calibrate(model, open_labels(tmp_path), precision=0.5)

    def test_one_recording_is_enough_if_it_is_long(self, tmp_path: Path) -> None:
        data = open_labels(write_field(tmp_path / "d", files=1, seconds=100.0, events=5))
        (found,) = calibrate(detector(), data, false_alarms_per_hour=200).labels
        assert found.threshold is not None
        assert found.threshold.dispersion == 1.0

    def test_a_label_that_may_be_anywhere(self, tmp_path: Path) -> None:
        (tmp_path / "click").mkdir()
        for number in range(3):
            soundfile.write(str(tmp_path / "click" / f"{number}.wav"), np.zeros(9 * RATE), RATE)
        with pytest.raises(sw.DataError, match=r"hours of data without 'click'.*anywhere in every file"):
            calibrate(detector(), open_labels(tmp_path), false_alarms_per_hour=1e4)

    def test_unreadable_files_end_it_or_are_left_out(self, tmp_path: Path) -> None:
        folder = write_field(tmp_path / "d", files=4)
        data = open_labels(folder)
        (folder / "02.wav").write_bytes(b"RIFF....WAVEfmt ")
        with pytest.raises(sw.DataError, match=r"02\.wav"):
            calibrate(detector(), data, false_alarms_per_hour=500)
        report = calibrate(detector(), data, false_alarms_per_hour=500, on_error="skip")
        assert report.files == 3
        assert [Path(skipped.source).name for skipped in report.skipped] == ["02.wav"]

    def test_outputs_that_are_no_probabilities(self, field: Collection) -> None:
        with pytest.raises(sw.ArgumentError, match="model must give probabilities"):
            calibrate(detector(loss="mse"), field, precision=0.5)

    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({}, sw.ArgumentError, "exactly one of .* must be given. Got none"),
            ({"precision": 0.5, "false_alarms_per_hour": 1}, sw.ArgumentError, "exactly one of"),
            ({"precision": 1.0}, sw.ArgumentError, "precision must be above 0 and below 1. Got 1.0"),
            ({"precision": "high"}, sw.ArgumentTypeError, "precision must be a number. Got 'high'"),
            (
                {"false_alarms_per_hour": 0},
                sw.ArgumentError,
                "false_alarms_per_hour must be above 0 and finite",
            ),
            ({"false_alarms_per_megapixel": 1}, sw.ArgumentError, "must be asked of images. Got audio"),
            ({"precision": 0.5, "level": 1.0}, sw.ArgumentError, "level must lie between 0 and 1"),
            ({"precision": 0.5, "rule": 0.2}, sw.ArgumentTypeError, "rule must be a Tolerance or an Overlap"),
            (
                {"precision": 0.5, "on_error": "ignore"},
                sw.ArgumentError,
                "on_error must be one of 'fatal', 'skip'",
            ),
            (
                {"precision": 0.5, "unlabelled": 1},
                sw.ArgumentTypeError,
                "unlabelled must be True or False. Got 1",
            ),
            ({"precision": 0.5, "temperature": 2}, sw.ArgumentTypeError, "temperature must be True or False"),
            ({"precision": 0.5, "progress": 1}, sw.ArgumentTypeError, "progress must be a function. Got 1"),
            ({"precision": 10**400}, sw.ArgumentError, "precision must be above 0 and below 1"),
            ({"false_alarms_per_hour": 10**400}, sw.ArgumentError, "rate must be a finite number"),
            ({"precision": 0.5, "step": 0}, sw.ArgumentError, "step must be a positive integer"),
            (
                {"precision": 0.5, "low": 2.0},
                sw.ArgumentError,
                "low must be between 0 and 1|threshold must be",
            ),
        ],
    )
    def test_wrong_arguments(
        self, field: Collection, options: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            calibrate(detector(), field, **options)

    def test_wrong_types(self, field: Collection) -> None:
        with pytest.raises(sw.ArgumentTypeError, match="model must be a Model"):
            calibrate("m", field, precision=0.5)  # type: ignore[arg-type]
        with pytest.raises(sw.ArgumentTypeError, match=r"model must be a Model. Got NoneType"):
            scan_files(None, field)  # type: ignore[arg-type]
        with pytest.raises(
            sw.ArgumentTypeError, match=r"collection must be what open_labels gives. Got list"
        ):
            scan_files(detector(), [])  # type: ignore[arg-type]
        with pytest.raises(sw.ArgumentTypeError, match=r"calibration must be a Calibration or None. Got 0.5"):
            detector().calibration = 0.5  # type: ignore[assignment]
        with pytest.raises(sw.ArgumentTypeError, match="data must be what open_labels or open_dataset gives"):
            calibrate(detector(), "d", precision=0.5)  # type: ignore[arg-type]
