"""The threads beside the caller's.

A native call of several threads holds each of them until all have come (see `driver`), so every call gets threads
that nobody else uses: idle ones, or new ones. However many plans run at once, none waits for another one's thread.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import os
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from scanwise.plan.processor import leave, this_processor

__all__ = ["run_together", "yield_address"]


class _Meeting:
    """Where one call's threads come together at its end."""

    def __init__(self) -> None:
        self.arrived: list[None] = []
        self.news: SimpleQueue[None] = SimpleQueue()

    def arrive(self) -> None:
        self.arrived.append(None)
        self.news.put(None)

    def wait(self, count: int) -> None:
        """Wait for `count` to arrive: what they work on belongs to the caller, so Ctrl-C has to wait too.

        It can come after a piece of news was taken and before anything was done about it, so that news only say that it
        is time to count again.
        """
        interrupt: KeyboardInterrupt | None = None
        while len(self.arrived) < count:
            try:
                self.news.get()
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt


# What to run, where to meet, and the processor that the caller was on.
_Work = tuple[Callable[[], object], _Meeting, int]


class _Worker:
    """A thread that carries out one call after another."""

    def __init__(self) -> None:
        self.work: SimpleQueue[_Work] = SimpleQueue()
        threading.Thread(target=self._serve, name="scanwise", daemon=True).start()

    def _serve(self) -> None:
        while True:
            call, meeting, caller = self.work.get()
            leave(caller)
            call()
            meeting.arrive()


_idle: list[_Worker] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a child process has none of its parent's threads


def run_together(calls: Sequence[Callable[[], object]], tell: Callable[[int], None]) -> None:
    """Run the first call on this thread and the others at the same time on threads of their own.

    Args:
        calls: native functions with their arguments bound: nothing in them looks at Ctrl-C.
        tell: is told, before they start, how many calls run. It is fewer than there are where the system gives no more
            threads: the last ones are then left out.
    """
    workers = _lend(len(calls) - 1)
    meeting = _Meeting()
    here = this_processor()
    work: list[_Work] = [(call, meeting, here) for call in calls[1:]]
    tell(1 + len(workers))
    # Ctrl-C may come between any two lines, but not within one that Python carries out without running Python code. A
    # thread that was started waits for this one, so this one must come too.
    sent: list[object] = []
    ran: list[object] = []
    try:
        sent.extend(map(SimpleQueue.put, [worker.work for worker in workers], work))
        ran.extend(map(operator.call, calls[:1]))
    finally:
        try:
            if not ran:
                tell(1 + len(sent))
                calls[0]()
        finally:
            meeting.wait(len(sent))
            _idle.extend(workers)


def _lend(count: int) -> list[_Worker]:
    lent: list[_Worker] = []
    while len(lent) < count:
        try:
            lent.append(_idle.pop() if _idle else _Worker())
        except IndexError:  # another thread took the last idle one
            continue
        except RuntimeError:  # no more threads to be had
            break
    return lent


@functools.cache
def yield_address() -> int:
    """The address of a function that gives the processor to another thread."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)
