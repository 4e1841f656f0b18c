"""How many times faster than whom, with the minimum and what the machine's peak allows beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.figure import Figure
from benchmarks.least_time import least_seconds
from benchmarks.minimums import COMPARISONS, Comparison, Minimum
from benchmarks.networks import Case
from benchmarks.protocol import FAST, ONE_THREAD


def ratios(
    case: Case, work: str, batch: int, seconds: Mapping[str, float], *, threads: int, gflops: float
) -> Iterator[Figure]:
    """Every comparison of this work whose contenders took part.

    Args:
        case: the network.
        work: "training", "inference" or "latency".
        batch: samples in a call.
        seconds: of one call, by contender.
        threads: of everyone.
        gflops: the measured peak of all threads, in billions of operations a second.
    """
    for comparison in COMPARISONS:
        theirs = {name: taken for name, taken in seconds.items() if name.startswith(comparison.peer)}
        if comparison.work != work or not theirs:
            continue
        quickest = min(theirs, key=lambda name: theirs[name])
        limit, note = float(threads), ""
        if comparison.peer != ONE_THREAD:
            limit, note = _allowed(comparison, case, batch, theirs[quickest], gflops)
        minimum = comparison.minimums.get(case.name, Minimum())
        yield Figure(
            name=f"{case.name}, {work}: {comparison.text}",
            value=theirs[quickest] / seconds[comparison.ours],
            minimum=minimum.least,
            stretch=minimum.stretch,
            limit=limit,
            note="; ".join(filter(None, ["" if len(theirs) == 1 else f"against {quickest}", note])),
        )


def _allowed(
    comparison: Comparison, case: Case, batch: int, theirs: float, gflops: float
) -> tuple[float, str]:
    """The ratio at the peak, and a remark where that counts on Winograd's algorithm, as training may."""
    training = comparison.work == "training"
    direct, fewest = (
        theirs / least_seconds(case, batch, gflops, training=training, winograd=winograd)
        for winograd in (False, True)
    )
    if fewest > direct and (training or comparison.ours == FAST):
        return fewest, f"{direct:.3g} without Winograd"
    return direct, ""
