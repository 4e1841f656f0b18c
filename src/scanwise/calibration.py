"""Thresholds that a model was calibrated to, with what the data says about them; JSON both ways.

`evaluation/` finds them, a model holds them, and scans use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.initialization import check_seed
from scanwise.layers import arguments

__all__ = ["FALSE_ALARMS", "PRECISION", "UNITS", "Calibration", "Threshold", "possible_rates"]

FALSE_ALARMS, PRECISION = "false alarms", "precision"

UNITS = {"hour": "h", "megapixel": "megapixels", "detection": "detections", "clip": "clips", "": ""}
"""What promises are about, and what amounts of it are called. "": not said."""

_DRAWS = 20_000
_MOST_ALARMS = 1e15  # of which every one can be drawn, and counted in float64


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
            name, value = field.name, getattr(self, field.name)
            if name in ("kind", "unit"):
                choices = (FALSE_ALARMS, PRECISION) if name == "kind" else tuple(UNITS)
                arguments.choice("threshold", name, value, choices)
            elif name in ("files", "events"):
                self._settle(name, arguments.integer("threshold", name, value, minimum=0))
            else:
                number = arguments.number("threshold", name, value)
                if number < 0 or (number == 0 and name in ("promised", "expected", "amount")):
                    raise ArgumentError(
                        f"threshold: {name} must be {'above' if number == 0 else 'at least'} 0. Got {value!r}."
                    )
                self._settle(name, number)
        if not 0 < self.level < 1 or self.dispersion < 1:
            raise ArgumentError(
                "threshold: level must be between 0 and 1, and dispersion at least 1. "
                f"Got {self.level!r} and {self.dispersion!r}."
            )

    def _settle(self, name: str, value: float) -> None:
        object.__setattr__(self, name, value)

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
        amount, seed = arguments.number("predicted", "amount", amount), check_seed(seed)
        rates = possible_rates(self.expected, self.amount, self.dispersion, seed)
        random = np.random.default_rng([seed, 1])
        if not (amount > 0 and amount * float(rates.max()) < _MOST_ALARMS * self.dispersion):
            raise ArgumentError(
                f"predicted: amount must be above 0, with less than {_MOST_ALARMS:g} false alarms. Got {amount!r}."
            )
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
        if not _are_entries(self.entries):
            raise ArgumentTypeError(f"entries must be a tuple of (label, Threshold). Got {self.entries!r}.")
        for label, threshold in self.entries:
            if threshold.value > 1:
                raise ArgumentError(
                    f"the threshold of {label!r} must be a probability, at most 1. Got {threshold.value!r}."
                )
        if len(dict(self.entries)) != len(self.entries):
            raise ArgumentError(
                f"entries must have each label once. Got {[label for label, _ in self.entries]}."
            )
        if not isinstance(self.data, str):
            raise ArgumentTypeError(f"data must be text. Got {self.data!r}.")
        arguments.choice("calibration", "rule", self.rule, ("tolerance", "overlap", "clips"))
        object.__setattr__(
            self, "temperature", arguments.positive("calibration", "temperature", self.temperature)
        )
        object.__setattr__(self, "within", arguments.number("calibration", "within", self.within))
        if self.within < 0:
            raise ArgumentError(f"calibration: within must be at least 0. Got {self.within!r}.")
        if self.step is not None:
            object.__setattr__(self, "step", arguments.integer("calibration", "step", self.step))
        if self.low is not None:
            object.__setattr__(self, "low", arguments.number("calibration", "low", self.low))
            if not 0 <= self.low <= 1:
                raise ArgumentError(f"calibration: low must be between 0 and 1. Got {self.low!r}.")

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
            raise ArgumentTypeError(
                f"a calibration must be an object with thresholds. Got another: {error}."
            ) from error


def _are_entries(entries: object) -> bool:
    return isinstance(entries, tuple) and all(
        isinstance(entry, tuple) and list(map(type, entry)) == [str, Threshold] for entry in entries
    )
