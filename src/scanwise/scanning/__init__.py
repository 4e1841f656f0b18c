"""Scanning: positions, shared evaluation, coverage, detections."""

from scanwise.scanning.detection import Detection
from scanwise.scanning.grid import Coverage
from scanwise.scanning.result import ScanResult
from scanwise.scanning.scanner import Findings, detect, scan
from scanwise.scanning.sharing import obstacle

__all__ = ["Coverage", "Detection", "Findings", "ScanResult", "detect", "obstacle", "scan"]
