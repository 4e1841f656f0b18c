"""What a processor offers: vector width, registers, LLVM feature string.

Kernels are written once, on vectors of 4, 8 or 16 floats. A target only decides how many machine registers such a
vector takes and therefore how large a register tile may be. Results do not depend on it (DESIGN, contract 2).
"""

import functools
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AVX2", "AVX512", "GENERIC", "NEON", "TARGETS", "Target", "host_target", "processor_kind"]


@dataclass(frozen=True)
class Target:
    """One instruction set that kernels are compiled for.

    Attributes:
        name: key in the object cache and in error messages.
        cpu: LLVM processor name.
        features: LLVM feature string.
        vector_bits: width of one vector register.
        registers: number of vector registers.
        fused: whether the processor has a fused multiply-add instruction (otherwise libm's exact `fmaf` is called).
    """

    name: str
    cpu: str
    features: str
    vector_bits: int
    registers: int
    fused: bool = True

    def registers_for(self, lanes: int) -> int:
        """Machine registers that one vector of `lanes` floats takes."""
        return max(1, lanes * 32 // self.vector_bits)


# -prefer-256-bit: without it LLVM splits 512-bit vectors in two on many server processors.
AVX512 = Target(
    "avx512",
    "skylake-avx512",
    "+avx512f,+avx512vl,+avx512bw,+avx512dq,+avx512cd,+fma,+avx2,-prefer-256-bit",
    512,
    32,
)
AVX2 = Target("avx2", "haswell", "+avx2,+fma", 256, 16)
GENERIC = Target("generic", "x86-64", "", 128, 16, fused=False)
# An out-of-order core of the first ARMv8: for "generic" LLVM loads so far ahead that accumulators are spilled.
NEON = Target("neon", "cortex-a72", "+neon", 128, 32)

TARGETS = {target.name: target for target in (AVX512, AVX2, GENERIC, NEON)}


_AVX512_PARTS = {"avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd", "fma"}


@functools.cache
def host_target() -> Target:
    """The widest target that the processor this process runs on can execute."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return NEON
    features = _features()
    if features >= _AVX512_PARTS:
        return AVX512
    if features >= {"avx2", "fma"}:
        return AVX2
    return GENERIC


def processor_kind() -> str:
    """A name for processors like this one, fit for a file's name."""
    facts = _facts()
    parts = [facts[key] for key in ("vendor_id", "cpu family", "model") if key in facts]
    name = "-".join(parts) or platform.processor() or platform.machine()
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _features() -> set[str]:
    """What the processor can do and the system lets it do."""
    flags = _facts().get("flags")
    if flags is not None:
        return set(flags.split())
    import llvmlite.binding as llvm

    return {name for name, there in llvm.get_host_cpu_features().items() if there}


@functools.cache
def _facts() -> dict[str, str]:
    """What Linux tells of the first processor; nothing elsewhere. LLVM would tell too, but its library takes a process
    40 ms to load.
    """
    information = Path("/proc/cpuinfo")
    if sys.platform != "linux" or not information.is_file():
        return {}
    first, _, _ = information.read_text(encoding="utf-8", errors="replace").partition("\n\n")
    lines = [line.partition(":") for line in first.splitlines()]
    return {key.strip(): value.strip() for key, _, value in lines}
