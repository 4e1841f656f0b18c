"""How measures and their intervals are told: in tables and as JSON."""

from __future__ import annotations

import math
from typing import Any

from scanwise.evaluation import ClipMeasures, EventMeasures, Interval, LabelMeasures

__all__ = ["clip_json", "event_json", "interval_json", "number", "shown", "shown_share", "significant"]


def number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def interval_json(interval: Interval) -> dict[str, float | None]:
    """A measure with its interval; null for what cannot be told."""
    return {name: number(getattr(interval, name)) for name in ("value", "low", "high", "level")}


def significant(value: float, digits: int = 3) -> str:
    """A number with so many digits that count, never with an exponent for being large.

    Example:
        >>> significant(0.012345), significant(12345.6)
        ('0.0123', '12,346')
    """
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def shown(value: float, low: float, high: float) -> str:
    """A number with its interval."""
    if math.isnan(value):
        return "-"
    number = significant(value)
    return number if math.isnan(low) else f"{number} ({significant(low)} to {significant(high)})"


def shown_share(interval: Interval) -> str:
    """In per cent, with its interval."""
    if math.isnan(interval.value):
        return "-"
    value = f"{100 * interval.value:.1f} %"
    if math.isnan(interval.low):
        return value
    return f"{value} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def clip_json(measures: ClipMeasures | LabelMeasures) -> dict[str, Any]:
    """What is measured at all thresholds, and all intervals."""
    names = ["average_precision"]
    names += ["area"] if isinstance(measures, LabelMeasures) else []
    intervals = ["precision", "recall"] if isinstance(measures, LabelMeasures) else ["accuracy", "all_right"]
    return {
        **{name: number(getattr(measures, name).value) for name in names},
        "intervals": {name: interval_json(getattr(measures, name)) for name in (*intervals, *names)},
    }


def event_json(measures: EventMeasures, amount: float, unit: str) -> dict[str, Any]:
    """Counts, measures with intervals, and the trade-off at all thresholds."""
    return {
        "events": measures.events,
        "hits": measures.hits,
        "false_alarms": measures.false_alarms,
        "searched": amount,
        **{name: interval_json(getattr(measures, name)) for name in ("precision", "recall", "f1")},
        "false_alarm_rate": interval_json(measures.false_alarm_rate),
        "trade_off": [
            {"threshold": number(threshold), "miss_rate": number(misses), f"false_alarms_per_{unit}": alarms}
            for threshold, misses, alarms in measures.curve.trade_off(amount)
        ],
    }
