"""Thresholds that a model was calibrated to, with what the data says about them; JSON both ways.

`evaluation/` finds them, a model holds them, and scans use them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError

__all__ = ["FALSE_ALARMS", "PRECISION", "UNITS", "Calibration", "Threshold", "possible_rates"]

FALSE_ALARMS, PRECISION = "false alarms", "precision"

UNITS = {"hour": "h", "megapixel": "megapixels", "detection": "detections", "clip": "clips", "": ""}
"""What promises are about, and what amounts of it are called. "": not said."""

_DRAWS = 20_000


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what the data that it was set on promises.

    Attributes:
        value: scores from here on count as found.
        kind: "false alarms" per unit, or "precision".
        promised: the rate or precision that was asked for.
        expected: what is expected at this threshold.
        low, high: the interval that it lies in with probability `level`.
        level: of the interval.
        amount: of data that it was set on: units searched, or answers.
        dispersion: how much more the false alarms of files differ than chance alone makes them, at least 1.
        unit: of `amount`: "hour", "megapixel", "detection", "clip"; "" where it is not said.
        files: how many the data is from.
        events: how many of the label are in them, or clips that contain it.

    Raises:
        ArgumentError, ArgumentTypeError: a value is none of these.

    >>> print(Threshold(0.83, "false alarms", 1.0, 0.97, 0.4, 1.9, 0.95, 5.2, unit="hour"))
    0.83 (at most 1 false alarm an hour, 0.4 to 1.9 measured on 5.2 h)
    >>> print(Threshold(0.4, "precision", 0.9, 0.95, 0.84, 0.99, 0.95, 40, unit="clip"))
    0.4 (precision at least 0.9, 0.84 to 0.99 measured on 40 clips)
    """

    value: float
    kind: str
    promised: float
    expected: float
    low: float
    high: float
    level: float
    amount: float
    dispersion: float = 1.0
    unit: str = ""
    files: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("kind", "unit"):
                choices = (FALSE_ALARMS, PRECISION) if field.name == "kind" else tuple(UNITS)
                if value not in choices:
                    raise ArgumentError(
                        f"{field.name} must be one of {', '.join(map(repr, choices))}. Got {value!r}."
                    )
            elif isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
                raise ArgumentTypeError(f"{field.name} must be a number. Got {value!r}.")
            elif not 0 <= value < math.inf:
                raise ArgumentError(f"{field.name} must be at least 0 and finite. Got {value!r}.")

    def __str__(self) -> str:
        if self.kind == PRECISION:
            promise = f"precision at least {self.promised:g}"
        else:
            alarms = "false alarm" if self.promised == 1 else "false alarms"
            article = "an" if self.unit == "hour" else "a"
            promise = f"at most {self.promised:g} {alarms} {article} {self.unit or 'unit'}"
        amount = f"{self.amount:.3g} {UNITS[self.unit]}".rstrip()
        return f"{self.value:.3g} ({promise}, {self.low:.3g} to {self.high:.3g} measured on {amount})"

    def predicted(self, amount: float, seed: int = 0) -> tuple[float, float]:
        """The interval of the rate that is measured in another `amount` of data: chance adds to what is not known.

        Only for false alarms.
        """
        if self.kind != FALSE_ALARMS:
            raise ArgumentError(f"kind must be 'false alarms' to predict a rate. Got {self.kind!r}.")
        if not 0 < amount < math.inf:
            raise ArgumentError(f"amount must be positive and finite. Got {amount}.")
        rates = possible_rates(self.expected, self.amount, self.dispersion, seed)
        random = np.random.default_rng([seed, 1])
        counts = random.poisson(rates * amount / self.dispersion) * self.dispersion
        low, high = np.quantile(counts / amount, ((1 - self.level) / 2, (1 + self.level) / 2))
        return float(low), float(high)


def possible_rates(expected: float, amount: float, dispersion: float, seed: int = 0) -> NDArray[np.float64]:
    """Rates that data leaves possible: gamma distributed, with the shape that is left after dispersion."""
    shape = expected * amount / dispersion
    return np.random.default_rng(seed).gamma(shape, expected / shape, _DRAWS)


@dataclass(frozen=True)
class Calibration:
    """What a model was calibrated to.

    Attributes:
        entries: (label, threshold) of every label that something is promised for.
        data: the name of the data.
        temperature: that scores are divided by before they become probabilities.
        rule: when a detection was of an event: "tolerance", "overlap", or "clips" where clips were counted.
        within: the tolerance in seconds, elements or pixels, or the least overlap; 0 for clips.
        step: between the windows that were counted: None, the network's own stride.
        low: the probability through which events went on; None: windows competed. As `ScanResult.detections` takes it.

    Raises:
        ArgumentError, ArgumentTypeError: a value is none of these.
    """

    entries: tuple[tuple[str, Threshold], ...] = ()
    data: str = ""
    temperature: float = 1.0
    rule: str = "tolerance"
    within: float = 0.0
    step: int | None = None
    low: float | None = None

    def __post_init__(self) -> None:
        if len(dict(self.entries)) != len(self.entries):
            raise ArgumentError(
                f"entries must have each label once. Got {[label for label, _ in self.entries]}."
            )
        if not isinstance(self.data, str):
            raise ArgumentTypeError(f"data must be text. Got {self.data!r}.")
        if self.rule not in ("tolerance", "overlap", "clips"):
            raise ArgumentError(f"rule must be 'tolerance', 'overlap' or 'clips'. Got {self.rule!r}.")
        self._check_number("temperature", self.temperature, above_zero=True)
        self._check_number("within", self.within)
        if self.step is not None:
            self._check_number("step", self.step, above_zero=True)
        if self.low is not None:
            self._check_number("low", self.low)

    @staticmethod
    def _check_number(name: str, number: float, *, above_zero: bool = False) -> None:
        value: object = number
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ArgumentTypeError(f"{name} must be a number. Got {value!r}.")
        if not 0 <= number < math.inf or (above_zero and number == 0):
            raise ArgumentError(
                f"{name} must be {'above' if above_zero else 'at least'} 0 and finite. Got {value!r}."
            )

    @property
    def thresholds(self) -> Mapping[str, Threshold]:
        """By label; read-only."""
        return MappingProxyType(dict(self.entries))

    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `from_json` makes the same again."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "entries"}
        return {**own, "thresholds": {label: asdict(threshold) for label, threshold in self.entries}}

    @classmethod
    def from_json(cls, data: Any) -> Calibration:
        """What `to_json` gave.

        Raises:
            ArgumentError, ArgumentTypeError: it is something else.

        >>> calibration = Calibration((("bird", Threshold(0.8, "precision", 0.9, 0.95, 0.8, 1, 0.95, 40)),), "birds")
        >>> Calibration.from_json(calibration.to_json()) == calibration
        True
        """
        try:
            own = {name: value for name, value in data.items() if name != "thresholds"}
            entries = tuple((label, Threshold(**values)) for label, values in data["thresholds"].items())
            return cls(entries, **own)
        except (AttributeError, KeyError, TypeError) as error:
            if isinstance(error, ArgumentTypeError):
                raise
            raise ArgumentTypeError(f"a calibration must be an object with thresholds. {error}.") from error
