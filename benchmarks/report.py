"""What was measured, as tables: on the screen, as Markdown and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from benchmarks.kernels import PASSES, Efficiency
from benchmarks.section import Section

PYTORCH = "PyTorch"


@dataclass(frozen=True)
class Timing:
    """One network, one kind of work, all contenders.

    Attributes:
        network: its name.
        work: "training step", "inference" or "latency".
        batch: samples in a call.
        seconds: median seconds of one call, by contender.
    """

    network: str
    work: str
    batch: int
    seconds: dict[str, float]

    def ratio(self, other: str) -> float | None:
        """How many times as long `other` takes; for PyTorch, in its better memory layout."""
        theirs = [value for name, value in self.seconds.items() if name.startswith(other)]
        return min(theirs) / self.seconds["Scanwise"] if theirs else None


@dataclass
class Report:
    """Everything one run measured."""

    command: str
    threads: int
    peak_gflops: dict[str, float]
    versions: dict[str, str]
    machine: str = field(default_factory=lambda: processor_name())
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    timings: list[Timing] = field(default_factory=list)
    efficiencies: dict[str, list[Efficiency]] = field(default_factory=dict)
    process: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=dict)
    scanning: dict[str, float] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def markdown(self) -> str:
        """All tables, the ratios last."""
        parts = [self._heading()]
        if self.timings:
            parts.append(self._timings())
        if self.efficiencies:
            parts.append(self._efficiencies())
        parts += [f"## {s.heading}\n\n{s.note}\n\n{table(s.head, s.rows)}" for s in self.sections]
        for heading, figures in (
            ("Forms of the scanning MLP", self.scanning),
            ("Whole processes", self.process),
            ("Whole tasks", self.tasks),
        ):
            if figures:
                rows = [[name, f"{value:.3g}"] for name, value in figures.items()]
                parts.append(f"## {heading}\n\n" + table(["figure", "value"], rows))
        if self.timings:
            parts.append(self._ratios())
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> list[Path]:
        """Writes `<date>.md` and `<date>.json` and returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{date.today().isoformat()}{suffix}" for suffix in (".md", ".json")]
        paths[0].write_text(self.markdown(), encoding="utf-8")
        paths[1].write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        return paths

    def _heading(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        peaks = ", ".join(f"{value:.0f} GFLOP/s on {name}" for name, value in self.peak_gflops.items())
        return (
            f"# Benchmark of {date.today().isoformat()}\n\n"
            f"Command: `{self.command}`  \nMachine: {self.machine}, {self.threads} threads for everyone; measured "
            f"multiply-add peak {peaks}; load average before {self.load:.1f}  \nVersions: {versions}\n\n"
            "Contenders run in turns in one process; medians. PyTorch's ratio is of its better memory layout."
        )

    def _timings(self) -> str:
        rows = []
        for timing in self.timings:
            for name, seconds in timing.seconds.items():
                rate = f"{timing.batch / seconds:,.0f}"
                rows.append([timing.network, timing.work, str(timing.batch), name, time_text(seconds), rate])
        head = ["network", "work", "batch", "contender", "one call", "samples/s"]
        return "## Times\n\n" + table(head, rows)

    def _efficiencies(self) -> str:
        rows = []
        for network, efficiencies in self.efficiencies.items():
            for row in efficiencies:
                cells = [
                    f"{row.gflops[name]:.0f} ({row.gflops[name] / row.peak:.0%})"
                    if name in row.gflops
                    else ""
                    for name in PASSES
                ]
                rows.append([network, row.layer, *cells])
        head = ["network", "kernels of", *PASSES]
        return (
            "## Kernels against the machine's peak\n\nGFLOP/s on one thread (share of the measured peak), counted "
            "by the direct formula: Winograd's algorithm needs fewer operations and can pass 100 %.\n\n"
        ) + table(head, rows)

    def _ratios(self) -> str:
        rows = []
        for network in dict.fromkeys(timing.network for timing in self.timings):
            of = {timing.work: timing for timing in self.timings if timing.network == network}
            cells = [network]
            for work, other in RATIO_COLUMNS:
                ratio = of[work].ratio(other) if work in of else None
                cells.append("" if ratio is None else f"{ratio:.2f}")
            rows.append(cells)
        head = ["network", *(f"{work}: {other}" for work, other in RATIO_COLUMNS)]
        return "## How many times faster than\n\n" + table(head, rows)


RATIO_COLUMNS = (
    ("training step", PYTORCH),
    ("inference", PYTORCH),
    ("inference", "ONNX Runtime"),
    ("latency", PYTORCH),
    ("latency", "ONNX Runtime"),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def time_text(seconds: float) -> str:
    """Three digits with a fitting unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def processor_name() -> str:
    """What the operating system calls the processor."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
