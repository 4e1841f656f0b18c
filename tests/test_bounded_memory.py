"""Contract 5: memory grows with neither the data set nor the signal; mapped files are read as needed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw

MIB = 1 << 20


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that Python and NumPy, and with them the engine's arenas, held at most during `work`."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def mapped(path: Path, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    """An array of zeros on disk, where it takes no room."""
    np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).flush()
    array: NDArray[np.generic] = np.load(path, mmap_mode="r")
    return array


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_training_on_a_mapped_file(dtype: type, tmp_path: Path) -> None:
    model = sw.Model(
        sw.Sequential(sw.Conv2d(4, 5, stride=4), sw.ReLU(), sw.Flatten(), sw.Linear(2)), (1, 64, 64)
    )
    x = mapped(tmp_path / "x.npy", (20_000, 1, 64, 64), dtype)
    y = np.arange(len(x)) % 2
    sw.fit(model, x[:256], y[:256], epochs=1)  # compiles
    peak = peak_of(lambda: sw.fit(model, x, y, epochs=1, validation_data=0.1))
    assert x.nbytes > 78 * MIB
    assert peak < 40 * MIB


@pytest.mark.parametrize("padding", [0, "same"], ids=["shared", "windows"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_scanning_a_mapped_file(dtype: type, padding: int | str, tmp_path: Path) -> None:
    network = sw.Sequential(
        sw.Conv1d(2, 16, padding=padding), sw.AvgPool1d(256), sw.Aggregate("max"), sw.Linear(1)
    )
    model = sw.Model(network, (1, 1024))
    signal = mapped(tmp_path / "signal.npy", (1, 50_000_000), dtype)
    sw.scan(model, signal[:, : 1 << 21], step=256)  # compiles
    peak = peak_of(lambda: sw.scan(model, signal, step=256))
    assert signal.nbytes > 95 * MIB
    assert peak < 64 * MIB
