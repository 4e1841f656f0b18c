"""Kernel specification -> machine code in this process, through the object cache on disk."""

import threading
from dataclasses import dataclass
from typing import Protocol

import llvmlite.binding as llvm
from llvmlite import ir

from scanwise.codegen import cache
from scanwise.codegen.emitter import Emitter
from scanwise.codegen.target import Target, host_target
from scanwise.errors import EngineError

__all__ = ["Kernel", "address", "assembly", "compile_object"]


class Kernel(Protocol):
    """What a native function computes, with every size in it: a frozen dataclass whose repr names it uniquely."""

    @property
    def pointers(self) -> int:
        """Number of float pointers that the function takes (an i64 follows them)."""
        ...

    def emit(self, e: Emitter) -> None:
        """Write the function's body."""
        ...


@dataclass
class _Session:
    """The machine code that this process has loaded."""

    engine: llvm.ExecutionEngine
    addresses: dict[tuple[Target, Kernel], int]


_lock = threading.RLock()
_session: _Session | None = None


def address(kernel: Kernel, target: Target | None = None) -> int:
    """The address of the compiled kernel: from this process, else from the disk cache, else compiled now."""
    target = target or host_target()
    key = (target, kernel)
    with _lock:
        session = _open_session()
        known = session.addresses.get(key)
        if known is not None:
            return known
        name = cache.key(kernel, target)
        code = cache.read(name)
        if code is None:
            code = compile_object(kernel, target, name)
            cache.write(name, code)
        try:
            loaded = llvm.ObjectFileRef.from_data(code)
            session.engine.add_object_file(loaded)
            session.engine.finalize_object()
            found = int(session.engine.get_function_address(name))
        except RuntimeError as error:
            raise EngineError(f"the compiled kernel {kernel!r} could not be loaded: {error}") from error
        if found == 0:
            raise EngineError(f"the compiled kernel {kernel!r} could not be loaded.")
        session.addresses[key] = found
        return found


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
    _initialise()
    module = llvm.parse_assembly(str(build(kernel, target, name)))
    machine = _machine(target)
    # Vectors are explicit, so LLVM's own vectorisers would only cost time; they are also the passes that regroup.
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module, machine


def _machine(target: Target) -> llvm.TargetMachine:
    found = llvm.Target.from_triple(_triple(target))
    # Static and large: 64-bit absolute addresses of constants, wherever the loader puts them. (Position-independent
    # code in the large model goes through an offset table that the loader resolves wrongly with several objects.)
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="static", codemodel="large"
    )


def _triple(target: Target) -> str:
    default = llvm.get_default_triple()
    native_arm = default.startswith(("aarch64", "arm64"))
    if (target.name == "neon") == native_arm:
        return str(default)
    return "aarch64-unknown-linux-gnu" if target.name == "neon" else "x86_64-unknown-linux-gnu"


def _initialise() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def _open_session() -> _Session:
    global _session
    if _session is None:
        _initialise()
        backing = llvm.parse_assembly(f'target triple = "{llvm.get_default_triple()}"')
        machine = _machine(host_target())
        _session = _Session(llvm.create_mcjit_compiler(backing, machine), {})
    return _session
