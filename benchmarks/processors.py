"""How inference degrades: narrower vectors, and smaller caches.

Both are measured on this machine, on one thread. Code for AVX2 and for plain x86-64 runs here too; a cache is made
smaller for the engine by letting a thread's arena hold fewer samples at once, which is what its budget decides
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import scanwise as sw
from benchmarks.networks import Case
from benchmarks.report import Section, time_text
from benchmarks.setting import Setting
from benchmarks.timing import Work, interleaved
from scanwise.codegen.target import AVX2, AVX512, GENERIC, NEON, Target, host_target
from scanwise.plan.executor import NativeExecutor

SAMPLES = (1, 2, 4, 8, 16)
"""Samples that the arena holds."""


def processors(setting: Setting) -> Iterator[Section]:
    """One section for vectors, one for caches."""
    sw.set_threads(1)
    try:
        yield _vectors(setting)
        yield _caches(setting)
    finally:
        sw.set_threads(setting.threads)


def _targets() -> tuple[Target, ...]:
    """What this processor can run, the widest first."""
    known = {
        "avx512": (AVX512, AVX2, GENERIC),
        "avx2": (AVX2, GENERIC),
        "generic": (GENERIC,),
        "neon": (NEON,),
    }
    return known[host_target().name]


def _vectors(setting: Setting) -> Section:
    text = (
        "Time of one sample in a batch, exact inference, one thread, compiled for the target; in brackets how many "
        "times as long as with the widest vectors. Plain x86-64 has no fused multiply-add, so each one is a call of "
        "the C library's `fmaf`: that keeps the bits, and is for machines of before 2013."
    )
    targets = _targets()
    rows = []
    for case in setting.cases:
        taken = interleaved(
            {
                target.name: _inference(case, NativeExecutor(case.network(), case.input_shape, target=target))
                for target in targets
            },
            rounds=max(3, setting.rounds // 3),
            seconds=setting.seconds / 2,
        )
        widest = taken[targets[0].name]
        rows.append([case.name, *(_cell(taken[t.name], widest, case.batch) for t in targets)])
    return Section("Narrower vectors", text, ["network", *(target.name for target in targets)], rows)


def _caches(setting: Setting) -> Section:
    text = (
        "Time of one sample in a batch, exact inference, one thread, with so many samples in the arena at most; in "
        "brackets as a multiple of what the engine chooses by itself for a second-level cache of 1 to 2 MiB."
    )
    rows = []
    for case in setting.cases:
        executors = {
            "own choice": NativeExecutor(case.network(), case.input_shape),
            **{str(n): NativeExecutor(case.network(), case.input_shape, samples=n) for n in SAMPLES},
        }
        taken = interleaved(
            {name: _inference(case, executor) for name, executor in executors.items()},
            rounds=max(3, setting.rounds // 3),
            seconds=setting.seconds / 3,
        )
        chosen = taken.pop("own choice")
        rows.append(
            [
                case.name,
                time_text(chosen / case.batch),
                *(_cell(t, chosen, case.batch) for t in taken.values()),
            ]
        )
    return Section("Smaller caches", text, ["network", "own choice", *map(str, SAMPLES)], rows)


def _inference(case: Case, executor: NativeExecutor) -> Work:
    executor.load_parameters(case.model().parameters)
    x, _ = case.samples(case.batch)

    def work(calls: int) -> None:
        for _ in range(calls):
            executor.forward(x)

    return work


def _cell(seconds: float, reference: float, batch: int) -> str:
    return f"{time_text(seconds / batch)} ({seconds / reference:.2f})"
