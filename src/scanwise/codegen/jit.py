"""Kernel specification -> machine code in this process, through the object cache on disk.

LLVM's library is imported where something is compiled: a process that finds all objects in the cache does without it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from llvmlite import ir

from scanwise.codegen import cache
from scanwise.codegen.emitter import Emitter
from scanwise.codegen.loader import load
from scanwise.codegen.target import Target, host_target

if TYPE_CHECKING:
    import llvmlite.binding as llvm

__all__ = ["Kernel", "NotKeptError", "address", "addresses", "assembly", "compile_object", "kept_only"]


class Kernel(Protocol):
    """What a native function computes, with every size in it: a frozen dataclass whose repr names it uniquely."""

    @property
    def pointers(self) -> int:
        """Number of float pointers that the function takes (an i64 follows them)."""
        ...

    def emit(self, e: Emitter) -> None:
        """Write the function's body."""
        ...


class NotKeptError(Exception):
    """A kernel would have to be compiled, within `kept_only`."""


class _Rule(threading.local):
    kept_only = False


_rule = _Rule()
_lock = threading.RLock()
_addresses: dict[tuple[Target, Kernel], int] = {}  # of the machine code that this process has loaded


def address(kernel: Kernel, target: Target | None = None) -> int:
    """The address of the compiled kernel: from this process, else from the disk cache, else compiled now."""
    return addresses([kernel], target)[0]


def addresses(kernels: Sequence[Kernel], target: Target | None = None) -> list[int]:
    """The addresses of several kernels, which are compiled together if they have to be."""
    target = target or host_target()
    with _lock:
        missing = [k for k in dict.fromkeys(kernels) if (target, k) not in _addresses]
        if missing:
            names = {cache.key(kernel, target): kernel for kernel in missing}
            for name, found in load(_objects(names, target)).items():
                _addresses[target, names[name]] = found
        return [_addresses[target, kernel] for kernel in kernels]


@contextmanager
def kept_only() -> Iterator[None]:
    """Within it this thread compiles nothing: where a kernel is not in the cache, `NotKeptError` is raised."""
    before, _rule.kept_only = _rule.kept_only, True
    try:
        yield
    finally:
        _rule.kept_only = before


def _objects(names: Mapping[str, Kernel], target: Target) -> dict[str, bytes]:
    """The objects of kernels, by name: from the cache, else compiled now."""
    kept = {name: cache.read(name) for name in names}
    absent = [name for name, code in kept.items() if code is None]
    if absent and _rule.kept_only:
        raise NotKeptError
    for name, code in zip(absent, _compiled([(names[n], target, n) for n in absent]), strict=True):
        kept[name] = code
        cache.write(name, code)
    return {name: code for name, code in kept.items() if code is not None}


def _compiled(wanted: Sequence[tuple[Kernel, Target, str]]) -> Iterator[bytes]:
    """The objects, in order. One thread writes a kernel's representation, in Python, while LLVM works on another one:
    llvmlite lets one thread at a time into LLVM, so that a third thread would only wait.
    """
    if len(wanted) < 2:
        yield from (compile_object(*each) for each in wanted)
        return
    from concurrent.futures import ThreadPoolExecutor  # most processes find all objects in the cache

    pool = ThreadPoolExecutor(2, thread_name_prefix="scanwise-compile")
    try:
        yield from pool.map(lambda each: compile_object(*each), wanted)
    finally:
        pool.shutdown(cancel_futures=True)


def compile_object(kernel: Kernel, target: Target, name: str) -> bytes:
    """The object file of the kernel, with one function `name`."""
    module, machine = _optimised(kernel, target, name)
    return bytes(machine.emit_object(module))


def assembly(kernel: Kernel, target: Target | None = None) -> str:
    """The kernel's machine code as text, for reading and for tests."""
    module, machine = _optimised(kernel, target or host_target(), "kernel")
    return str(machine.emit_assembly(module))


def build(kernel: Kernel, target: Target, name: str) -> ir.Module:
    """The kernel's intermediate representation before optimisation."""
    module = ir.Module(name=name)
    module.triple = _triple(target)
    e = Emitter(module, name, kernel.pointers, target)
    kernel.emit(e)
    e.finish()
    return module


def _optimised(kernel: Kernel, target: Target, name: str) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    import llvmlite.binding as llvm

    machine = _machine(target)
    module = llvm.parse_assembly(str(build(kernel, target, name)))
    # Vectors are explicit, so LLVM's own vectorisers would only cost time; they are also the passes that regroup. A
    # module has one function, and loops are written as they shall be: the short list for functions is enough
    # (docs/decisions/0016-a-process-starts-fast.md).
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getFunctionPassManager().run(module.get_function(name), builder)
    return module, machine


def _machine(target: Target) -> llvm.TargetMachine:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = llvm.Target.from_triple(_triple(target))
    # Static and large: 64-bit absolute addresses of constants, wherever the loader puts them. (Position-independent
    # code in the large model goes through an offset table that LLVM's loader resolves wrongly with several objects.)
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="static", codemodel="large"
    )


def _triple(target: Target) -> str:
    import llvmlite.binding as llvm

    default = llvm.get_default_triple()
    native_arm = default.startswith(("aarch64", "arm64"))
    if (target.name == "neon") == native_arm:
        return str(default)
    return "aarch64-unknown-linux-gnu" if target.name == "neon" else "x86_64-unknown-linux-gnu"
