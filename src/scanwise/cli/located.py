"""What `scanwise eval` tells of detections in whole files, whose events have places."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scanwise.cli.console import table
from scanwise.cli.measures import event_json, shown, shown_share, significant
from scanwise.evaluation import EventMeasures, Overlap, Scanned, Tolerance

__all__ = ["Located", "located_json", "located_text"]

_ROWS = 12  # of the trade-off in the text; JSON has more


@dataclass(frozen=True)
class Located:
    """What was found in whole files, and what of it is right.

    Attributes:
        scanned: the files.
        rule: when a detection is of an event.
        thresholds: by label.
        measures: of every label, and of all together.
    """

    scanned: Scanned
    rule: Tolerance | Overlap
    thresholds: Mapping[str, float]
    measures: tuple[EventMeasures, ...]

    def amount(self, measures: EventMeasures) -> float:
        """Of how much data the false alarms are, in hours, megapixels or million elements."""
        labels = self.scanned.names if measures.label is None else (measures.label,)
        return sum(self.scanned.amounts(labels).values())


def located_json(found: Located) -> dict[str, Any]:
    """As JSON data."""
    rule = found.rule
    unit = found.scanned.unit
    rows = {
        each.label: event_json(each, found.amount(each), unit.replace(" ", "_")) for each in found.measures
    }
    together = {"all": rows.pop(None)} if None in rows else {}
    for label, row in rows.items():
        row["threshold"] = found.thresholds[str(label)]
    return {
        "files": len(found.scanned.files),
        "unit": unit,
        "rule": {"tolerance": rule.distance} if isinstance(rule, Tolerance) else {"overlap": rule.least},
        "labels": rows,
        **together,
    }


def located_text(found: Located) -> str:
    """As tables."""
    unit = found.scanned.unit
    rows = [["events", "there", "found", "false alarms", "precision", "recall", f"false alarms per {unit}"]]
    for each in found.measures:
        rate = each.false_alarm_rate
        rows.append(
            [
                each.label or "all",
                f"{each.events:,}",
                f"{each.hits:,}",
                f"{each.false_alarms:,}",
                shown_share(each.precision),
                shown_share(each.recall),
                shown(rate.value, rate.low, rate.high),
            ]
        )
    return "\n\n".join([table(rows, right=(1, 2, 3)), *map(_trade_off(found), found.measures)])


def _trade_off(found: Located) -> Any:
    unit = found.scanned.unit

    def text(measures: EventMeasures) -> str:
        name = measures.label or "all"
        rows = [[f"{name}: threshold", "missed", f"false alarms per {unit}"]]
        for threshold, misses, alarms in measures.curve.trade_off(found.amount(measures), most=_ROWS):
            shown_threshold = "none found" if math.isinf(threshold) else f"{threshold:.4f}"
            missed = "-" if math.isnan(misses) else f"{100 * misses:.1f} %"
            rows.append([shown_threshold, missed, significant(alarms, 4)])
        return table(rows, right=(1, 2))

    return text
