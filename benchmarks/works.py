"""Everything that can be measured, by name. A further work is one more entry of `WORKS`.

A work takes the `Setting` and gives sections of the report. Those that only have numbers by name become figures here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import scanwise as sw
from benchmarks import (
    accuracy,
    augmentation,
    false_alarms,
    growth,
    kernel_minimums,
    kernels,
    mnist,
    process,
    roofline,
    scan_memory,
    scan_speed,
    scanning,
    stream_speed,
    sweep,
    tasks,
    weak_labels,
)
from benchmarks.figure import Figure
from benchmarks.network_speed import inference, latency, training
from benchmarks.processors import processors
from benchmarks.report import Section
from benchmarks.setting import Setting

_NONE: Mapping[str, float] = {}


def _kernels(setting: Setting) -> list[Section]:
    rows = []
    for case in setting.cases:
        for row in kernels.of(case, rounds=setting.rounds, seconds=setting.seconds / 10):
            cells = [
                f"{row.gflops[name]:.0f} ({row.gflops[name] / row.peak:.0%})" if name in row.gflops else ""
                for name in kernels.PASSES
            ]
            rows.append([case.name, row.layer, *cells])
    text = (
        "GFLOP/s on one thread (share of the measured peak), counted by the direct formula: Winograd's algorithm needs "
        "fewer operations and can pass 100 %."
    )
    head = ["network", "kernels of", *kernels.PASSES]
    return [Section("Kernels against the machine's peak", text, head, rows)]


def _minimums(setting: Setting) -> list[Section]:
    return [
        kernel_minimums.section(kernel_minimums.figures(rounds=setting.rounds, seconds=setting.seconds / 10))
    ]


def _sweep(setting: Setting) -> list[Section]:
    shapes = setting.shapes or range(5 if setting.quick else sweep.SHAPES)
    few = max(3, setting.rounds // 3)
    return sweep.sections(sweep.figures(setting.threads, shapes, rounds=few, seconds=setting.seconds / 15))


def _growth(setting: Setting) -> list[Section]:
    found = growth.section(growth.figures(rounds=setting.rounds, seconds=setting.seconds / 5))
    sw.set_threads(setting.threads)
    return [found]


def _roofline(setting: Setting) -> list[Section]:
    bounds = [
        bound
        for case in setting.cases
        for bound in roofline.figures(case, rounds=setting.rounds, seconds=setting.seconds / 10)
    ]
    return [roofline.section(bounds)]


def _scanning(setting: Setting) -> list[Section]:
    found = scanning.figures(setting.threads, rounds=setting.rounds, seconds=setting.seconds)
    return [Section("Forms of the scanning MLP", figures=_named(found))]


def _scan(setting: Setting) -> Iterable[Section]:
    yield from scan_speed.scan(setting)
    yield from stream_speed.streams(setting)
    yield scan_memory.memory(setting)


def _process(setting: Setting) -> list[Section]:
    found = process.figures(setting.threads, repeats=2 if setting.quick else 5)
    return [Section("Whole processes", figures=_named(found, at_most=process.AT_MOST))]


def _tasks(setting: Setting) -> list[Section]:
    if setting.quick:
        return []
    found = tasks.figures(setting.threads, setting.data)
    at_least = mnist.AT_LEAST | accuracy.AT_LEAST | weak_labels.AT_LEAST | false_alarms.AT_LEAST
    at_most = mnist.AT_MOST | accuracy.AT_MOST
    return [Section("Whole tasks", figures=_named(found, at_most=at_most, at_least=at_least))]


def _named(
    values: dict[str, float], *, at_most: Mapping[str, float] = _NONE, at_least: Mapping[str, float] = _NONE
) -> list[Figure]:
    return [
        Figure(
            name,
            value,
            minimum=at_most.get(name, at_least.get(name)),
            direction="smaller" if name in at_most else "larger",
        )
        for name, value in values.items()
    ]


def _augmentation(setting: Setting) -> list[Section]:
    taken = augmentation.costs(setting.threads, rounds=setting.rounds, seconds=setting.seconds)
    return [augmentation.section(taken)]


WORKS: dict[str, Callable[[Setting], Iterable[Section]]] = {
    "training": training,
    "inference": inference,
    "latency": latency,
    "minimums": _minimums,
    "process": _process,
    "tasks": _tasks,
    "roofline": _roofline,
    "growth": _growth,
    "processors": processors,
    "sweep": _sweep,
    "kernels": _kernels,
    "scanning": _scanning,
    "scan": _scan,
    "augmentation": _augmentation,
}
