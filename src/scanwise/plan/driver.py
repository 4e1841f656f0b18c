"""The native loop that every thread runs: shards of samples, then updates, then derived parameters, step after step.

A program is a list of calls, as `records`. Bases that differ between threads or samples (arena, gradients, row of the
step, order, output) are set here, so that all threads share one list.

Phases of a step, with a barrier after each:

1. shards: a thread takes the next shard of the step's samples and runs the calls on it, a few samples at a time. A
   shard adds to its own gradients. Which samples form a shard does not depend on the number of threads. If the sum of
   the step's losses is not finite, the loop ends here: no parameter has changed, and STEP stays.
2. updates: chunks of the parameters: sum the shards' gradients in order, and the optimizer's step. Running statistics
   become what the step's merges (`phases`) made of them.
3. derived: what is computed from the parameters (transposed weights).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from llvmlite import ir

from scanwise.codegen.emitter import F32, F64, I64, Emitter, Index, Value
from scanwise.codegen.floating_point import FloatingPointMode
from scanwise.plan.finite import samples_finite
from scanwise.plan.records import Base, Words

__all__ = ["STATISTICS", "Driver", "Field", "StepWriter"]

# Floats at the end of every shard's gradients: sum of losses, number right, and 14 that are not used.
STATISTICS = 16


class Field(IntEnum):
    """Words of the context that all threads share."""

    RECORDS = 0
    RECORD_COUNT = 1
    UPDATES = 2
    UPDATE_COUNT = 3
    DERIVED = 4
    DERIVED_COUNT = 5
    THREADS = 6
    SAMPLES = 7  # samples in the epoch
    BATCH = 8  # samples in a step
    SHARDS = 9
    MICRO = 10  # samples that the arena holds
    STEP = 11
    STEP_END = 12
    GRADIENTS = 13
    GRADIENT_FLOATS = 14  # of one shard, statistics included
    STEP_ROWS = 15
    STEP_ROW_BYTES = 16
    ORDER = 17
    OUTPUT = 18
    OUTPUT_BYTES = 19  # of one sample
    STATISTICS = 20  # float64 pairs, one a step
    YIELD = 21  # int (*)(void): gives the processor to another thread
    ZEROED = 22  # pairs (first float, floats) of a shard's gradients that are added to, and so must start from zero
    ZEROED_COUNT = 23
    CHECKED = 24  # float32 values of a sample that must be finite
    NOT_FINITE = 25  # out: 1 if some are not. Their samples are not computed.
    APART = 26  # float32 values between samples whose numbers in the order are neighbours
    # Of steps in phases (`phases`):
    ARENAS = 27  # of all shards
    ARENA_BYTES = 28  # of one shard
    PHASES = 29
    PHASE_COUNT = 30
    MERGES = 31
    # Each on a cache line of its own.
    NEXT_SHARD = 32
    NEXT_UPDATE = 40
    NEXT_DERIVED = 48
    ARRIVED = 56
    GENERATION = 64
    SIZE = 72


@dataclass(frozen=True)
class Driver:
    """Arguments: context, bases (of this thread). The number n is not used."""

    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        StepWriter(e).emit()


class StepWriter(Words):
    """Emits the driver."""

    def __init__(self, e: Emitter) -> None:
        super().__init__(e)
        self.context, self.bases = e.arguments

    # --- words ----------------------------------------------------------------------------------------------------

    def get(self, field: Field) -> Value:
        return self.read(self.context, int(field))

    def put(self, field: Field, value: Index) -> None:
        self.b.store(self.e.integer(value), self.word(self.context, int(field)))

    def set_base(self, base: Base, value: Value) -> None:
        self.b.store(value, self.word(self.bases, int(base)))

    # --- control --------------------------------------------------------------------------------------------------

    def emit(self) -> None:
        b = self.b
        mode = FloatingPointMode(self.e)
        mode.set_default()
        head, body, done = (b.append_basic_block(name) for name in ("step", "run", "end"))
        b.branch(head)
        b.position_at_end(head)
        step = b.load_atomic(self.word(self.context, int(Field.STEP)), "acquire", 8, typ=I64)
        b.cbranch(b.icmp_signed("<", step, self.get(Field.STEP_END)), body, done)
        b.position_at_end(body)
        self._shards(step)
        trains = b.icmp_signed(">", self.get(Field.UPDATE_COUNT), self.e.integer(0))
        going = b.append_basic_block("trains")
        b.cbranch(trains, going, done)
        b.position_at_end(going)
        self._barrier(lambda: self._statistics(step))
        update = b.append_basic_block("update")
        b.cbranch(self._is_loss_finite(step), update, done)
        b.position_at_end(update)
        shards = self.get(Field.SHARDS)
        self._claim(
            Field.NEXT_UPDATE,
            self.get(Field.UPDATE_COUNT),
            lambda i: self.call(self.get(Field.UPDATES), i, self.bases, shards),
        )
        self._barrier(lambda: self.put(Field.NEXT_DERIVED, 0))
        self._claim(
            Field.NEXT_DERIVED,
            self.get(Field.DERIVED_COUNT),
            lambda i: self.call(self.get(Field.DERIVED), i, self.bases, self.e.integer(1)),
        )
        self._barrier(lambda: self._next_step(step))
        b.branch(head)
        b.position_at_end(done)
        mode.restore()

    def _next_step(self, step: Value) -> None:
        self.put(Field.NEXT_UPDATE, 0)
        self.put(Field.STEP, self.b.add(step, self.e.integer(1)))

    def _claim(self, counter: Field, count: Value, body: Callable[[Value], None]) -> None:
        """Take the next number from a shared counter and run `body(number)` while there is one."""
        b = self.b
        head, work, done = (b.append_basic_block(name) for name in ("claim", "work", "claimed"))
        b.branch(head)
        b.position_at_end(head)
        i = b.atomic_rmw("add", self.word(self.context, int(counter)), self.e.integer(1), "acq_rel")
        b.cbranch(b.icmp_signed("<", i, count), work, done)
        b.position_at_end(work)
        body(i)
        b.branch(head)
        b.position_at_end(done)

    def _samples_of_step(self, step: Value) -> tuple[Value, Value]:
        """(first sample of the epoch's order, number of samples); the step's row is set."""
        b, e = self.b, self.e
        batch = self.get(Field.BATCH)
        first = b.mul(step, batch)
        left = b.sub(self.get(Field.SAMPLES), first)
        row = b.add(self.get(Field.STEP_ROWS), b.mul(step, self.get(Field.STEP_ROW_BYTES)))
        self.set_base(Base.STEP_ROW, row)
        return first, e.integer(e.minimum(batch, left))

    def _shard(self, s: Value, count: Value) -> tuple[Value, Value, Value]:
        """(first sample of the step, end, address of the gradients) of a shard; its gradients are set."""
        b, shards = self.b, self.get(Field.SHARDS)
        low = b.sdiv(b.mul(s, count), shards)
        high = b.sdiv(b.mul(b.add(s, self.e.integer(1)), count), shards)
        offset = b.mul(b.mul(s, self.get(Field.GRADIENT_FLOATS)), self.e.integer(4))
        gradients = b.add(self.get(Field.GRADIENTS), offset)
        self.set_base(Base.GRADIENTS, gradients)
        return low, high, gradients

    def _shards(self, step: Value) -> None:
        b, e = self.b, self.e
        first, count = self._samples_of_step(step)

        def shard(s: Value) -> None:
            low, high, gradients = self._shard(s, count)
            floats = self.get(Field.GRADIENT_FLOATS)
            micro = self.get(Field.MICRO)
            # ceil((high - low) / micro) turns
            turns = b.sdiv(b.sub(b.add(b.sub(high, low), micro), e.integer(1)), micro)
            target = self.pointer(gradients)
            ranges, parts = self.get(Field.ZEROED), self.get(Field.ZEROED_COUNT)
            empty = b.icmp_signed("==", turns, e.integer(0))
            with b.if_else(empty) as (nothing, something):
                with nothing:  # nobody writes this shard's gradients
                    self._zero(target, e.integer(0), floats)
                with something:
                    e.loop(parts, lambda i: self._zero_range(target, ranges, i))
            e.loop(turns, lambda i: self._samples(b.add(first, low), b.add(first, high), i, micro))

        self._claim(Field.NEXT_SHARD, self.get(Field.SHARDS), shard)

    def _zero_range(self, gradients: Value, ranges: Value, i: Index) -> None:
        pair = self.word(self.pointer(ranges), self.e.mul(i, 2))
        self._zero(gradients, self.read(pair, 0), self.read(pair, 1))

    def _zero(self, gradients: Value, first: Value, floats: Value) -> None:
        e, b = self.e, self.b
        zero = e.constant(0.0, 16)
        start = e.at(gradients, first)
        e.loop(b.sdiv(floats, e.integer(16)), lambda i: e.store(zero, start, e.mul(i, 16)))

    def _samples(self, low: Value, high: Value, turn: Index, micro: Value) -> None:
        b, e = self.b, self.e
        at = b.add(low, b.mul(e.integer(turn), micro))
        n = e.integer(e.minimum(micro, b.sub(high, at)))
        self.set_base(Base.TURN, e.integer(turn))
        self.set_base(Base.ORDER, b.add(self.get(Field.ORDER), b.mul(at, e.integer(8))))
        self.set_base(Base.OUTPUT, b.add(self.get(Field.OUTPUT), b.mul(at, self.get(Field.OUTPUT_BYTES))))
        records = self.get(Field.RECORDS)
        with b.if_else(self._all_finite(n)) as (finite, otherwise):
            with finite:
                e.loop(self.get(Field.RECORD_COUNT), lambda i: self.call(records, i, self.bases, n))
            with otherwise:
                self.put(Field.NOT_FINITE, 1)

    def _all_finite(self, n: Value) -> Value:
        samples, order = (
            self.pointer(self.read(self.bases, int(base))) for base in (Base.SAMPLES, Base.ORDER)
        )
        return samples_finite(self.e, samples, order, n, self.get(Field.CHECKED), self.get(Field.APART))

    # --- barrier --------------------------------------------------------------------------------------------------

    def _barrier(self, last_does: Callable[[], None]) -> None:
        """Wait for all threads; the last to come does what has to be done once before the others go on."""
        b, e = self.b, self.e
        generation = self.word(self.context, int(Field.GENERATION))
        seen = b.load_atomic(generation, "acquire", 8, typ=I64)
        arrived = b.atomic_rmw("add", self.word(self.context, int(Field.ARRIVED)), e.integer(1), "acq_rel")
        last = b.icmp_signed("==", b.add(arrived, e.integer(1)), self.get(Field.THREADS))
        release, wait, done = (b.append_basic_block(name) for name in ("release", "wait", "together"))
        b.cbranch(last, release, wait)
        b.position_at_end(release)
        for counter in (Field.NEXT_SHARD, Field.ARRIVED):
            self.put(counter, 0)
        last_does()
        b.atomic_rmw("xchg", generation, b.add(seen, e.integer(1)), "release")
        b.branch(done)
        b.position_at_end(wait)
        self._spin(generation, seen, done)
        b.position_at_end(done)

    def _spin(self, generation: Value, seen: Value, done: ir.Block) -> None:
        """Look again and again until the generation is another."""
        b, e = self.b, self.e
        start = b.block
        head, again = (b.append_basic_block(name) for name in ("spin", "again"))
        b.branch(head)
        b.position_at_end(head)
        looks = b.phi(I64)
        looks.add_incoming(e.integer(0), start)
        now = b.load_atomic(generation, "acquire", 8, typ=I64)
        more = b.add(looks, e.integer(1))
        b.cbranch(b.icmp_signed("!=", now, seen), done, again)
        b.position_at_end(again)
        self.pause(more, self.get(Field.YIELD))
        looks.add_incoming(more, b.block)
        b.branch(head)

    def _is_loss_finite(self, step: Value) -> Value:
        """Whether the step's sum of losses is: infinity less itself is NaN, which equals nothing."""
        b = self.b
        out = self.pointer(self.get(Field.STATISTICS))
        at = b.gep(out, [b.mul(step, self.e.integer(2))], source_etype=F64)
        loss = b.load(at, typ=F64)
        return b.fcmp_ordered("==", b.fsub(loss, loss), ir.Constant(F64, 0.0))

    def _statistics(self, step: Value) -> None:
        """Sums over the shards, in order, of losses and right answers."""
        b, e = self.b, self.e
        floats, gradients = self.get(Field.GRADIENT_FLOATS), self.get(Field.GRADIENTS)
        out = self.pointer(self.get(Field.STATISTICS))

        def add(s: Index, loss: Value, right: Value) -> list[Value]:
            end = b.mul(b.add(e.integer(s), e.integer(1)), floats)
            at = self.pointer(b.add(gradients, b.mul(b.sub(end, e.integer(STATISTICS)), e.integer(4))))
            pair = [b.load(b.gep(at, [e.integer(i)], source_etype=F32), typ=F32) for i in (0, 1)]
            return [
                b.fadd(total, b.fpext(value, F64)) for total, value in zip((loss, right), pair, strict=True)
            ]

        zero = ir.Constant(F64, 0.0)
        totals = e.loop(self.get(Field.SHARDS), add, [zero, zero])
        for i, total in enumerate(totals):
            index = b.add(b.mul(step, e.integer(2)), e.integer(i))
            b.store(total, b.gep(out, [index], source_etype=F64))
