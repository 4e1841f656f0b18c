"""What came of one file: what a scan found, all that any form of output needs; or why it could not be scanned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scanwise.scanning import Detection, Findings, ScanResult

__all__ = ["FailedFile", "FileResult", "detection_json"]


@dataclass(frozen=True)
class FailedFile:
    """A file that could not be scanned, and why."""

    file: str
    error: str

    def as_json(self) -> dict[str, Any]:
        """The failure as plain JSON data."""
        return {"file": self.file, "error": self.error}


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
        detections: what was found where, in the order of the places. They do not hold the signal.
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
    def of(
        cls,
        path: Path,
        found: Findings | ScanResult,
        detections: Sequence[Detection],
        *,
        support: bool,
    ) -> FileResult:
        """What was found in a file; with the supports of its detections if they are asked for."""
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
            detections=tuple(replace(one, trace=one.support if support else None) for one in detections),
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileResult:
        """The result that `as_json` told, also after it has been text."""
        detections = tuple(
            Detection(
                label=found["label"],
                index=found["index"],
                score=found["score"],
                start=_tuples(found["start"]),
                stop=_tuples(found["stop"]),
                sample_rate=data["sample_rate"],
                trace=_tuples(found["support"]),
            )
            for found in data["detections"]
        )
        axes = {name: _tuples(data[name]) for name in ("extent", "window", "step", "uncovered", "padded")}
        plain = ("file", "sample_rate", "method", "reason", "skipped", "replaced", "presence")
        return cls(**axes, **{name: data[name] for name in plain}, detections=detections)

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
            "detections": [detection_json(found) for found in self.detections],
        }


def detection_json(found: Detection) -> dict[str, Any]:
    """A detection as plain JSON data: places in samples or pixels, and in seconds where the rate is known."""
    return {
        "label": found.label,
        "index": found.index,
        "score": found.score,
        "start": found.start,
        "stop": found.stop,
        "seconds": found.seconds,
        "support": found.support,
        "support_seconds": found.support_seconds,
    }


def _tuples(value: Any) -> Any:
    """JSON has lists where there were tuples."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list | tuple) else value
