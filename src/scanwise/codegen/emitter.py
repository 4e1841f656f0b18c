"""A small language of loops and vectors over LLVM IR, in which every kernel is written.

Pointers point to float32 and are indexed in floats. Integers are i64, or Python ints that fold away. A vector has 4, 8
or 16 lanes whatever the processor; LLVM splits it where registers are narrower, which changes no bit of any result.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from llvmlite import ir

from scanwise.codegen import constants
from scanwise.codegen.target import Target

__all__ = ["Emitter", "Index", "Value", "I1", "I8", "I32", "I64", "F32", "F64", "POINTER"]

Value: TypeAlias = ir.Value
Index: TypeAlias = int | ir.Value

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()
POINTER = ir.PointerType()


class Emitter:
    """Writes one function `void name(pointer * pointers, i64 n)`."""

    def __init__(self, module: ir.Module, name: str, pointers: int, target: Target) -> None:
        self.module = module
        self.target = target
        signature = ir.FunctionType(ir.VoidType(), [POINTER] * pointers + [I64])
        self.function = ir.Function(module, signature, name)
        for argument in self.function.args[:-1]:
            argument.add_attribute("noalias")
        self.function.attributes.add("nounwind")
        self.arguments: tuple[Value, ...] = tuple(self.function.args[:-1])
        self.n: Value = self.function.args[-1]
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def finish(self) -> None:
        self.builder.ret_void()

    # --- integers -------------------------------------------------------------------------------------------------

    def integer(self, value: Index) -> Value:
        return constants.integer(value) if isinstance(value, int) else value

    def add(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if isinstance(a, int) and a == 0:
            return b
        if isinstance(b, int) and b == 0:
            return a
        return self.builder.add(self.integer(a), self.integer(b), flags=["nsw"])

    def mul(self, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for x, y in ((a, b), (b, a)):
            if isinstance(x, int) and x in (0, 1):
                return 0 if x == 0 else y
        return self.builder.mul(self.integer(a), self.integer(b), flags=["nsw"])

    def divide(self, a: Index, b: int) -> Index:
        """a / b rounded towards zero."""
        if isinstance(a, int):
            return int(a / b)
        return a if b == 1 else self.builder.sdiv(a, self.integer(b))

    def affine(self, *terms: tuple[Index, Index]) -> Index:
        """The sum of products a * b."""
        total: Index = 0
        for a, b in terms:
            total = self.add(total, self.mul(a, b))
        return total

    def minimum(self, a: Index, b: Index) -> Index:
        return self._pick("<", a, b)

    def maximum(self, a: Index, b: Index) -> Index:
        return self._pick(">", a, b)

    def _pick(self, relation: str, a: Index, b: Index) -> Index:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b) if relation == "<" else max(a, b)
        x, y = self.integer(a), self.integer(b)
        return self.builder.select(self.builder.icmp_signed(relation, x, y), x, y)

    def load_integer(self, pointer: Value, index: Index) -> Value:
        """The 32-bit integer number `index`, where a pointer points to integers."""
        return self.builder.load(self.at(pointer, index), align=4, typ=I32)

    def integers(self, values: Sequence[int]) -> Value:
        """A constant vector of 32-bit integers, taken modulo 2**32."""
        return constants.integers([value & 0xFFFFFFFF for value in values])

    # --- control --------------------------------------------------------------------------------------------------

    def loop(
        self,
        count: Index,
        body: Callable[..., Sequence[Value] | None],
        carried: Sequence[Value] = (),
        *,
        start: Index = 0,
    ) -> list[Value]:
        """Run `body(index, *carried)` for `index` from `start` below `count`; it returns the values to carry on.

        A loop of a constant single turn is not a loop: its body is emitted in place.
        """
        if isinstance(start, int) and isinstance(count, int):
            if count <= start:
                return list(carried)
            if count == start + 1:
                return list(body(start, *carried) or ())
        b = self.builder
        before = b.block
        certain = isinstance(start, int) and isinstance(count, int)
        head = b.append_basic_block("loop")
        done = b.append_basic_block("done")
        first, last = self.integer(start), self.integer(count)
        if certain:
            b.branch(head)
        else:
            b.cbranch(b.icmp_signed("<", first, last), head, done)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(first, before)
        phis = []
        for value in carried:
            phi = b.phi(value.type)
            phi.add_incoming(value, before)
            phis.append(phi)
        results = list(body(index, *phis) or ())
        if len(results) != len(phis):
            raise AssertionError("a loop body must return one successor for each carried value")
        following = b.add(index, constants.integer(1), flags=["nsw", "nuw"])
        end = b.block
        index.add_incoming(following, end)
        for phi, result in zip(phis, results, strict=True):
            phi.add_incoming(result, end)
        b.cbranch(b.icmp_signed("<", following, last), head, done)
        b.position_at_end(done)
        if certain:
            return results
        merged = []
        for value, result in zip(carried, results, strict=True):
            phi = b.phi(value.type)
            phi.add_incoming(value, before)
            phi.add_incoming(result, end)
            merged.append(phi)
        return merged

    def tiles(self, count: Index, size: int, body: Callable[[Index, int], None]) -> None:
        """Cover 0..count with `body(first, size)`. What remains is one smaller tile; where the count is only known at
        run time, it is one of half the size (from 4 on) and tiles of 1.
        """
        if isinstance(count, int):
            full, rest = divmod(count, size)
            self.loop(full, lambda i: body(self.mul(i, size), size))
            if rest:
                body(full * size, rest)
            return
        done: Index = 0
        for part in dict.fromkeys((size, size // 2 if size >= 4 else 1, 1)):
            whole = self.builder.sdiv(self.builder.sub(count, self.integer(done)), self.integer(part))
            start = done
            self.loop(whole, lambda i, f=start, s=part: body(self.add(f, self.mul(i, s)), s))
            done = self.add(done, self.mul(whole, part))

    # --- memory ---------------------------------------------------------------------------------------------------

    def at(self, pointer: Value, index: Index) -> Value:
        """The address of float number `index`."""
        if isinstance(index, int) and index == 0:
            return pointer
        return self.builder.gep(pointer, [self.integer(index)], inbounds=True, source_etype=F32)

    def opaque(self, pointer: Value) -> Value:
        """The same address, of which the optimiser does not know that it is the same: it then loads again what it has
        loaded already, where it would otherwise keep it in a register that is needed (docs/decisions/0009).
        """
        kind = ir.FunctionType(POINTER, [POINTER])
        return self.builder.asm(kind, "", "=r,0", [pointer], side_effect=False)

    def load(self, pointer: Value, index: Index, lanes: int) -> Value:
        kind = F32 if lanes == 1 else ir.VectorType(F32, lanes)
        return self.builder.load(self.at(pointer, index), align=4, typ=kind)

    def store(self, value: Value, pointer: Value, index: Index) -> None:
        self.builder.store(value, self.at(pointer, index), align=4)

    def prefetch(self, address: Value) -> None:
        """Ask for a cache line that will be read soon."""
        function = self.declare("llvm.prefetch.p0", ir.VoidType(), [POINTER, I32, I32, I32])
        read, near, data = 0, 2, 1
        self.builder.call(function, [address, *(ir.Constant(I32, value) for value in (read, near, data))])

    def load_part(self, pointer: Value, index: Index, lanes: int, valid: int) -> Value:
        """A vector of which only the first `valid` lanes are read; the others are zero."""
        if valid >= lanes:
            return self.load(pointer, index, lanes)
        kind = ir.VectorType(F32, lanes)
        name = f"llvm.masked.load.v{lanes}f32.p0"
        function = self.declare(name, kind, [POINTER, I32, ir.VectorType(I1, lanes), kind])
        mask = self.mask(lanes, valid)
        return self.builder.call(
            function, [self.at(pointer, index), constants.integer(4, 32), mask, self.constant(0.0, lanes)]
        )

    def store_part(self, value: Value, pointer: Value, index: Index, lanes: int, valid: int) -> None:
        """Store only the first `valid` lanes."""
        if valid >= lanes:
            self.store(value, pointer, index)
            return
        kind = ir.VectorType(F32, lanes)
        name = f"llvm.masked.store.v{lanes}f32.p0"
        function = self.declare(name, ir.VoidType(), [kind, POINTER, I32, ir.VectorType(I1, lanes)])
        self.builder.call(
            function, [value, self.at(pointer, index), constants.integer(4, 32), self.mask(lanes, valid)]
        )

    def mask(self, lanes: int, valid: int) -> Value:
        return constants.mask(lanes, valid)

    def keep(self, value: Value, lanes: int, valid: int) -> Value:
        """`value` with zero in the lanes from `valid` on: the padding lanes of a map are always zero."""
        return self.fill(value, lanes, valid, 0.0)

    def fill(self, value: Value, lanes: int, valid: int, other: float) -> Value:
        """`value` with `other` in the lanes from `valid` on, so that they do not count in a maximum or a sum."""
        if valid >= lanes:
            return value
        return self.builder.select(self.mask(lanes, valid), value, self.constant(other, lanes))

    # --- arithmetic -----------------------------------------------------------------------------------------------

    def constant(self, value: float, lanes: int) -> Value:
        return constants.splat(value, lanes)

    def broadcast(self, scalar: Value, lanes: int) -> Value:
        if lanes == 1:
            return scalar
        b = self.builder
        kind = ir.VectorType(scalar.type, lanes)
        nothing = constants.undefined(kind)
        single = b.insert_element(nothing, scalar, constants.integer(0, 32))
        return b.shuffle_vector(single, nothing, self.shuffle([0] * lanes))

    def part(self, vector: Value, lanes: int) -> Value:
        """The first lanes of a vector."""
        if lanes == vector.type.count:
            return vector
        return self.builder.shuffle_vector(vector, vector, self.shuffle(range(lanes)))

    def shuffle(self, order: Sequence[int]) -> Value:
        return constants.integers(order)

    def load_broadcast(self, pointer: Value, index: Index, lanes: int) -> Value:
        return self.broadcast(self.load(pointer, index, 1), lanes)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c with a single rounding, on every target."""
        return self.builder.call(self._intrinsic("llvm.fma", c.type, 3), [a, b, c])

    def fmax(self, a: Value, b: Value) -> Value:
        """The larger of the two; `a` where they are equal. Order matters for NaN, which is refused at the door."""
        return self.builder.select(self.builder.fcmp_ordered(">", b, a), b, a)

    def sqrt(self, a: Value) -> Value:
        return self.builder.call(self._intrinsic("llvm.sqrt", a.type, 1), [a])

    def absolute(self, a: Value) -> Value:
        return self.builder.call(self._intrinsic("llvm.fabs", a.type, 1), [a])

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        return self.builder.call(self._intrinsic("llvm.copysign", magnitude.type, 2), [magnitude, sign])

    def horizontal(self, value: Value, lanes: int, combine: Callable[[Value, Value], Value]) -> Value:
        """All lanes combined in a fixed tree: halves, quarters, ..., to one scalar."""
        b = self.builder
        while lanes > 1:
            half = lanes // 2
            undefined = constants.undefined(value.type)
            low = b.shuffle_vector(value, undefined, self.shuffle(range(half)))
            high = b.shuffle_vector(value, undefined, self.shuffle(range(half, lanes)))
            value, lanes = combine(low, high), half
        return b.extract_element(value, constants.integer(0, 32))

    def _intrinsic(self, name: str, kind: ir.Type, operands: int) -> ir.Function:
        suffix = f"v{kind.count}f32" if isinstance(kind, ir.VectorType) else "f32"
        return self.declare(f"{name}.{suffix}", kind, [kind] * operands)

    def declare(self, name: str, result: ir.Type, operands: list[ir.Type]) -> ir.Function:
        existing = self.module.globals.get(name)
        if existing is not None:
            return existing
        return ir.Function(self.module, ir.FunctionType(result, operands), name)
