"""The native loop of one window: tasks that a caller and the threads that stand by take from a board.

A plan on one sample is a list of tasks, each some records, in stages. The tasks of a stage do not need each other, and
need all stages before. Every thread takes a task of the open stage whenever there is one: that with its own number if
it can, since it then finds in its cache what it made of the stage before. Whoever finishes a stage opens the next one.
So a thread that comes late, or never, costs nothing: nobody waits for it, but for a task that it has begun.

All that threads agree on is one word of the board, the state: number of the call, first task of the open stage, and a
bit for each task of the stage that nobody has taken. A task is taken by changing the word from what it was found to be,
which fails if anything has changed since. Only after that a thread looks at the caller's memory: the caller is there as
long as one of its tasks is not finished.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from llvmlite import ir

from scanwise.codegen.emitter import I64, Emitter, Value
from scanwise.codegen.floating_point import FloatingPointMode
from scanwise.plan.finite import all_finite
from scanwise.plan.records import Base, Words

__all__ = ["NO_CALL", "STAGE_TASKS", "TASK_WORDS", "Board", "Calling", "Program", "StandingBy"]

# A task: its first record, the record behind its last, the number of tasks up to the end of its stage.
TASK_WORDS = 3
# Tasks of a stage at most, each a bit of the state.
STAGE_TASKS = 8
_FREE = (1 << STAGE_TASKS) - 1
_CALL = 1 << 32
_FINISHED = _CALL - 1 - _FREE  # a stage that does not exist, with no free task
# The state of a board before the first call.
NO_CALL = _FINISHED


class Board(IntEnum):
    """Words that all threads share, by cache lines. Whoever ends a stage changes two words of the first, at once."""

    STATE = 0
    WORKERS = 1  # threads that may take part, the caller is one
    PROGRAM = 2
    DONE = 3  # tasks that are finished
    OWNER = 8  # 1 while somebody calls
    PATIENCE = 16  # looks that a thread standing by takes before it goes
    YIELD = 17  # int (*)(void): gives the processor to another thread
    SIZE = 24


class Program(IntEnum):
    """Words that describe the plan of one caller."""

    BOARD = 0
    OWN_BOARD = 1  # for when another caller has the board
    TASKS = 2
    TASK_COUNT = 3
    RECORDS = 4
    BASES = 5  # of the first thread; those of the others follow
    WORKERS = 6
    INPUT = 7  # float32 values that must be finite
    INPUT_FLOATS = 8
    FINITE = 9  # out: whether they were
    SIZE = 10


class _Writer(Words):
    """What callers and threads standing by have in common."""

    def __init__(self, e: Emitter) -> None:
        super().__init__(e)
        self.looks = self.b.alloca(I64)  # since there was something to do

    def load(self, board: Value, field: Board) -> Value:
        return self.b.load_atomic(self.word(board, int(field)), "acquire", 8, typ=I64)

    def publish(self, board: Value, field: Board, value: Value) -> None:
        """Write a word after everything that was written before."""
        self.b.atomic_rmw("xchg", self.word(board, int(field)), value, "release")

    def take_part(
        self, board: Value, number: Value, may: Callable[[], Value], stop: Callable[[Value], Value]
    ) -> None:
        """Take tasks until `stop(state)`, which is asked when there is none.

        Args:
            board: the board.
            number: of this thread: its bases.
            may: whether it may take a task, asked after the state was seen.
            stop: whether to end.
        """
        b, e = self.b, self.e
        names = ("look", "some", "take", "none", "rest", "end")
        look, some, take, none, rest, end = (b.append_basic_block(name) for name in names)
        b.branch(look)
        b.position_at_end(look)
        state = self.load(board, Board.STATE)
        free = b.and_(state, e.integer(_FREE))
        b.cbranch(b.and_(b.icmp_signed("!=", free, e.integer(0)), may()), some, none)
        b.position_at_end(some)
        bit = self.choose(free, number)
        word = self.word(board, int(Board.STATE))
        pair = b.cmpxchg(word, state, b.sub(state, bit), "acq_rel", "acquire")
        b.cbranch(b.extract_value(pair, 1), take, look)
        b.position_at_end(take)
        b.store(e.integer(0), self.looks)
        first = b.lshr(b.and_(state, e.integer(_FINISHED)), e.integer(STAGE_TASKS))
        place = b.cttz(bit, ir.Constant(ir.IntType(1), 1))
        self.work(board, number, b.and_(state, e.integer(-_CALL)), b.add(first, place))
        b.branch(look)
        b.position_at_end(none)
        b.cbranch(stop(state), end, rest)
        b.position_at_end(rest)
        looks = b.add(b.load(self.looks, typ=I64), e.integer(1))
        b.store(looks, self.looks)
        self.pause(looks, self.load(board, Board.YIELD))
        b.branch(look)
        b.position_at_end(end)

    def choose(self, free: Value, number: Value) -> Value:
        """The bit of the task with this number if it is free, else the lowest free one."""
        b, e = self.b, self.e
        own = b.and_(free, b.shl(e.integer(1), number))
        lowest = b.and_(free, b.sub(e.integer(0), free))
        return b.select(b.icmp_signed("!=", own, e.integer(0)), own, lowest)

    def work(self, board: Value, number: Value, call: Value, first: Value) -> None:
        """Carry out a task, and whenever that ends a stage, open the next one and carry out a task of it too."""
        b, e = self.b, self.e
        program = self.pointer(self.load(board, Board.PROGRAM))
        tasks = self.pointer(self.read(program, int(Program.TASKS)))
        records = self.read(program, int(Program.RECORDS))
        own = b.mul(number, e.integer(8 * len(Base)))
        bases = self.pointer(b.add(self.read(program, int(Program.BASES)), own))
        before = b.block
        head, opens, following, last, done = (
            b.append_basic_block(name) for name in ("task", "opens", "following", "last", "worked")
        )
        b.branch(head)
        b.position_at_end(head)
        task = b.phi(I64)
        task.add_incoming(first, before)
        at = self.word(tasks, b.mul(task, e.integer(TASK_WORDS)))
        limit = self.read(at, 2)
        e.loop(self.read(at, 1), lambda i: self.call(records, i, bases, e.integer(1)), start=self.read(at, 0))
        finished = b.atomic_rmw("add", self.word(board, int(Board.DONE)), e.integer(1), "acq_rel")
        b.cbranch(b.icmp_signed("==", b.add(finished, e.integer(1)), limit), opens, done)
        b.position_at_end(opens)
        count = self.read(program, int(Program.TASK_COUNT))
        b.cbranch(b.icmp_signed("<", limit, count), following, last)
        b.position_at_end(following)
        task.add_incoming(self.open(board, tasks, call, limit, number), b.block)
        b.branch(head)
        b.position_at_end(last)
        self.publish(board, Board.STATE, b.or_(call, e.integer(_FINISHED)))
        b.branch(done)
        b.position_at_end(done)

    def open(self, board: Value, tasks: Value, call: Value, first: Value, number: Value) -> Value:
        """Open the stage that begins with the task `first`, and take one of its tasks, which is returned."""
        b, e = self.b, self.e
        limit = self.read(self.word(tasks, b.mul(first, e.integer(TASK_WORDS))), 2)
        free = b.sub(b.shl(e.integer(1), b.sub(limit, first)), e.integer(1))
        bit = self.choose(free, number)
        state = b.or_(call, b.shl(first, e.integer(STAGE_TASKS)))
        self.publish(board, Board.STATE, b.or_(state, b.sub(free, bit)))
        return b.add(first, b.cttz(bit, ir.Constant(ir.IntType(1), 1)))


@dataclass(frozen=True)
class Calling:
    """Run a program on the calling thread, and on those that stand by. Arguments: the program."""

    pointers: int = 1

    def emit(self, e: Emitter) -> None:
        (program,) = e.arguments
        words, b = _Writer(e), e.builder
        mode = FloatingPointMode(e)
        mode.set_default()
        values, floats = (words.read(program, int(f)) for f in (Program.INPUT, Program.INPUT_FLOATS))
        finite = all_finite(e, words.pointer(values), floats)
        b.store(b.zext(finite, I64), words.word(program, int(Program.FINITE)))
        with b.if_then(finite):
            self._call(words, program)
        mode.restore()

    def _call(self, words: _Writer, program: Value) -> None:
        b, e = words.b, words.e
        shared, own = (words.pointer(words.read(program, int(f))) for f in (Program.BOARD, Program.OWN_BOARD))
        zero, one = e.integer(0), e.integer(1)
        pair = b.cmpxchg(words.word(shared, int(Board.OWNER)), zero, one, "acq_rel", "acquire")
        board = b.select(b.extract_value(pair, 1), shared, own)
        call = b.and_(b.add(words.load(board, Board.STATE), e.integer(_CALL)), e.integer(-_CALL))
        for field, value in (
            (Board.WORKERS, words.read(program, int(Program.WORKERS))),
            (Board.PROGRAM, b.ptrtoint(program, I64)),
            (Board.DONE, zero),
        ):
            b.store(value, words.word(board, int(field)))
        tasks = words.pointer(words.read(program, int(Program.TASKS)))
        words.work(board, zero, call, words.open(board, tasks, call, zero, zero))
        finished = b.or_(call, e.integer(_FINISHED))
        always = ir.Constant(ir.IntType(1), 1)
        words.take_part(board, zero, lambda: always, lambda state: b.icmp_signed("==", state, finished))
        words.publish(board, Board.OWNER, zero)


@dataclass(frozen=True)
class StandingBy:
    """Take part in calls until there has been none for a while. Arguments: the board. n: number of this thread.

    A long stage of one task is no reason to go: the next one may have a task for this thread.
    """

    pointers: int = 1

    def emit(self, e: Emitter) -> None:
        (board,) = e.arguments
        words, b = _Writer(e), e.builder
        mode = FloatingPointMode(e)
        mode.set_default()
        b.store(e.integer(0), words.looks)

        def may() -> Value:
            return b.icmp_signed("<", e.n, words.load(board, Board.WORKERS))

        def stop(state: Value) -> Value:
            finished = e.integer(_FINISHED)
            idle = b.icmp_signed("==", b.and_(state, finished), finished)
            impatient = b.icmp_signed(">=", b.load(words.looks, typ=I64), words.load(board, Board.PATIENCE))
            return b.and_(impatient, b.or_(idle, b.not_(may())))

        words.take_part(board, e.n, may, stop)
        mode.restore()
