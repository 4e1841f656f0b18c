"""Object files -> the addresses of their functions."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scanwise.errors import EngineError

if TYPE_CHECKING:
    import llvmlite.binding as llvm

__all__ = ["load", "load_with_llvm"]


def load(objects: Mapping[str, bytes]) -> dict[str, int]:
    """The address of the function of each object, which has the object's name: by our own loader where there is one,
    else by LLVM's.
    """
    if sys.platform == "linux":
        from scanwise.codegen import elf

        try:
            return elf.load(objects)
        except elf.UnsupportedError:
            pass  # on another processor, say
    return load_with_llvm(objects)


def load_with_llvm(objects: Mapping[str, bytes]) -> dict[str, int]:
    """The same by LLVM's loader, which knows every system and every kind of object."""
    import llvmlite.binding as llvm

    found = {}
    try:
        engine = _engine()
        for code in objects.values():
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        for name in objects:
            found[name] = int(engine.get_function_address(name))
    except RuntimeError as error:
        raise EngineError(f"compiled kernels could not be loaded: {error}") from error
    missing = [name for name, address in found.items() if address == 0]
    if missing:
        raise EngineError(f"compiled kernels could not be loaded: {', '.join(missing)}.")
    return found


@functools.cache
def _engine() -> llvm.ExecutionEngine:
    """The one that all kernels are loaded into; it lives as long as the process."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_default_triple()
    backing = llvm.parse_assembly(f'target triple = "{triple}"')
    machine = llvm.Target.from_triple(triple).create_target_machine(reloc="static", codemodel="large")
    return llvm.create_mcjit_compiler(backing, machine)
