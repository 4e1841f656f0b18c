"""Contract 5: memory grows with neither the data set nor the signal; mapped files are read as needed."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise.data import open_signal

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


class Made(Sequence[NDArray[np.float32]]):
    """Noise of unequal length, made when it is asked for: all together it is larger than what a training may take."""

    def __len__(self) -> int:
        return 64

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.float32]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if isinstance(index, slice):
            return [self[i] for i in range(64)[index]]
        number = range(64)[index]
        return np.full((1, 500_000 + 5000 * number), number % 3, np.float32)


def test_training_on_signals_of_unequal_length() -> None:
    network = sw.Sequential(sw.Conv1d(4, 64, stride=32), sw.ReLU(), sw.Aggregate("max"), sw.Linear(2))
    model, x = sw.Model(network, (1, 4096)), Made()
    y = np.arange(len(x)) % 2
    sw.fit(model, x[:2], y[:2], epochs=1)  # compiles
    peak = peak_of(lambda: sw.fit(model, x, y, epochs=1, batch_size=64, validation_data=0.25))
    assert sum(each.nbytes for each in x) > 150 * MIB
    assert peak < 60 * MIB


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


# A process of its own: what it held at most is all that it held, the pages of mapped files included.
_PEAK = """
import sys
import numpy as np
import scanwise as sw
from scanwise.data import open_signal

path, window, step = sys.argv[1], tuple(map(int, sys.argv[2].split("x"))), int(sys.argv[3])
convolution = sw.Conv1d(4, 400, stride=200) if len(window) == 1 else sw.Conv2d(4, 16, stride=16)
model = sw.Model(sw.Sequential(convolution, sw.Aggregate("max"), sw.Linear(1)), (1, *window))
model.parameters["2.bias"] = [-9.0]
rate = 16000 if path.endswith(".wav") else None
signal = open_signal(path, input_shape=model.input_shape, sample_rate=rate)
found = sw.detect(model, signal, step=step, edge="extend")
assert found.coverage.extent == tuple(map(int, sys.argv[4].split("x"))), found.coverage
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def peak_of_process(path: Path, window: str, step: int, extent: str) -> int:
    """Bytes that a process held at most that looks for something in the file."""
    command = [sys.executable, "-c", _PEAK, str(path), window, str(step), extent]
    run = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert run.returncode == 0, run.stderr
    return 1024 * int(run.stdout)


def silence(path: Path, samples: int, rate: int) -> Path:
    """A WAV file of 16-bit zeros, which take no room on disk."""
    head = b"RIFF%sWAVEfmt %sdata%s"
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    path.write_bytes(head % (struct.pack("<I", 36 + 2 * samples), form, struct.pack("<I", 2 * samples)))
    os.truncate(path, 44 + 2 * samples)
    return path


# A limit on what a process may hold for itself: its heap, its stacks, its private maps; mapped files may be larger.
_LIMITED = """
import resource, sys
import numpy as np
import scanwise as sw
from scanwise.augment import Shift

held = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmData:"))
limit = 1024 * int(held) + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
x = np.load(sys.argv[1], mmap_mode="r")
try:
    np.array(x)
except MemoryError:
    pass
else:
    raise SystemExit("the limit is none")
network = sw.Sequential(sw.Conv2d(4, 16, stride=16), sw.ReLU(), sw.Flatten(), sw.Linear(2))
model = sw.Model(network, x.shape[1:])
history = sw.fit(model, x, np.arange(len(x)) % 2, epochs=2, validation_data=0.1, augment=Shift(3))
print(len(history), all(np.isfinite(epoch["validation_loss"]) for epoch in history))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how large a process was at most")
class TestWholeProcess:
    def test_training_data_larger_than_memory(self, tmp_path: Path) -> None:
        x = mapped(tmp_path / "x.npy", (9_000, 1, 256, 256), np.uint8)
        room = 200 * MIB
        assert x.nbytes > 2 * room
        command = [sys.executable, "-c", _LIMITED, str(tmp_path / "x.npy"), str(room)]
        run = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
        assert (run.returncode, run.stdout) == (0, "2 True\n"), run.stderr

    def test_a_day_of_audio(self, tmp_path: Path) -> None:
        samples = 24 * 3600 * 16000
        path = silence(tmp_path / "day.wav", samples, 16000)
        assert peak_of_process(path, "16000", 64000, str(samples)) < 300 * MIB

    def test_a_mapped_image(self, tmp_path: Path) -> None:
        mapped(tmp_path / "image.npy", (40_000, 40_000), np.uint8)
        assert peak_of_process(tmp_path / "image.npy", "256x256", 512, "40000x40000") < 300 * MIB

    def test_a_tiled_image(self, tmp_path: Path) -> None:
        import tifffile

        tifffile.imwrite(
            tmp_path / "image.tif",
            shape=(40_000, 40_000),
            dtype=np.uint8,
            tile=(512, 512),
            photometric="minisblack",
        )
        assert peak_of_process(tmp_path / "image.tif", "256x256", 1024, "40000x40000") < 400 * MIB


def test_resampled_audio_in_blocks(tmp_path: Path) -> None:
    model = sw.Model(
        sw.Sequential(sw.Conv1d(2, 400, stride=400), sw.Aggregate("max"), sw.Linear(1)), (1, 8000)
    )
    model.parameters["2.bias"] = np.array([-9.0])
    path = silence(tmp_path / "hours.wav", 2 * 3600 * 11025, 11025)
    signal = open_signal(path, input_shape=(1, 8000), sample_rate=8000)
    sw.detect(model, signal, step=8000)  # compiles
    assert peak_of(lambda: sw.detect(model, signal, step=8000)) < 64 * MIB


@pytest.mark.parametrize("out", ["scores.npy", "scores.zarr"])
def test_scores_on_disk(out: str, tmp_path: Path) -> None:
    model = sw.Model(sw.Sequential(sw.Conv1d(40, 256, stride=64), sw.Aggregate("max")), (1, 1024))

    def chunks(samples: int) -> Iterator[NDArray[np.float32]]:
        for _ in range(samples >> 16):
            yield np.zeros((1, 1 << 16), np.float32)

    sw.scan(model, chunks(1 << 20), step=64, out=tmp_path / out)  # compiles
    scores = 0

    def work() -> None:
        nonlocal scores
        scores = sw.scan(model, chunks(1 << 24), step=64, out=tmp_path / out).scores.nbytes

    peak = peak_of(work)
    assert scores > 39 * MIB
    assert peak < 32 * MIB
