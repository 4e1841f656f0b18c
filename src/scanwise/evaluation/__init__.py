"""How good a detector is: measures of clips and of events, their intervals, and thresholds that keep a promise."""

from scanwise.evaluation.bootstrap import Interval, bootstrap
from scanwise.evaluation.clips import ClipMeasures, LabelMeasures, measure_clips
from scanwise.evaluation.curve import Curve
from scanwise.evaluation.events import (
    EventMeasures,
    Located,
    Overlap,
    Tolerance,
    match_events,
    measure_events,
)
from scanwise.evaluation.threshold import Threshold, threshold_for_false_alarms, threshold_for_precision

__all__ = [
    "ClipMeasures",
    "Curve",
    "EventMeasures",
    "Interval",
    "LabelMeasures",
    "Located",
    "Overlap",
    "Threshold",
    "Tolerance",
    "bootstrap",
    "match_events",
    "measure_clips",
    "measure_events",
    "threshold_for_false_alarms",
    "threshold_for_precision",
]
