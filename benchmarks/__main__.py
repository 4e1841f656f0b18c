"""``python -m benchmarks [--only NETWORK] [--quick] [--threads N] [--data FOLDER]``; needs the extra ``[compare]``."""

from __future__ import annotations

import argparse
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

import scanwise as sw
from benchmarks import contenders, kernels, process, scanning, sections, sweep, tasks
from benchmarks.networks import CASES, Case
from benchmarks.peak import peak_gflops
from benchmarks.report import Report, Timing
from benchmarks.timing import interleaved

RESULTS = Path(__file__).resolve().parent / "results"
WORKS = ("training", "inference", "latency", "kernels", "scanning", "process", "tasks", *sections.WORKS)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=CASES, help="this network; may be given several times"
    )
    parser.add_argument(
        "--work", action="append", choices=WORKS, help="this kind of work; may be given several times"
    )
    parser.add_argument(
        "--quick", action="store_true", help="short timings: shows that it runs, not how fast"
    )
    parser.add_argument("--threads", type=int, default=sw.get_threads(), help="default: all processors")
    parser.add_argument("--shapes", type=_numbers, help="drawn layers to sweep over: the first N, or FROM-TO")
    parser.add_argument("--data", type=Path, help="folder with mnist.npz and fsdd, for tasks on real data")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for <date>.md and <date>.json")
    return parser.parse_args()


def _numbers(text: str) -> range:
    first, _, last = text.rpartition("-")
    return range(int(first or 0), int(last) + bool(first))


def _time(case: Case, works: list[str], threads: int, rounds: int, seconds: float) -> list[Timing]:
    timings = []
    contenders.set_threads(threads)
    if "training" in works:
        taken = interleaved(contenders.training(case), rounds=rounds, seconds=seconds)
        timings.append(Timing(case.name, "training step", case.batch, taken))
    for work, batch in (("inference", case.batch), ("latency", 1)):
        if work in works:
            taken = interleaved(contenders.inference(case, batch, threads), rounds=rounds, seconds=seconds)
            timings.append(Timing(case.name, work, batch, taken))
    return timings


def main() -> None:
    """Runs everything that was asked for and writes the report."""
    arguments = _arguments()
    rounds, seconds = (3, 0.05) if arguments.quick else (15, 0.3)
    works = arguments.work or list(WORKS)
    # PyTorch warns once about its own channels_last internals; it says nothing about what is measured here.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\..*")
    report = Report(
        command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
        threads=arguments.threads,
        peak_gflops={
            "one thread": peak_gflops(1),
            f"{arguments.threads} threads": peak_gflops(arguments.threads),
        },
        versions={
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            **{name: version(name) for name in ("scanwise", "llvmlite", "torch", "onnxruntime")},
        },
    )
    for name in arguments.only or CASES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        case = CASES[name]
        report.timings.extend(_time(case, works, arguments.threads, rounds, seconds))
        if "kernels" in works:
            report.efficiencies[name] = kernels.of(case, rounds=rounds, seconds=seconds / 10)
    cases = [CASES[name] for name in arguments.only or CASES]
    drawn = arguments.shapes or range(5 if arguments.quick else sweep.SHAPES)
    report.sections = sections.sections(works, cases, arguments.threads, drawn, rounds, seconds)
    if "scanning" in works:
        print("scanning MLPs ...", file=sys.stderr, flush=True)
        report.scanning = scanning.figures(arguments.threads, rounds=rounds, seconds=seconds)
    if "process" in works:
        print("whole processes ...", file=sys.stderr, flush=True)
        report.process = process.figures(arguments.threads, repeats=2 if arguments.quick else 5)
    if "tasks" in works and not arguments.quick:
        print("whole tasks ...", file=sys.stderr, flush=True)
        report.tasks = tasks.figures(arguments.threads, arguments.data)
    paths = report.write(arguments.output)
    print(report.markdown())
    print("written to " + " and ".join(str(path) for path in paths), file=sys.stderr)


if __name__ == "__main__":
    main()
