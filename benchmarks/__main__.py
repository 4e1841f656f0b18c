"""Times Scanwise side by side with PyTorch, JAX and ONNX Runtime, and holds it against its minimums.

    pip install -e '.[benchmark]'
    python -m benchmarks                                    everything
    python -m benchmarks --only lenet5 --work training      one network, one kind of work; both may be repeated
    python -m benchmarks --quick                            shows that it runs; its numbers say nothing

Without JAX, or without a C++ compiler for torch.compile, these are left out, and the report says so. All contenders run
in turns in one process, on the same number of processors; results are compared with float64 before anything is timed.
The report goes to the screen and to <date>.md and <date>.json. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

import scanwise as sw
from benchmarks import contenders
from benchmarks.networks import CASES
from benchmarks.peak import peak_gflops
from benchmarks.report import Report
from benchmarks.setting import Setting
from benchmarks.works import WORKS

RESULTS = Path(__file__).resolve().parent / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    parser.add_argument(
        "--shapes", type=_numbers, metavar="N | N-M", help="of the sweep the first N layers, or layers N to M"
    )
    parser.add_argument("--data", type=Path, help="folder with mnist.npz and fsdd, for tasks on real data")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for <date>.md and <date>.json")
    return parser.parse_args()


def _numbers(text: str) -> range:
    first, _, last = text.rpartition("-")
    return range(int(first or 0), int(last) + bool(first))


def _limit(threads: int) -> None:
    """Keeps everyone to so many processors: JAX takes as many threads as it finds processors.

    The variable is read when JAX starts; where a process can be kept to some processors, that holds for all of them.
    """
    os.environ["PJRT_NPROC"] = str(threads)
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _report(setting: Setting) -> Report:
    threads = setting.threads
    names = ["scanwise", "llvmlite", "torch", "onnxruntime", *(["jax"] if contenders.HAS_JAX else [])]
    return Report(
        command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
        threads=threads,
        peak_gflops={"one thread": peak_gflops(1), f"{threads} threads": peak_gflops(threads)},
        versions={
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            **{name: version(name) for name in names},
        },
        left_out=contenders.left_out(setting),
    )


def main() -> None:
    """Runs everything that was asked for and writes the report."""
    arguments = _arguments()
    # PyTorch warns once about its own channels_last internals; it says nothing about what is measured here.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\..*")
    _limit(arguments.threads)
    setting = Setting(
        cases=tuple(CASES[name] for name in arguments.only or CASES),
        threads=arguments.threads,
        quick=arguments.quick,
        data=arguments.data,
        shapes=arguments.shapes,
    )
    report = _report(setting)
    for name in arguments.work or WORKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        report.sections.extend(WORKS[name](setting))
        paths = report.write(arguments.output)  # what is done is there if the rest is interrupted
    print(report.markdown())
    print("written to " + " and ".join(str(path) for path in paths), file=sys.stderr)


if __name__ == "__main__":
    main()
