"""What was measured, as tables: on the screen, as Markdown and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from benchmarks.figure import Figure
from scanwise.codegen.target import host_target


@dataclass(frozen=True)
class Section:
    """One heading of the report, with a table of cells, a table of figures, or both.

    Attributes:
        title: the heading.
        text: what the tables below it say and how it was measured.
        head: names of the table's columns.
        rows: the table's cells.
        figures: single numbers, with their minimums where there are any.
    """

    title: str
    text: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: Sequence[Figure] = ()

    def markdown(self) -> str:
        """The heading and what belongs under it."""
        parts = [f"## {self.title}", self.text]
        if self.rows:
            parts.append(table(self.head, self.rows))
        if self.figures:
            parts.append(figure_table(self.figures))
        return "\n\n".join(part for part in parts if part)


@dataclass
class Report:
    """Everything one run measured.

    Attributes:
        command: how it was started.
        threads: the same number for everyone.
        peak_gflops: the machine's measured peak, by number of threads in words.
        versions: of everything that was timed.
        left_out: what was not timed, and why.
        sections: in the order in which they were measured.
    """

    command: str
    threads: int
    peak_gflops: dict[str, float]
    versions: dict[str, str]
    left_out: list[str] = field(default_factory=list)
    machine: str = field(default_factory=lambda: processor_name())
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    sections: list[Section] = field(default_factory=list)

    def markdown(self) -> str:
        """All tables; what falls short comes last."""
        parts = [self._heading(), *(section.markdown() for section in self.sections)]
        judged = [figure for section in self.sections for figure in section.figures if figure.met is not None]
        if judged:
            parts.append(_falls_short(judged))
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
        machine = f"{self.machine} ({host_target().name})"
        lines = [
            f"Command: `{self.command}`",
            f"Machine: {machine}, {self.threads} threads for everyone; load average before {self.load:.1f}",
            f"Measured multiply-add peak: {peaks}",
            f"Versions: {versions}",
            *(f"Left out: {reason}" for reason in self.left_out),
        ]
        return (
            f"# Benchmark of {date.today().isoformat()}\n\n" + "  \n".join(lines) + "\n\n"
            "Contenders run in turns in one process; medians."
        )


def _falls_short(judged: Sequence[Figure]) -> str:
    """How many minimums are met, and a table of those that are not."""
    short = [figure for figure in judged if not figure.met]
    text = f"{len(judged) - len(short)} of {len(judged)} minimums are met."
    return Section("Minimums", text, figures=short).markdown()


def figure_table(figures: Sequence[Figure]) -> str:
    """One row a figure; columns that no figure fills are left out."""
    head = ["figure", "value", "minimum", "stretch", "verdict", "machine allows", "note"]
    rows = []
    for figure in figures:
        goals = (figure.minimum, figure.stretch)
        limit = "" if figure.limit is None else number_text(figure.limit, figure.unit)
        cells = [number_text(figure.value, figure.unit)]
        cells += ["" if goal is None else number_text(goal, figure.unit) for goal in goals]
        rows.append([figure.name, *cells, figure.verdict, limit, figure.note])
    filled = [column for column in range(len(head)) if any(row[column] for row in rows)]
    return table([head[column] for column in filled], [[row[column] for column in filled] for row in rows])


def number_text(value: float, unit: str = "") -> str:
    """Three digits, with the unit behind."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


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
