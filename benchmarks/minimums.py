"""What is to be reached: how many times faster than whom, by network. On two cores.

Single numbers of other parts of the benchmark stand beside what measures them; these are a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.protocol import FAST, JAX, ONE_THREAD, ONNX_RUNTIME, PYTORCH, SCANWISE


@dataclass(frozen=True)
class Minimum:
    """The least ratio, and what it would be good to reach; None where nothing is asked for."""

    least: float | None = None
    stretch: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One row of the table.

    Attributes:
        work: "training", "inference" or "latency".
        text: what is compared, for the report.
        ours: the contender that is to be faster.
        peer: the others: every contender whose name begins so; the quickest of them counts.
        minimums: by network.
    """

    work: str
    text: str
    ours: str
    peer: str
    minimums: Mapping[str, Minimum] = field(default_factory=dict)


NETWORKS = ("lenet5", "mnist-cnn", "cifar-vgg", "tdnn", "ds-cnn")


def _row(*minimums: tuple[float, float] | float) -> dict[str, Minimum]:
    pairs = [m if isinstance(m, tuple) else (m, None) for m in minimums]
    return {network: Minimum(*pair) for network, pair in zip(NETWORKS, pairs, strict=True)}


COMPARISONS = (
    Comparison(
        "training", "times faster than PyTorch", SCANWISE, PYTORCH,
        _row((8, 12), (3, 4), (2.5, 4), (2.5, 4), (5, 8)),
    ),
    Comparison("training", "times faster than JAX", SCANWISE, JAX, _row(8, 5, 4, 2, 3)),
    Comparison(
        "training", "times faster than on one thread", SCANWISE, ONE_THREAD,
        {"cifar-vgg": Minimum(1.8)},
    ),
    Comparison(
        "inference", "exact, times faster than ONNX Runtime", SCANWISE, ONNX_RUNTIME,
        _row((3, 4), (1.0, 1.15), (1.0, 1.15), (3, 4), (1.2, 1.5)),
    ),
    Comparison(
        "inference", 'precision="fast", times faster than ONNX Runtime', FAST, ONNX_RUNTIME,
        _row((3, 4), (1.5, 2), (1.6, 2.2), (3, 4), (1.2, 1.5)),
    ),
    Comparison("inference", "exact, times faster than PyTorch", SCANWISE, PYTORCH),
    Comparison("inference", "exact, times faster than JAX", SCANWISE, JAX),
    Comparison("latency", "times lower than ONNX Runtime's", SCANWISE, ONNX_RUNTIME, _row(4, 1.3, 1.3, 4, 2)),
    Comparison("latency", "times lower than PyTorch's", SCANWISE, PYTORCH, _row(20, 4, 3, 10, 12)),
    Comparison("latency", "times lower than JAX's", SCANWISE, JAX),
)  # fmt: skip
