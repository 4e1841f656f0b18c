"""How good a detector is: measures of clips and of events, their intervals, and thresholds that keep a promise."""

from scanwise.calibration import Calibration, Threshold
from scanwise.evaluation.bootstrap import Interval, bootstrap
from scanwise.evaluation.calibrating import CalibrationReport, calibrate
from scanwise.evaluation.clips import ClipMeasures, LabelMeasures, measure_clips
from scanwise.evaluation.curve import Curve
from scanwise.evaluation.events import EventMeasures, measure_events
from scanwise.evaluation.matching import Located, Overlap, Tolerance, match_events
from scanwise.evaluation.promised import CalibratedLabel
from scanwise.evaluation.scanned import Scanned, scan_files
from scanwise.evaluation.temperature import fit_temperature
from scanwise.evaluation.threshold import threshold_for_false_alarms, threshold_for_precision

__all__ = [
    "CalibratedLabel",
    "Calibration",
    "CalibrationReport",
    "ClipMeasures",
    "Curve",
    "EventMeasures",
    "Interval",
    "LabelMeasures",
    "Located",
    "Overlap",
    "Scanned",
    "Threshold",
    "Tolerance",
    "bootstrap",
    "calibrate",
    "fit_temperature",
    "match_events",
    "measure_clips",
    "measure_events",
    "scan_files",
    "threshold_for_false_alarms",
    "threshold_for_precision",
]
