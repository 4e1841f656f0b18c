"""What a calibration is to promise, and how that is counted: checked in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanwise.data.dataset import PLURAL, Kind
from scanwise.errors import ArgumentError, ArgumentTypeError

__all__ = ["Promise"]

UNITS = {"false_alarms_per_hour": "hour", "false_alarms_per_megapixel": "megapixel"}
_KINDS: dict[str, Kind] = {"hour": "audio", "megapixel": "image"}


@dataclass(frozen=True)
class Promise:
    """What a threshold is to keep.

    Attributes:
        name: "false_alarms_per_hour", "false_alarms_per_megapixel" or "precision".
        value: the rate, or the precision.
    """

    name: str
    value: float

    @classmethod
    def one_of(cls, **given: float | None) -> Promise:
        """The only one that is given.

        Raises:
            ArgumentError, ArgumentTypeError: none or several are, or the value is out of range.

        >>> Promise.one_of(precision=None, false_alarms_per_hour=2)
        Promise(name='false_alarms_per_hour', value=2)
        """
        stated = {name: value for name, value in given.items() if value is not None}
        if len(stated) != 1:
            raise ArgumentError(
                f"exactly one of {', '.join(given)} must be given. Got {', '.join(stated) or 'none'}."
            )
        ((name, value),) = stated.items()
        number: object = value
        if isinstance(number, bool) or not isinstance(number, int | float | np.floating | np.integer):
            raise ArgumentTypeError(f"{name} must be a number. Got {number!r}.")
        if not 0 < value < (1 if name == "precision" else math.inf):
            bounds = "above 0 and below 1" if name == "precision" else "above 0 and finite"
            raise ArgumentError(f"{name} must be {bounds}. Got {value!r}.")
        return cls(name, value)

    @property
    def unit(self) -> str | None:
        """That false alarms are allowed per; None for a precision."""
        return UNITS.get(self.name)

    def require_fits(self, signal: Kind) -> None:
        """Raise ArgumentError where there is no such unit: hours of images, megapixels of sound."""
        if self.unit is not None and _KINDS[self.unit] != signal:
            raise ArgumentError(
                f"{self.name} must be asked of {PLURAL[_KINDS[self.unit]]}. Got {PLURAL[signal]}."
            )
