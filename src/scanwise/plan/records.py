"""Records: native calls as words in memory, and the code that carries one out.

A call is a record of 64-bit words: the function's address, the number of its pointers, then a (base, offset) pair for
each; its address is the base's pointer plus the offset in bytes.
"""

from enum import IntEnum

from llvmlite import ir

from scanwise.codegen.emitter import I32, I64, POINTER, Emitter, Index, Value

__all__ = ["ARGUMENTS", "RECORD_WORDS", "Base", "Words"]

# Pointers that a kernel takes at most.
ARGUMENTS = 5
RECORD_WORDS = 2 + 2 * ARGUMENTS
# Looks at a word that another thread is to change, before the processor is given away once.
_LOOKS = 1024


class Base(IntEnum):
    """What an argument's offset counts from."""

    ARENA = 0
    PARAMETERS = 1
    DERIVED = 2
    GRADIENTS = 3
    STEP_ROW = 4
    CONSTANTS = 5
    SAMPLES = 6
    ORDER = 7
    TARGETS = 8
    OUTPUT = 9
    COTANGENT = 10
    SCRATCH = 12
    ABSOLUTE = 11  # always zero: the offset is an address
    TURN = 13  # no address: how many samples of the shard have been done, in micro-batches


class Words:
    """Emits code that reads and writes words, carries out records, and waits for other threads."""

    def __init__(self, e: Emitter) -> None:
        self.e, self.b = e, e.builder

    def word(self, pointer: Value, index: Index) -> Value:
        return self.b.gep(pointer, [self.e.integer(index)], source_etype=I64)

    def read(self, pointer: Value, index: Index) -> Value:
        return self.b.load(self.word(pointer, index), typ=I64)

    def pointer(self, word: Value) -> Value:
        return self.b.inttoptr(word, POINTER)

    def call(self, records: Value, index: Index, bases: Value, n: Value) -> None:
        """One record: a switch over the number of pointers that its function takes."""
        b, e = self.b, self.e
        record = b.gep(self.pointer(records), [e.integer(e.mul(index, RECORD_WORDS))], source_etype=I64)
        function, count = self.read(record, 0), self.read(record, 1)
        done = b.append_basic_block("called")
        switch = b.switch(count, done)
        for pointers in range(2, ARGUMENTS + 1):
            block = b.append_basic_block(f"call{pointers}")
            switch.add_case(e.integer(pointers), block)
            b.position_at_end(block)
            arguments = []
            for i in range(pointers):
                base, offset = self.read(record, 2 + 2 * i), self.read(record, 3 + 2 * i)
                arguments.append(self.pointer(b.add(self.read(bases, base), offset)))
            kind = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + [I64])
            b.call(b.inttoptr(function, kind.as_pointer()), [*arguments, n])
            b.branch(done)
        b.position_at_end(done)

    def pause(self, looks: Value, give_way: Value) -> None:
        """Between two looks at a word. Now and then the processor is given away by the function `give_way`, in case
        there are more threads than processors.
        """
        b, e = self.b, self.e
        if e.target.name == "neon":
            # There the instruction with this name does nothing; this one takes some tens of cycles.
            b.call(e.declare("llvm.aarch64.isb", ir.VoidType(), [I32]), [ir.Constant(I32, 15)])
        else:
            b.call(e.declare("llvm.x86.sse2.pause", ir.VoidType(), []), [])
        enough = b.icmp_signed("==", b.and_(looks, e.integer(_LOOKS - 1)), e.integer(0))
        with b.if_then(enough):
            b.call(b.inttoptr(give_way, ir.FunctionType(I32, []).as_pointer()), [])
