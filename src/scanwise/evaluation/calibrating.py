"""`calibrate`: a threshold for each label of a model that keeps a promise, as far as the data supports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from scanwise.calibration import Calibration
from scanwise.data import Collection, Dataset
from scanwise.data.dataset import OnError, Skipped
from scanwise.data.for_model import whole_rate
from scanwise.data.opening import kind_of
from scanwise.errors import ArgumentError, ArgumentTypeError, DataError
from scanwise.evaluation.bootstrap import check_level
from scanwise.evaluation.matching import Overlap, Tolerance
from scanwise.evaluation.promise import Promise
from scanwise.evaluation.promised import CalibratedLabel, of_clips, of_detections, of_files
from scanwise.evaluation.scanned import check_files, default_rule, floor_with, scan_files
from scanwise.evaluation.scoring import one_hot, outputs, windows_of
from scanwise.evaluation.temperature import fit_temperature
from scanwise.layers import arguments
from scanwise.model import Model
from scanwise.scanning.reading import Reading

__all__ = ["CalibrationReport", "calibrate"]


@dataclass(frozen=True)
class CalibrationReport:
    """What came of a calibration.

    Attributes:
        calibration: what the model now holds.
        labels: each label's.
        files: how many were read, or clips.
        skipped: files that were left out.
    """

    calibration: Calibration
    labels: tuple[CalibratedLabel, ...]
    files: int
    skipped: tuple[Skipped, ...] = ()


def calibrate(
    model: Model,
    data: Collection | Dataset,
    *,
    false_alarms_per_hour: float | None = None,
    false_alarms_per_megapixel: float | None = None,
    precision: float | None = None,
    rule: Tolerance | Overlap | None = None,
    level: float = 0.95,
    temperature: bool = False,
    step: int | None = None,
    low: float | None = None,
    unlabelled: bool = False,
    on_error: OnError = "fatal",
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CalibrationReport:
    """Set the lowest threshold for each label that keeps a promise on labelled data, and give it to the model.

    Whole files are scanned as `detect` does. False alarms are detections that are of no event; they are counted in all
    files but those that are only said to contain the label somewhere, and what events of the label cover does not count
    as searched. A precision is that of detections where places are known, else of clips: files in which any window
    reaches the threshold.

    The thresholds hold for the data's kind of signal, for `step` and `low`, and for detections that compete or are
    joined by `low`; not for those that are merged. They are the model's `thresholds` from then on, until its
    parameters, labels or loss change. A label that the data supports no promise for has none, and keeps 0.5.

    Args:
        model: that gives probabilities. It is changed only if all went well.
        data: what `open_labels` gives, or for a precision of clips what `open_dataset` gives. It should be like what
            will be scanned, and nothing that the model was trained on.
        false_alarms_per_hour, false_alarms_per_megapixel, precision: the promise, exactly one of them.
        rule: when a detection is of an event; None: its middle is at most a quarter of a window beside it.
        level: probability of the intervals.
        temperature: whether to fit a temperature first (`fit_temperature`), on windows of the data.
        step, low: as `detect` takes them; a step that is one number.
        unlabelled: whether files of which nothing is said count as background.
        on_error: "fatal" raises at the first file that cannot be used; "skip" leaves it out.
        name: of the data, to be remembered; None: the last part of the collection's path.
        progress: is called with (files scanned, files in all).

    Returns:
        What came of each label.

    Raises:
        ArgumentError, ArgumentTypeError: an argument is not as stated, or does not fit the model or the data.
        DataError: the data supports a promise for no label, and the reason for the first; or it cannot be used.

    >>> import numpy as np, scanwise as sw, tempfile
    >>> from scanwise.data import open_labels
    >>> from scanwise.evaluation import calibrate
    >>> net = sw.Sequential(sw.Conv1d(1, 1, bias=False), sw.Aggregate("max"))
    >>> model = sw.Model(net, (1, 10), labels=["pulse"])
    >>> model.parameters["0.weight"] = [[[1.0]]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(40):
    ...         trace = np.full(100, -3.0)
    ...         trace[50] = 2.0 if i < 30 else -1.0  # what is faint is none
    ...         np.save(f"{folder}/{i:02}.npy", trace)
    ...     rows = ["file,start_time,end_time,label", *(f"{i:02}.npy,50,51,pulse" for i in range(30))]
    ...     rows += [f"{i:02}.npy,0,100,background" for i in range(30, 40)]
    ...     _ = Path(folder, "labels.csv").write_text(chr(10).join(rows))
    ...     report = calibrate(model, open_labels(folder), precision=0.8)
    >>> round(model.thresholds["pulse"].value, 3), report.labels[0].recall.value
    (0.881, 1.0)
    """
    promise = Promise.one_of(
        false_alarms_per_hour=false_alarms_per_hour,
        false_alarms_per_megapixel=false_alarms_per_megapixel,
        precision=precision,
    )
    _check(model, data, promise, level, rule, (step, low))
    if isinstance(data, Collection):
        check_files(model, data, on_error, unlabelled, progress)
    arguments.boolean("calibrate", "temperature", temperature)
    own = model.copy()
    own.calibration = None
    how = Calibration(data=_name_of(data) if name is None else name, step=step, low=low)
    if temperature:
        how = replace(how, temperature=_temperature(own, data, unlabelled, on_error))
    own.calibration = how
    if isinstance(data, Dataset):
        found, files, counted = of_clips(own, data, promise, level), len(data), None
        skipped = data.skipped
    else:
        scanned = scan_files(
            own, data, step=step, low=low, unlabelled=unlabelled, on_error=on_error, progress=progress
        )
        files, skipped = len(scanned.files), scanned.skipped
        if data.located or promise.unit is not None:
            counted = rule or default_rule(model)
            found = of_detections(scanned, promise, counted, level, floor_with(low))
        else:
            found, counted = of_files(scanned, promise, level), None
    if all(each.threshold is None for each in found):
        more = " Nothing can be promised of the other labels either." if len(found) > 1 else ""
        raise DataError(f"label {found[0].label!r}: {found[0].reason}{more}")
    kept = tuple((each.label, each.threshold) for each in found if each.threshold is not None)
    calibration = replace(how, entries=kept, rule=_RULES[type(counted)], within=_within(counted))
    model.calibration = calibration
    return CalibrationReport(calibration, found, files, skipped)


def _check(
    model: Model,
    data: object,
    promise: Promise,
    level: float,
    rule: object,
    windows: tuple[object, object],
) -> None:
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"model must be a Model. Got {type(model).__name__}.")
    if not isinstance(data, Collection | Dataset):
        raise ArgumentTypeError(
            f"data must be what open_labels or open_dataset gives. Got {type(data).__name__}."
        )
    check_level(level)
    if rule is not None and not isinstance(rule, Tolerance | Overlap):
        raise ArgumentTypeError(f"rule must be a Tolerance or an Overlap. Got {rule!r}.")
    if Reading.of(model).activation == "value":
        raise ArgumentError(
            "model must give probabilities to be calibrated. Got one that was trained with 'mse'."
        )
    promise.require_fits(kind_of(model.input_shape, whole_rate(model)))
    if isinstance(data, Dataset) and promise.unit is not None:
        raise ArgumentError(
            f"{promise.name} must be counted in whole files. Got clips of one size: ask for a precision."
        )
    names = Reading.of(model).names
    if isinstance(data, Dataset) and data.labels != names:
        raise ArgumentError(f"data must have the model's labels {names}. Got {data.labels}.")
    if isinstance(data, Dataset) and windows != (None, None):
        raise ArgumentError("step and low must be left out for clips of one size, which are not scanned.")
    clips = isinstance(data, Dataset) or (promise.unit is None and not data.located)
    if clips and rule is not None:
        raise ArgumentError(
            f"rule must be left out for the precision of clips, which have no places. Got {rule}."
        )


def _within(rule: Tolerance | Overlap | None) -> float:
    if isinstance(rule, Tolerance):
        return rule.distance
    return 0.0 if rule is None else rule.least


_RULES = {Tolerance: "tolerance", Overlap: "overlap", type(None): "clips"}


def _temperature(model: Model, data: Collection | Dataset, unlabelled: bool, on_error: OnError) -> float:
    if isinstance(data, Collection):
        data = windows_of(model, data, unlabelled=unlabelled, on_error=on_error)
    return fit_temperature(outputs(model, data), one_hot(data), Reading.of(model).activation)


def _name_of(data: Collection | Dataset) -> str:
    return "" if isinstance(data, Dataset) else Path(data.source).resolve().name
