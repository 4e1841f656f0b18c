"""The most memory of processes that scan long recordings from disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks import children
from benchmarks.figure import Figure
from benchmarks.report import Section
from benchmarks.scan_cases import RATE
from benchmarks.setting import Setting

__all__ = ["memory"]

MOST_MIB = 500.0

_SCAN = """
import numpy as np, scanwise as sw
from benchmarks.children import peak
from benchmarks.scan_cases import AUDIO
case = next(case for case in AUDIO if case.name == "ds-cnn")
result = sw.scan(case.model(), np.load({path!r}, mmap_mode="r"))
assert result.scores.shape[1] > 0
print(peak())
"""


def memory(setting: Setting) -> Section:
    """A recording of 16-bit samples, and one that is ten times as long."""
    minutes = 1 if setting.quick else 10
    figures = []
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        for length in (minutes, 10 * minutes):
            path = Path(folder, f"{length}.npy")
            _record(path, length)
            code = _SCAN.format(path=str(path))
            children.run(["-c", code], folder, setting.threads)  # compiles, which takes memory of its own
            most = float(children.run(["-c", code], folder, setting.threads)[1])
            name = f"peak memory of a process that scans {length} min of 16 kHz audio with ds-cnn"
            note = f"{path.stat().st_size / (1 << 20):.0f} MiB of it are pages of the file, at most"
            figures.append(Figure(name, most, "MiB", MOST_MIB, direction="smaller", note=note))
            path.unlink()
    text = "The recording is mapped from disk; pages that have been read count until the system needs them elsewhere."
    return Section("Memory of scans", text, figures=figures)


def _record(path: Path, minutes: int) -> None:
    """Noise, written a minute at a time."""
    samples = 60 * RATE
    random = np.random.default_rng(0)
    recording = np.lib.format.open_memmap(path, mode="w+", dtype=np.int16, shape=(1, minutes * samples))
    for start in range(0, minutes * samples, samples):
        recording[0, start : start + samples] = random.integers(-(1 << 15), 1 << 15, samples)
    recording.flush()
