"""The object cache: only what can be trusted is used, and whatever goes wrong there costs time only."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from scanwise.codegen import cache, jit
from scanwise.codegen.emitter import Emitter, Index
from scanwise.codegen.target import AVX2, AVX512, GENERIC, host_target

posix = pytest.mark.skipif(sys.platform == "win32", reason="folder permissions as POSIX has them")


@dataclass(frozen=True)
class Scale:
    """y = factor x. Arguments: x, y. Every test takes a factor of its own, since a process keeps what it compiled."""

    factor: float
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        x, y = e.arguments

        def element(i: Index) -> None:
            e.store(e.builder.fmul(e.load(x, i, 1), e.constant(self.factor, 1)), y, i)

        e.loop(e.n, element)


def run(kernel: Scale) -> float:
    """The kernel of 3."""
    x, y = np.array([3], np.float32), np.zeros(1, np.float32)
    native = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    native(jit.address(kernel))(x.ctypes.data, y.ctypes.data, 1)
    return float(y[0])


def object_of(kernel: Scale) -> tuple[str, bytes]:
    name = cache.key(kernel, host_target())
    return name, jit.compile_object(kernel, host_target(), name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, which does not exist yet."""
    chosen = tmp_path / "cache"
    monkeypatch.setenv("SCANWISE_CACHE", str(chosen))
    return chosen


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes any compilation from now on fail."""

    def refuse(*_: object) -> bytes:
        raise AssertionError("compiled, though the object is in the cache")

    return lambda: monkeypatch.setattr(jit, "compile_object", refuse)


def test_a_compiled_kernel_is_found_again(folder: Path, no_compiler: Callable[[], None]) -> None:
    name, code = object_of(Scale(2.0))
    cache.write(name, code)
    assert cache.read(name) == code
    no_compiler()
    assert run(Scale(2.0)) == 6.0


def test_compiling_fills_the_cache(folder: Path) -> None:
    assert run(Scale(2.25)) == 6.75
    name = cache.key(Scale(2.25), host_target())
    assert [path.name for path in folder.iterdir()] == [f"{name}.o"]
    assert cache.read(name) is not None


@posix
def test_the_folder_is_the_users_alone(folder: Path) -> None:
    cache.write("k", b"code")
    assert folder.stat().st_mode & 0o077 == 0


def damage_last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a changed byte": damage_last_byte,
    "a changed digest": lambda content: content[:20] + b"\0\0\0\0" + content[24:],
    "cut off": lambda content: content[: len(content) // 2],
    "cut off in the head": lambda content: content[:10],
    "empty": lambda content: b"",
    "something else": lambda content: b"not an object at all",
    "another format": lambda content: b"scanwise-object-9\n" + content[18:],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_object_is_rebuilt_in_silence(folder: Path, kind: str) -> None:
    kernel = Scale(3.0 + list(DAMAGE).index(kind) / 16)
    name, code = object_of(kernel)
    cache.write(name, code)
    path = folder / f"{name}.o"
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    assert cache.read(name) is None
    assert run(kernel) == 3 * kernel.factor
    assert cache.read(name) is not None


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(folder: Path, mode: int) -> None:
    """Machine code from there would be anyone's."""
    cache.write("kept", b"code")
    folder.chmod(mode)
    assert cache.read("kept") is None
    cache.write("more", b"code")
    assert not (folder / "more.o").exists()
    kernel = Scale(4.0 + mode / 1024)
    assert run(kernel) == 3 * kernel.factor


def test_the_cache_does_not_grow_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT_BYTES", 10_000)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    killed = folder / ".new-killed"  # by a process that did not come to the end of its write
    killed.write_bytes(bytes(5000))
    os.utime(killed, (999_999, 999_999))
    for number in range(20):
        cache.write(f"k{number}", bytes(1000))
        moment = 1_000_000 + number
        os.utime(folder / f"k{number}.o", (moment, moment))
        if number >= 5:
            assert cache.read("k0") is not None  # what was used last is removed last
    kept = {path.name for path in folder.iterdir()}
    assert sum((folder / name).stat().st_size for name in kept) <= 10_000
    assert killed.name not in kept
    assert "k0.o" in kept
    assert "k19.o" in kept
    assert "k1.o" not in kept


def test_an_empty_setting_turns_the_cache_off(monkeypatch: pytest.MonkeyPatch, in_tmp_path: Path) -> None:
    monkeypatch.setenv("SCANWISE_CACHE", "")
    assert cache.directory() is None
    assert run(Scale(5.0)) == 15.0
    assert cache.read(cache.key(Scale(5.0), host_target())) is None
    assert not list(in_tmp_path.iterdir())


def test_without_a_setting_it_is_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SCANWISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    cache._default_directory.cache_clear()
    try:
        found = cache.directory()
    finally:
        cache._default_directory.cache_clear()
    assert found is not None
    assert found.name == "scanwise"
    if sys.platform != "darwin":
        assert found.parent == tmp_path


def test_a_folder_that_cannot_be_written_costs_nothing(folder: Path) -> None:
    folder.write_text("a file is in the way")
    assert run(Scale(6.0)) == 18.0
    assert folder.read_text() == "a file is in the way"


@posix
def test_a_read_only_folder_is_still_read(folder: Path, no_compiler: Callable[[], None]) -> None:
    name, code = object_of(Scale(6.5))
    cache.write(name, code)
    folder.chmod(0o500)
    try:
        cache.write("more", b"code")  # says nothing
        no_compiler()
        assert run(Scale(6.5)) == 19.5
    finally:
        folder.chmod(0o700)


def test_a_failed_write_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write("first", b"code")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write("second", b"code")
    assert [path.name for path in folder.iterdir()] == ["first.o"]


PROCESS = """
import sys
sys.path[:0] = {path!r}
from tests.codegen.test_cache import Scale, run
sys.stdin.readline()
assert [run(Scale(number / 4)) for number in range(1, 9)] == [3 * number / 4 for number in range(1, 9)]
"""


def test_two_processes_fill_it_at_once(folder: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", PROCESS.format(path=[root, *sys.path])]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:  # both are told to go when both are there
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(list(folder.glob("k*.o"))) == 8
    assert len(list(folder.iterdir())) == 8
    for path in folder.iterdir():
        assert cache.read(path.stem) is not None


def test_kernels_and_targets_have_different_names() -> None:
    names = {cache.key(Scale(f), t) for f in (7.0, 7.5) for t in (AVX512, AVX2, GENERIC)}
    assert len(names) == 6


def test_compiling_twice_gives_the_same_object() -> None:
    assert object_of(Scale(8.0)) == object_of(Scale(8.0))
