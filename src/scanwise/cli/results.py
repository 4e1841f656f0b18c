"""What a scan of one file found: all that any form of output needs, and nothing that grows with the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scanwise.scanning import Detection, Findings

__all__ = ["FileResult"]


@dataclass(frozen=True)
class FileResult:
    """One file and what was found in it.

    Attributes:
        file: its path as the user gave it.
        extent: of the signal: samples, or (rows, columns).
        sample_rate: of the signal that was scanned, in Hz, if it has one.
        window, step: of the scan, in samples or pixels.
        method, reason: how windows were evaluated, and why.
        uncovered: for each axis the ranges (start, stop) that no window reaches.
        padded: for each axis the ranges that lie only in a window filled up with zeros.
        skipped: windows that hold a value that is not finite, and have no score.
        replaced: values that were not finite and taken as zero.
        presence: for each label the largest probability of any window; None if no window has a score.
        detections: what was found where, in the order of the places.
    """

    file: str
    extent: tuple[int, ...]
    sample_rate: float | None
    window: int | tuple[int, ...]
    step: int | tuple[int, ...]
    method: str
    reason: str
    uncovered: tuple[tuple[tuple[int, int], ...], ...]
    padded: tuple[tuple[tuple[int, int], ...], ...]
    skipped: int
    replaced: int
    presence: dict[str, float | None]
    detections: tuple[Detection, ...]

    @classmethod
    def of(cls, path: Path, found: Findings) -> FileResult:
        """What was found in a file."""
        labels = found.labels or tuple(str(k) for k in range(len(found.presence)))
        return cls(
            file=str(path),
            extent=found.coverage.extent,
            sample_rate=found.sample_rate,
            window=found.window,
            step=found.step,
            method=found.method,
            reason=found.reason,
            uncovered=found.coverage.uncovered,
            padded=found.coverage.padded,
            skipped=found.coverage.skipped,
            replaced=found.replaced,
            presence={
                label: None if np.isnan(p) else float(p)
                for label, p in zip(labels, found.presence, strict=True)
            },
            detections=tuple(found.detections),
        )

    def as_json(self) -> dict[str, Any]:
        """The result as plain JSON data."""
        return {
            "file": self.file,
            "extent": list(self.extent),
            "sample_rate": self.sample_rate,
            "window": self.window,
            "step": self.step,
            "method": self.method,
            "reason": self.reason,
            "uncovered": self.uncovered,
            "padded": self.padded,
            "skipped": self.skipped,
            "replaced": self.replaced,
            "presence": self.presence,
            "detections": [
                {
                    "label": found.label,
                    "score": found.score,
                    "start": found.start,
                    "stop": found.stop,
                    "seconds": found.seconds,
                }
                for found in self.detections
            ],
        }
