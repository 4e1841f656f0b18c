"""Whole-process figures: import, command line, first training step with a cold and a warm cache, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SETUP = """
import numpy as np
random = np.random.default_rng(0)
x = random.uniform(0.05, 1.0, (1280, 1, 28, 28)).astype(np.float32)
y = random.integers(10, size=1280)
"""

_SCANWISE = (
    _SETUP
    + """
import scanwise as sw
from scanwise import models
model = sw.Model(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28), seed=0)
sw.fit(model, x[:SAMPLES], y[:SAMPLES], epochs=EPOCHS, batch_size=128, progress=False)
"""
)

_PYTORCH = (
    _SETUP
    + """
import torch
from torch import nn
torch.set_num_threads(THREADS)
net = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
xt, yt = torch.from_numpy(x[:SAMPLES]), torch.from_numpy(y[:SAMPLES])
for _ in range(EPOCHS):
    for i in range(0, len(xt), 128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(xt[i : i + 128]), yt[i : i + 128]).backward()
        optimizer.step()
"""
)

# Linux's VmHWM is of this program alone; ru_maxrss there also counts the process that started it.
_PEAK = """
import pathlib, resource, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    lines = status.read_text().splitlines()
    kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
else:
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
print(kibibytes / 1024)
"""


def _run(code: str, cache: str, threads: int = 1) -> tuple[float, str]:
    environment = {**os.environ, "SCANWISE_CACHE": cache, "SCANWISE_THREADS": str(threads)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - started, done.stdout


def _filled(code: str, threads: int, samples: int, epochs: int) -> str:
    for name, value in (("THREADS", threads), ("SAMPLES", samples), ("EPOCHS", epochs)):
        code = code.replace(name, str(value))
    return code


def figures(threads: int, *, repeats: int = 5) -> dict[str, float]:
    """Name with unit to value. Seconds are of whole processes; the Python start is in them unless they say "over"."""
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        return {
            **_imports(folder, repeats),
            **_first_step(folder, threads, repeats),
            **_memory(folder, threads),
        }


def _imports(cache: str, repeats: int) -> dict[str, float]:
    command = "import sys; sys.argv = ['scanwise', '--help']; from scanwise.cli import main; main()"
    codes = {
        "numpy": "import numpy",
        "scanwise": "import numpy, scanwise",
        "torch": "import numpy, torch",
        "help": command,
    }
    taken: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(repeats + 1):  # the first round only brings the files into memory
        for name, code in codes.items():
            taken[name].append(_run(code, cache)[0])
    median = {name: statistics.median(values[1:]) for name, values in taken.items()}
    return {
        "import scanwise over NumPy (s)": median["scanwise"] - median["numpy"],
        "import torch over NumPy (s)": median["torch"] - median["numpy"],
        "scanwise --help (s)": median["help"],
    }


def _first_step(folder: str, threads: int, repeats: int) -> dict[str, float]:
    ours, theirs = (_filled(code, threads, 128, 1) for code in (_SCANWISE, _PYTORCH))
    caches = [str(Path(folder, f"cold{turn}")) for turn in range(2)]
    cold = [_run(ours, cache, threads)[0] for cache in caches]
    warm = [_run(ours, caches[0], threads)[0] for _ in range(repeats)]
    pytorch = [_run(theirs, folder, threads)[0] for _ in range(repeats)]
    return {
        "process with one LeNet-5 step, cold cache (s)": min(cold),
        "process with one LeNet-5 step, warm cache (s)": statistics.median(warm),
        "process with one LeNet-5 step, PyTorch (s)": statistics.median(pytorch),
    }


def _memory(folder: str, threads: int) -> dict[str, float]:
    codes = {"Scanwise": _SCANWISE, "PyTorch": _PYTORCH}
    return {
        f"peak memory of a process that trains LeNet-5, {name} (MiB)": float(
            _run(_filled(code, threads, 1280, 3) + _PEAK, folder, threads)[1]
        )
        for name, code in codes.items()
    }
