"""Loading objects: our own loader and LLVM's give the same functions, and what ours does not know goes to LLVM's."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scanwise.codegen import cache, jit, loader
from scanwise.codegen.emitter import Emitter, Index
from scanwise.codegen.target import AVX2, AVX512, GENERIC, NEON, TARGETS, Target, host_target
from tests.kernels.harness import host_targets

if sys.platform == "linux":
    from scanwise.codegen import elf

ours = pytest.mark.skipif(
    sys.platform != "linux" or host_target() is NEON, reason="our loader is for x86-64 Linux"
)
LANES = 16


@dataclass(frozen=True)
class Affine:
    """y = x * factors + 0.1, sixteen at a time. The factors are a table, so that the object has constants."""

    factor: float
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments
        factors = e.builder.bitcast(
            e.integers([_bits(self.factor + lane) for lane in range(LANES)]), e.constant(0.0, LANES).type
        )

        def element(i: Index) -> None:
            at = e.mul(i, LANES)
            e.store(e.fma(e.load(x, at, LANES), factors, e.constant(0.1, LANES)), y, at)

        e.loop(e.n, element)


def _bits(value: float) -> int:
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)


def objects_for(kernels: list[Affine], target: Target) -> dict[str, bytes]:
    return {(name := cache.key(k, target)): jit.compile_object(k, target, name) for k in kernels}


def run(address: int) -> NDArray[np.float32]:
    x, y = np.arange(2 * LANES, dtype=np.float32), np.zeros(2 * LANES, np.float32)
    native = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    native(address)(x.ctypes.data, y.ctypes.data, 2)
    return y


@ours
@pytest.mark.parametrize("target", host_targets(), ids=lambda target: target.name)
def test_both_loaders_give_the_same_functions(target: Target) -> None:
    kernels = [Affine(2.0 + number) for number in range(5)]
    objects = objects_for(kernels, target)
    mine, llvms = elf.load(objects), loader.load_with_llvm(objects)
    assert list(mine) == list(llvms) == list(objects)
    for kernel, name in zip(kernels, objects, strict=True):
        found = run(mine[name])
        np.testing.assert_array_equal(found, run(llvms[name]))
        np.testing.assert_allclose(found[LANES + 1], (LANES + 1) * (kernel.factor + 1) + 0.1, rtol=1e-6)


@ours
def test_the_code_cannot_be_written_to() -> None:
    (address,) = elf.load(objects_for([Affine(20.0)], host_target())).values()
    lines = [line.split() for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()]
    ranges = [([int(part, 16) for part in words[0].split("-")], words[1]) for words in lines]
    assert [rights for (low, high), rights in ranges if low <= address < high] == ["r-xp"]


def _with_word(content: bytes, at: int, form: str, value: int) -> bytes:
    return content[:at] + struct.pack(form, value) + content[at + struct.calcsize(form) :]


def _relocation_type(content: bytes) -> bytes:
    """Another type for the first relocation."""
    start, size, count = struct.unpack_from("<40xQ10xHH", content)
    for index in range(count):
        header = struct.unpack_from("<IIQQQQIIQQ", content, start + index * size)
        if header[1] == 4:
            return _with_word(content, header[4] + 8, "<I", 2)
    raise AssertionError("the object has no relocations")


UNKNOWN = {
    "no object": lambda content: b"something else" * 10,
    "an empty one": lambda content: b"",
    "another processor": lambda content: _with_word(content, 18, "<H", 183),
    "a program": lambda content: _with_word(content, 16, "<H", 2),
    "cut off": lambda content: content[:300],
    "another relocation": _relocation_type,
}


@ours
@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_our_loader_does_not_know_it_refuses(kind: str) -> None:
    ((name, content),) = objects_for([Affine(30.0)], host_target()).items()
    with pytest.raises(elf.UnsupportedError):
        elf.load({name: UNKNOWN[kind](content)})


@ours
def test_a_function_that_is_not_there_is_refused() -> None:
    ((_, content),) = objects_for([Affine(31.0)], host_target()).items()
    with pytest.raises(elf.UnsupportedError, match="no function"):
        elf.load({"other": content})


@ours
def test_what_ours_refuses_llvm_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(objects: object) -> dict[str, int]:
        raise elf.UnsupportedError("of no kind that is known")

    monkeypatch.setattr(elf, "load", refuse)
    kernel = Affine(40.0)
    expected = np.arange(2 * LANES) * (40.0 + np.arange(2 * LANES) % LANES) + 0.1
    np.testing.assert_allclose(run(jit.address(kernel)), expected, rtol=1e-6)


def test_the_host_is_what_llvm_says() -> None:
    import llvmlite.binding as llvm

    if llvm.get_default_triple().startswith(("aarch64", "arm64")):
        assert host_target() is NEON
        return
    there = {name for name, has in llvm.get_host_cpu_features().items() if has}
    wide = {"avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd", "fma"}
    assert host_target() is (AVX512 if there >= wide else AVX2 if there >= {"avx2", "fma"} else GENERIC)


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_every_target_can_be_compiled_for(target: Target) -> None:
    assert len(jit.compile_object(Affine(50.0), target, "affine")) > 0


def test_several_threads_compile_at_once() -> None:
    """All get the same address for the same kernel, and functions that work."""
    kernels = [Affine(60.0 + number) for number in range(6)]
    found: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: found.append(jit.addresses([*kernels, *kernels]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(each == found[0] for each in found)
    assert found[0][:6] == found[0][6:]
    for kernel, address in zip(kernels, found[0], strict=False):
        assert run(address)[LANES] == np.float32(LANES * kernel.factor + np.float64(np.float32(0.1)))


PROCESS = """
import sys
sys.path[:0] = {path!r}
import numpy as np
import scanwise as sw
from scanwise import models
random = np.random.default_rng(0)
x, y = random.random((64, 1, 12, 12), np.float32), random.integers(3, size=64)
net = sw.Sequential(sw.Conv2d(4, 3), sw.ReLU(), sw.MaxPool2d(2), sw.Flatten(), sw.Linear(3))
model = sw.Model(net, (1, 12, 12), seed=0)
sw.fit(model, x, y, epochs=2, batch_size=16, progress=False)
print(b"".join(value.tobytes() for value in model.parameters.values()).hex()[:400])
print("llvmlite.binding" in sys.modules)
"""


def test_a_cold_and_a_warm_process_give_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANWISE_CACHE", f"{tmp_path}/cache")
    command = [sys.executable, "-c", PROCESS.format(path=sys.path)]
    outputs = [
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout.split()
        for _ in range(2)
    ]
    (cold, compiled), (warm, compiled_again) = outputs
    assert cold == warm
    assert compiled == "True"
    if sys.platform == "linux" and host_target() is not NEON:
        assert compiled_again == "False"  # nothing of LLVM is needed once the kernels are in the cache
