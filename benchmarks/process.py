"""Whole-process figures: import, command line, first training step with a cold and a warm cache, peak memory."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks import children, installed

_SETUP = """
import numpy as np
random = np.random.default_rng(0)
x = random.random((SAMPLES, 1, 28, 28), np.float32)
y = random.integers(10, size=SAMPLES)
"""

_SCANWISE = (
    _SETUP
    + """
import scanwise as sw
from scanwise import models
model = sw.Model(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28), seed=0)
sw.fit(model, x, y, epochs=EPOCHS, batch_size=BATCH, progress=False)
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
xt, yt = torch.from_numpy(x), torch.from_numpy(y)
for _ in range(EPOCHS):
    for i in range(0, len(xt), BATCH):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(xt[i : i + BATCH]), yt[i : i + BATCH]).backward()
        optimizer.step()
"""
)

# What a batch of 4096 digits may add to one of 64: its own samples as float32, and targets.
_BATCHES = (64, 4096)
_MORE = "peak memory, batches of 4096 over batches of 64, LeNet-5 (MiB)"
AT_MOST = {
    "import scanwise over NumPy (s)": 0.1,
    "process with one LeNet-5 step, cold cache (s)": 1.5,
    "process with one LeNet-5 step, warm cache (s)": 0.4,
    _MORE: (_BATCHES[1] - _BATCHES[0]) * (784 + 1) * 4 / (1 << 20),
    **installed.AT_MOST,
}


def _run(code: str, cache: str, threads: int = 1) -> tuple[float, str]:
    return children.run(["-c", code], cache, threads)


_PEAK = "from benchmarks.children import peak; print(peak())"


def _filled(code: str, threads: int, samples: int, epochs: int, batch: int = 128) -> str:
    values = (("THREADS", threads), ("SAMPLES", samples), ("EPOCHS", epochs), ("BATCH", batch))
    for name, value in values:
        code = code.replace(name, str(value))
    return code


def figures(threads: int, *, repeats: int = 5) -> dict[str, float]:
    """Name with unit to value. Seconds are of whole processes; the Python start is in them unless they say "over"."""
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        return {
            **_imports(folder, repeats),
            **_first_step(folder, threads, repeats),
            **_memory(folder, threads),
            **installed.figures(),
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
    def peak(code: str, batch: int) -> float:
        filled = _filled(code, threads, 2 * _BATCHES[1], 2, batch) + _PEAK
        _run(filled, folder, threads)  # compiles, which takes memory of its own
        return float(_run(filled, folder, threads)[1])

    small, large = (peak(_SCANWISE, batch) for batch in _BATCHES)
    return {
        "peak memory of a process that trains LeNet-5, Scanwise (MiB)": small,
        "peak memory of a process that trains LeNet-5, PyTorch (MiB)": peak(_PYTORCH, _BATCHES[0]),
        _MORE: large - small,
    }
