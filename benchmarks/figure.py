"""One measured number, and the minimum it is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured number. Every table of minimums in the report is made of these.

    Attributes:
        name: what was measured, with the network or layer that it was measured on.
        value: the number.
        unit: "s", "MiB", "%"; "" for a ratio.
        minimum: what the value must at least be; at most, where smaller is better.
        stretch: what it would be good to reach.
        direction: which way is better, "larger" or "smaller".
        limit: what this machine allows at best, where that is known. A minimum beyond it cannot be met here.
        note: a remark, above all the reason for what falls short.
    """

    name: str
    value: float
    unit: str = ""
    minimum: float | None = None
    stretch: float | None = None
    direction: str = "larger"
    limit: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        assert self.direction in ("larger", "smaller"), self.direction
        assert math.isfinite(self.value), f"{self.name}: {self.value}"

    @property
    def met(self) -> bool | None:
        """Whether the minimum is reached; None where there is none."""
        return None if self.minimum is None else self._reaches(self.value, self.minimum)

    @property
    def verdict(self) -> str:
        """What to print: "stretch", "met", "not met" or "beyond the machine"; "" where there is no minimum."""
        if self.minimum is None:
            return ""
        if self.stretch is not None and self._reaches(self.value, self.stretch):
            return "stretch"
        if self.met:
            return "met"
        within = self.limit is None or self._reaches(self.limit, self.minimum)
        return "not met" if within else "beyond the machine"

    def _reaches(self, value: float, goal: float) -> bool:
        return value >= goal if self.direction == "larger" else value <= goal
