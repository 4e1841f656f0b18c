"""Threads that stand by: they take part in a call within a fraction of a microsecond, for as long as calls go on.

Waking a thread takes the system longer than a small network takes. So a thread that has been woken looks at the board
(see `stages`) again and again, until there has been no call for `PATIENCE` seconds; then it sleeps. A caller never
waits for one to come: it wakes those that sleep, for the calls that follow, and does all of the work meanwhile.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from scanwise.codegen import jit
from scanwise.codegen.target import host_target
from scanwise.plan.parameters import aligned_zeros
from scanwise.plan.processor import leave, this_processor
from scanwise.plan.stages import NO_CALL, TASK_WORDS, Board, Calling, Program, StandingBy
from scanwise.plan.workers import yield_address

__all__ = ["CREW", "LONG", "MOST", "PATIENCE", "Crew", "Prepared", "calling", "new_board"]

# Threads that run one window together, the caller among them. Each more adds to what a stage costs.
MOST = 4
# Seconds. Longer than a caller takes to fetch its next window, and not much more than waking a thread again costs.
PATIENCE = 500e-6
# Multiply-adds of a call that wakes threads for itself. That takes 50 us: about half of such a call.
LONG = 5_000_000


def new_board() -> NDArray[np.int64]:
    """A board that nobody stands by."""
    board = aligned_zeros(2 * Board.SIZE).view(np.int64)
    board[Board.STATE] = NO_CALL
    board[Board.YIELD] = yield_address()
    return board


@functools.cache
def calling() -> Callable[[int], None]:
    """The native function that runs a program."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(jit.address(Calling(), host_target()))


class Prepared:
    """What threads are to do together, as the words that native code reads, with all that they lead to.

    Args:
        records: the calls.
        stages: of them: for each the numbers of calls up to the end of each task.
        bases: of every thread that may take part, the caller's first.
        values: what must be finite, if anything.
    """

    def __init__(
        self,
        records: NDArray[np.int64],
        stages: Sequence[list[int]],
        bases: NDArray[np.int64],
        values: NDArray[np.float32] | None = None,
    ) -> None:
        board, tasks = new_board(), _tasks(stages)
        program = np.zeros(Program.SIZE, np.int64)
        program[Program.BOARD] = CREW.address if len(bases) > 1 else board.ctypes.data
        program[Program.OWN_BOARD] = board.ctypes.data
        program[Program.TASKS], program[Program.TASK_COUNT] = tasks.ctypes.data, len(tasks)
        program[Program.RECORDS] = records.ctypes.data
        program[Program.BASES], program[Program.WORKERS] = bases.ctypes.data, len(bases)
        if values is not None:
            program[Program.INPUT], program[Program.INPUT_FLOATS] = values.ctypes.data, values.size
        self._kept = records, bases, tasks, program, board, values
        self.words = program.data
        self.address = int(program.ctypes.data)


def _tasks(stages: Sequence[list[int]]) -> NDArray[np.int64]:
    """The tasks of all stages, from the numbers of calls up to the end of each."""
    rows: list[tuple[int, int, int]] = []
    first = 0
    for ends in stages:
        limit = len(rows) + len(ends)
        for end in ends:
            rows.append((first, end, limit))
            first = end
    return np.array(rows, np.int64).reshape(-1, TASK_WORDS)


class _Thread:
    """One that stands by. It is awake while more rounds were asked of it than it has done."""

    def __init__(self, board: int, number: int) -> None:
        self.asked = self.done = 0
        self._caller = -1
        self._rounds: SimpleQueue[bool] = SimpleQueue()
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
        self._stand_by = functools.partial(kind(jit.address(StandingBy(), host_target())), board, number)
        self._thread = threading.Thread(target=self._serve, name="scanwise", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while self._rounds.get():
            leave(self._caller)
            self._stand_by()
            self.done += 1

    def wake(self, caller: int) -> None:
        """Ask for a round, from this processor. Several callers at once may ask for one too many, and Ctrl-C may leave
        one uncounted: the thread then stays awake for a moment longer.
        """
        done = self.done
        self._caller = caller
        self._rounds.put(True)
        self.asked = done + 1

    def end(self) -> None:
        self._rounds.put(False)
        self._thread.join(1.0)


class Crew:
    """The threads of this process that stand by. One call at a time has them, and others do without."""

    def __init__(self) -> None:
        self._board = new_board()
        self.address = int(self._board.ctypes.data)
        self._threads: list[_Thread] = []
        self._lock = threading.Lock()  # of the list
        self._left = -1.0  # when the last call ended that wanted help and had none
        self._ended = False

    def attends(self, threads: int, *, wake: bool = False) -> bool:
        """Whether to put a call's tasks on the board: threads are awake, or are now being woken.

        Args:
            threads: how many are wanted beside the caller's.
            wake: whether the call is long enough to wake them for itself; otherwise they are if calls follow closely.
        """
        if self._threads and self._threads[0].asked > self._threads[0].done:  # they are woken together
            return True
        if self._ended or not (wake or time.perf_counter() - self._left < PATIENCE):
            return False
        return self._wake(threads)

    def left(self) -> None:
        """A call has ended that wanted help and had none."""
        self._left = time.perf_counter()

    @property
    def awake(self) -> int:
        """Threads that are awake."""
        return sum(thread.asked > thread.done for thread in self._threads)

    @property
    def rounds(self) -> int:
        """How often threads were woken."""
        return sum(thread.asked for thread in self._threads)

    def _wake(self, threads: int) -> bool:
        with self._lock:
            try:
                while len(self._threads) < threads:
                    if not self._threads:
                        self._board[Board.PATIENCE] = _looks(PATIENCE)
                    self._threads.append(_Thread(self.address, len(self._threads) + 1))
            except RuntimeError:  # no more threads to be had
                pass
            caller = this_processor()
            for thread in self._threads[:threads]:
                thread.wake(caller)
            return bool(self._threads)

    def end(self) -> None:
        """Before the interpreter takes away the machine code that threads are in."""
        self._ended = True
        self._board[Board.PATIENCE] = 0
        for thread in self._threads:
            thread.end()

    def forget(self) -> None:
        """In a forked process, which has none of its parent's threads."""
        self._threads, self._lock = [], threading.Lock()
        self._board[: Board.PATIENCE] = 0
        self._board[Board.STATE] = NO_CALL


def _looks(seconds: float) -> int:
    """How many looks at a board take so long. The shortest of a few measurements has not been interrupted."""
    board = new_board()
    trial = board[Board.PATIENCE] = 1000
    # Keeping the interpreter's lock: waiting for it would be measured too.
    kind = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    stand_by = functools.partial(kind(jit.address(StandingBy(), host_target())), board.ctypes.data, 1)
    taken = []
    for _ in range(4):
        started = time.perf_counter()
        stand_by()
        taken.append(time.perf_counter() - started)
    return max(1, round(trial * seconds / max(min(taken), 1e-9)))


CREW = Crew()
atexit.register(CREW.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CREW.forget)
