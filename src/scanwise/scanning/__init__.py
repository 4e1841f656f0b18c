"""Scanning: positions, shared evaluation, coverage, detections."""

from scanwise.scanning.detection import Detection
from scanwise.scanning.detector import Findings, detect
from scanwise.scanning.grid import Coverage
from scanwise.scanning.result import ScanResult
from scanwise.scanning.scanner import scan
from scanwise.scanning.sharing import obstacle

__all__ = ["Coverage", "Detection", "Findings", "ScanResult", "detect", "obstacle", "scan"]
