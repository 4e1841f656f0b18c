"""Compiled kernels on disk: private to the user, checked on reading, bounded, safe for several processes.

The schedules that timing has found lie beside them (see `choices`).

A file is named by a hash of everything that decides its contents (kernel, target, the sources of the code generator,
llvmlite's version) and holds a digest of the object followed by the object. A damaged file is treated as absent. A
file is written beside its place and renamed, so that two processes that fill the cache at once both win.
"""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import llvmlite

from scanwise.codegen.target import Target

__all__ = ["directory", "key", "read", "read_file", "write", "write_file"]

MAGIC = b"scanwise-object-1\n"
# A network takes 20 to 40 kernels of 5 to 20 kB; this holds some hundred networks.
LIMIT_BYTES = 256 * 1024 * 1024
_DIGEST = 32
_UNFINISHED = ".new-"  # begins the names of files that are being written


@functools.cache
def _default_directory() -> Path | None:
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "scanwise"


def directory() -> Path | None:
    """Where objects are kept: `SCANWISE_CACHE` if set (empty turns the cache off), else the user's cache folder."""
    chosen = os.environ.get("SCANWISE_CACHE")
    if chosen is not None:
        return Path(chosen) if chosen else None
    try:
        return _default_directory()
    except RuntimeError:  # no home folder can be told
        return None


@functools.cache
def _generator_digest() -> str:
    """Hash of the sources that write kernels: a changed source never meets an old object."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for folder in ("codegen", "kernels", "plan"):
        for path in sorted((package / folder).glob("*.py")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    digest.update(f"{llvmlite.__version__} {sys.platform}".encode())
    return digest.hexdigest()


def key(kernel: object, target: Target) -> str:
    """The name of the kernel's function and file."""
    text = f"{type(kernel).__module__}.{kernel!r}|{target!r}|{_generator_digest()}"
    return "k" + hashlib.sha256(text.encode()).hexdigest()[:40]


def read(name: str) -> bytes | None:
    """The object kept under `name`, or None if there is none that can be trusted."""
    content = read_file(f"{name}.o")
    if content is None:
        return None
    head = len(MAGIC) + _DIGEST
    code = content[head:]
    if content[: len(MAGIC)] != MAGIC or hashlib.sha256(code).digest() != content[len(MAGIC) : head]:
        return None
    return code


def write(name: str, code: bytes) -> None:
    """Keep the object. A cache that cannot be written costs time only, so every failure is silent."""
    write_file(f"{name}.o", MAGIC + hashlib.sha256(code).digest() + code)


def read_file(name: str) -> bytes | None:
    """What the cache folder holds under this file name, if only this user can have put it there."""
    folder = directory()
    if folder is None:
        return None
    path = folder / name
    try:
        if not _is_private(folder):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # what was used last is removed last
    return content


def write_file(name: str, content: bytes) -> None:
    """Put a whole file into the cache folder, or none."""
    folder = directory()
    if folder is None:
        return
    temporary: str | None = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder):
            return
        handle, temporary = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, folder / name)
        temporary = None
        _trim_now_and_then(folder, len(content))
    except OSError:
        return
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _is_private(folder: Path) -> bool:
    """Whether only this user can put files there: machine code is run from it."""
    if sys.platform == "win32":
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


_written: dict[Path, int] = {}  # bytes since this process last looked at the whole folder


def _trim_now_and_then(folder: Path, size: int) -> None:
    """Look at the whole folder at this process's first write, and then whenever it has added a part of the limit: with
    some thousand objects a look takes as long as compiling one.
    """
    written = _written.get(folder)
    if written is None or written + size > LIMIT_BYTES // 32:
        _trim(folder)
        written = 0
    _written[folder] = written + size


def _trim(folder: Path) -> None:
    """Remove the objects used longest ago, and what killed processes left, once the folder is over its limit."""
    files = []
    for path in (*folder.glob("*.o"), *folder.glob(f"{_UNFINISHED}*")):
        with contextlib.suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT_BYTES:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
