"""What a run was asked for: every work of the benchmark is handed this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.networks import Case


@dataclass(frozen=True)
class Setting:
    """How to measure.

    Attributes:
        cases: the networks.
        threads: for everyone.
        quick: show that it runs, not how fast: short timings, and nothing that takes minutes to prepare.
        data: a folder with `mnist.npz` and `fsdd`, or None.
        shapes: numbers of the drawn layers to sweep over; None for all.
    """

    cases: tuple[Case, ...]
    threads: int
    quick: bool
    data: Path | None
    shapes: range | None = None

    @property
    def rounds(self) -> int:
        """Timings of each contender."""
        return 3 if self.quick else 15

    @property
    def seconds(self) -> float:
        """Length of one timing."""
        return 0.05 if self.quick else 0.3
