"""The processor's floating-point mode, which belongs to a thread.

Other libraries change it, for some threads and not for others: numbers below 2**-126 then count as zero. Native code
sets the default before it computes, so that results do not depend on the thread.
"""

from llvmlite import ir

from scanwise.codegen.emitter import I32, I64, POINTER, Emitter, Value

__all__ = ["FloatingPointMode"]

# Round to nearest, keep small numbers, no traps: FPCR on AArch64, MXCSR on x86.
_DEFAULT_FPCR, _DEFAULT_MXCSR = 0, 0x1F80
_FLUSH_FPCR, _FLUSH_MXCSR = 1 << 24, _DEFAULT_MXCSR | 0x8040


class FloatingPointMode:
    """Emits code that sets the mode and gives it back."""

    def __init__(self, e: Emitter) -> None:
        self.e, self.b = e, e.builder
        self.neon = e.target.name == "neon"
        self.saved: Value | None = None

    def set_default(self) -> None:
        """Remember the thread's mode and set the default."""
        if self.neon:
            self.saved = self.b.call(self.e.declare("llvm.aarch64.get.fpcr", I64, []), [])
        else:
            place = self.b.alloca(I32)
            self.b.call(self.e.declare("llvm.x86.sse.stmxcsr", ir.VoidType(), [POINTER]), [place])
            self.saved = self.b.load(place, typ=I32)
        self._set_number(_DEFAULT_FPCR, _DEFAULT_MXCSR)

    def flush_small_numbers(self) -> None:
        """What such libraries do (tests)."""
        self._set_number(_FLUSH_FPCR, _FLUSH_MXCSR)

    def restore(self) -> None:
        """Set the mode that `set_default` found."""
        assert self.saved is not None
        self._set(self.saved)

    def _set_number(self, fpcr: int, mxcsr: int) -> None:
        self._set(ir.Constant(I64, fpcr) if self.neon else ir.Constant(I32, mxcsr))

    def _set(self, mode: Value) -> None:
        if self.neon:
            self.b.call(self.e.declare("llvm.aarch64.set.fpcr", ir.VoidType(), [I64]), [mode])
            return
        place = self.b.alloca(I32)
        self.b.store(mode, place)
        self.b.call(self.e.declare("llvm.x86.sse.ldmxcsr", ir.VoidType(), [POINTER]), [place])
