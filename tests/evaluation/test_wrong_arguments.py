"""Wrong arguments of every function and record of `scanwise.evaluation` raise an error that names them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise import evaluation
from scanwise.evaluation import Calibration, Curve, Located, Threshold, Tolerance

GOOD = Threshold(0.5, "false alarms", 1.0, 0.9, 0.4, 1.9, 0.95, 5.0, unit="hour")
BIRD = Located("a", "bird", 1.0, 2.0, 0.9)


def mean(drawn: Any) -> float:
    return float(np.mean(drawn))


def call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Callable[[], Any]:
    return lambda: function(*arguments, **named)


def located(**changed: Any) -> Callable[[], Any]:
    return call(evaluation.match_events, [replace(BIRD, **changed)], [BIRD], Tolerance(0.2))


def measured(**changed: Any) -> Callable[[], Any]:
    given: dict[str, Any] = {"amounts": {"a": 1.0}, "labels": ["bird"], "rule": Tolerance(0.2), "repeats": 5}
    return call(evaluation.measure_events, [BIRD], [BIRD], **(given | changed))


def clips(**changed: Any) -> Callable[[], Any]:
    given: dict[str, Any] = {
        "scores": [[0.9], [0.1]],
        "targets": [[1], [0]],
        "labels": ["bird"],
        "repeats": 5,
    }
    return call(evaluation.measure_clips, **(given | changed))


def alarms(**changed: Any) -> Callable[[], Any]:
    given: dict[str, Any] = {"scores": [[0.9, 0.8]], "amounts": [4.0], "rate": 1.0}
    return call(evaluation.threshold_for_false_alarms, **(given | changed))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (call(replace, GOOD, value="a"), TypeError, "threshold: value must be a number. Got 'a'"),
        (call(replace, GOOD, value=10**400), ValueError, "threshold: value must be a finite number"),
        (call(replace, GOOD, value=-1), ValueError, "threshold: value must be at least 0. Got -1"),
        (call(replace, GOOD, amount=0), ValueError, "threshold: amount must be above 0. Got 0"),
        (call(replace, GOOD, level=2), ValueError, "level must be between 0 and 1, .* Got 2.0 and 1.0"),
        (call(replace, GOOD, dispersion=0), ValueError, "dispersion at least 1. Got 0.95 and 0.0"),
        (call(replace, GOOD, kind=np.ones(2)), TypeError, "threshold: kind must be one of"),
        (call(replace, GOOD, files=1.5), TypeError, "files must be an integer of at least 0. Got 1.5"),
        (call(GOOD.predicted, "a"), TypeError, "predicted: amount must be a number. Got 'a'"),
        (call(GOOD.predicted, 1e308), ValueError, "predicted: amount must be above 0, with less than 1e.15"),
        (call(GOOD.predicted, 1.0, seed=-1), ValueError, "seed must be .* Got -1"),
        (call(Calibration, None), TypeError, r"entries must be a tuple of \(label, Threshold\). Got None"),
        (call(Calibration, ((3, GOOD),)), TypeError, r"entries must be a tuple of \(label, Threshold\)"),
        (call(Calibration, (("a", replace(GOOD, value=5)),)), ValueError, "of 'a' must be a probability"),
        (call(Calibration, step=0.5), TypeError, "calibration: step must be a positive integer. Got 0.5"),
        (call(Calibration, low=2), ValueError, "calibration: low must be between 0 and 1. Got 2.0"),
        (call(Calibration, rule=[]), TypeError, "calibration: rule must be one of"),
        (call(Calibration.from_json, []), TypeError, "must be an object with thresholds. Got another"),
        (call(Tolerance, "near"), TypeError, "Tolerance: distance must be a number. Got 'near'"),
        (call(evaluation.Overlap, None), TypeError, "Overlap: least must be a number. Got None"),
        (call(evaluation.bootstrap, mean, 3, repeats=10**30), ValueError, "repeats 1,000,000. Got 3 and 10"),
        (call(evaluation.bootstrap, mean, 10**30), ValueError, "files must be at most 100,000,000"),
        (call(evaluation.bootstrap, mean, 2.5), TypeError, "files must be a positive integer. Got 2.5"),
        (call(evaluation.bootstrap, None, 3), TypeError, "measure must be a function"),
        (call(evaluation.bootstrap, mean, 3, level="x"), TypeError, "level must be a number. Got 'x'"),
        (call(evaluation.bootstrap, mean, 1, seed="x"), TypeError, "seed must be"),
        (call(Curve.of, ["x"], [True]), TypeError, "scores must be an array of real numbers"),
        (call(Curve.of, [0.5], [True], missed="x"), TypeError, "Curve: missed must be an integer"),
        (call(Curve.of, [0.5], [False], negatives=0), ValueError, "negatives must be at least the 1 that"),
        (call(Curve.of([0.5], [True]).at, "x"), TypeError, "Curve: threshold must be a number. Got 'x'"),
        (call(Curve.of([0.5], [True]).at, math.nan), ValueError, "threshold must be a finite number"),
        (
            call(Curve.of([0.5], [True]).trade_off, 1.0, most=0),
            ValueError,
            "most must be an integer of at le",
        ),
        (clips(scores=[["x"], ["y"]]), TypeError, "scores must be an array of real numbers"),
        (clips(thresholds=[0.5, 0.5]), ValueError, "thresholds must be one number, or one for each of 1"),
        (clips(thresholds=math.nan), ValueError, "thresholds must be one number"),
        (clips(exclusive="yes"), TypeError, "exclusive must be True or False. Got 'yes'"),
        (clips(labels="b"), TypeError, "labels must be a sequence of names, at least one. Got 'b'"),
        (clips(files=[None, 1]), TypeError, "files must be names, or whole numbers"),
        (alarms(scores=[["x"]]), TypeError, "scores must be an array of real numbers"),
        (alarms(scores=[[[0.5]]]), ValueError, r"scores must be arrays \(n,\), one a file"),
        (alarms(scores=None), TypeError, "scores must be a list of arrays"),
        (alarms(floor=-1), ValueError, "floor at least 0. Got 1.0 and -1.0"),
        (call(evaluation.threshold_for_precision, [0.5], [True], None), TypeError, "precision must be a num"),
        (
            call(evaluation.fit_temperature, [[math.nan]], [[1]], "sigmoid"),
            ValueError,
            "scores must be finite",
        ),
        (call(evaluation.fit_temperature, [[1.0]], [[0.5]], "sigmoid"), ValueError, "targets 0 or 1"),
        (located(file=3), TypeError, "detections must have names of a file and a label. Got Located"),
        (located(start="x"), TypeError, "detections must be an array of real numbers"),
        (located(start=(1.0, 2.0)), ValueError, "one start and stop, or two of each"),
        (located(start=(1.0, 1.0), stop=(2.0, 2.0)), ValueError, "events must have the axes of detections"),
        (
            call(evaluation.match_events, [BIRD, replace(BIRD, start=(1, 1), stop=(2, 2))], [], Tolerance(1)),
            ValueError,
            "detections must all have one axis, or all two",
        ),
        (located(stop=0.5), ValueError, "detections must be finite and end after they start"),
        (located(score=math.nan), ValueError, "detections: score must be a finite number"),
        (
            call(evaluation.match_events, [1], [BIRD], Tolerance(1)),
            TypeError,
            "must be a sequence of Located",
        ),
        (call(evaluation.match_events, [BIRD], None, Tolerance(1)), TypeError, "events must be a sequence"),
        (call(evaluation.match_events, [BIRD], [BIRD], 0.5), TypeError, "rule must be a Tolerance or an Ov"),
        (measured(labels=[]), TypeError, "labels must be a sequence of names, at least one"),
        (measured(thresholds="x"), TypeError, "thresholds must be a number. Got 'x'"),
        (measured(thresholds={"bird": math.nan}), ValueError, "thresholds must be a finite number"),
        (measured(amounts={"a": "x"}), TypeError, "amounts must be a number. Got 'x'"),
    ],
)
def test_wrong_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        make()
    assert isinstance(caught.value, sw.ScanwiseError)


def test_numbers_of_numpy_go_to_json() -> None:
    threshold = call(replace, GOOD, value=np.float32(0.5), files=np.int64(3))()
    assert threshold == replace(GOOD, files=3)
    calibration = Calibration((("a", threshold),))
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_a_rate_beyond_float64_takes_the_floor() -> None:
    assert evaluation.threshold_for_false_alarms([[0.9, 0.8]], [4.0], 1e308).value == 0.0
