"""The kinds of work whose figures are tables of their own: kernels, drawn layers, growth, bounds."""

from __future__ import annotations

import sys
from collections.abc import Collection

from benchmarks import growth, kernel_minimums, roofline, sweep
from benchmarks.networks import Case
from benchmarks.section import Section

__all__ = ["WORKS", "sections"]

WORKS = ("minimums", "sweep", "growth", "roofline")


def sections(
    works: Collection[str], cases: list[Case], threads: int, drawn: range, rounds: int, seconds: float
) -> list[Section]:
    """The tables of those kinds of work that were asked for.

    Args:
        works: kinds of work.
        cases: networks, for the bounds.
        threads: for the sweep; the others are on one thread, or say otherwise.
        drawn: numbers of the drawn layers to sweep over.
        rounds, seconds: timings of each contender, and the length of one.
    """
    found: list[Section] = []
    if "minimums" in works:
        print("single kernels ...", file=sys.stderr, flush=True)
        found.append(kernel_minimums.section(kernel_minimums.figures(rounds=rounds, seconds=seconds / 10)))
    if "sweep" in works:
        print("drawn layers ...", file=sys.stderr, flush=True)
        few = max(3, rounds // 3)
        found += sweep.sections(sweep.figures(threads, drawn, rounds=few, seconds=seconds / 15))
    if "growth" in works:
        print("growth ...", file=sys.stderr, flush=True)
        found.append(growth.section(growth.figures(rounds=rounds, seconds=seconds / 5)))
    if "roofline" in works:
        print("bounds ...", file=sys.stderr, flush=True)
        bounds = [roofline.figures(case, rounds=rounds, seconds=seconds / 10) for case in cases]
        found.append(roofline.section([bound for network in bounds for bound in network]))
    return found
