"""Processes that are measured: how they are started, and what they say of their own memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path


def run(arguments: list[str], cache: str, threads: int) -> tuple[float, str]:
    """Seconds from the start to the end of a Python process, and what it printed.

    Args:
        arguments: of Python.
        cache: folder for compiled kernels.
        threads: for the engine and for NumPy's matrix products.
    """
    environment = {
        **os.environ,
        "SCANWISE_CACHE": cache,
        "SCANWISE_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
    }
    # An installed package has its bytecode beside it.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - started, done.stdout


def peak() -> float:
    """The most memory that this process has had, in MiB.

    Linux's VmHWM is of this program alone; ru_maxrss there also counts the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)
