"""What came of one file: what a scan found, all that any form of output needs; or why it could not be scanned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanwise.scanning import Detection, ScanResult

__all__ = ["FailedFile", "FileResult"]


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
        presence: for each label the largest probability of any window.
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
    presence: dict[str, float]
    detections: tuple[Detection, ...]

    @classmethod
    def of(cls, path: Path, result: ScanResult, threshold: float) -> FileResult:
        """What a scan of a file found with probabilities from `threshold` on."""
        labels = result.labels or tuple(str(k) for k in range(len(result.scores)))
        return cls(
            file=str(path),
            extent=result.coverage.extent,
            sample_rate=result.sample_rate,
            window=result.window,
            step=result.step,
            method=result.method,
            reason=result.reason,
            uncovered=result.coverage.uncovered,
            presence={label: float(p) for label, p in zip(labels, result.presence, strict=True)},
            detections=tuple(result.detections(threshold)),
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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FileResult:
        """The result that `as_json` told, also after it has been text: the same, bit for bit."""
        number = {label: k for k, label in enumerate(data["presence"])}
        return cls(
            file=data["file"],
            extent=tuple(data["extent"]),
            sample_rate=data["sample_rate"],
            window=_number_or_tuple(data["window"]),
            step=_number_or_tuple(data["step"]),
            method=data["method"],
            reason=data["reason"],
            uncovered=tuple(tuple((start, stop) for start, stop in gaps) for gaps in data["uncovered"]),
            presence=data["presence"],
            detections=tuple(
                Detection(
                    label=found["label"],
                    index=number[found["label"]],
                    score=found["score"],
                    start=_number_or_tuple(found["start"]),
                    stop=_number_or_tuple(found["stop"]),
                    sample_rate=data["sample_rate"],
                )
                for found in data["detections"]
            ),
        )


def _number_or_tuple(value: Any) -> Any:
    """JSON has lists where a place in an image is a tuple."""
    return tuple(value) if isinstance(value, list | tuple) else value
