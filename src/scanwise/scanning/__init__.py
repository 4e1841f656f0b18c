"""Scanning: positions, shared evaluation, coverage, detections."""

from scanwise.scanning.detection import Detection
from scanwise.scanning.detector import Findings, detect
from scanwise.scanning.grid import Coverage
from scanwise.scanning.pool import StreamPool
from scanwise.scanning.result import ScanResult
from scanwise.scanning.scanner import scan
from scanwise.scanning.sharing import obstacle
from scanwise.scanning.stream import Stream

__all__ = [
    "Coverage",
    "Detection",
    "Findings",
    "ScanResult",
    "Stream",
    "StreamPool",
    "detect",
    "obstacle",
    "scan",
]
