"""The benchmark's own arithmetic: verdicts, ratios, and what a machine's peak allows. Nothing is timed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from benchmarks.figure import Figure
from benchmarks.least_time import least_seconds
from benchmarks.minimums import COMPARISONS, NETWORKS
from benchmarks.networks import CASES, Case
from benchmarks.protocol import FAST, ONE_THREAD, ONNX_RUNTIME, PYTORCH, SCANWISE
from benchmarks.ratios import ratios
from benchmarks.report import Report, Section


@pytest.mark.parametrize(
    ("value", "verdict", "direction", "limit"),
    [
        (5.0, "stretch", "larger", None),
        (3.0, "met", "larger", None),
        (2.9, "not met", "larger", 3.5),
        (2.0, "beyond the machine", "larger", 2.9),
        (3.0, "met", "smaller", None),
        (3.1, "not met", "smaller", 2.0),
        (3.5, "beyond the machine", "smaller", 3.2),
    ],
)
def test_verdict_follows_the_direction(
    value: float, verdict: str, direction: str, limit: float | None
) -> None:
    stretch = 4.0 if direction == "larger" else 1.0
    figure = Figure("x", value, minimum=3.0, stretch=stretch, direction=direction, limit=limit)
    assert figure.verdict == verdict
    assert figure.met == (verdict in ("met", "stretch"))


def test_figure_without_minimum_is_not_judged() -> None:
    figure = Figure("x", 1.0)
    assert figure.met is None
    assert figure.verdict == ""


def test_every_network_has_a_minimum_for_every_row_that_has_any() -> None:
    assert tuple(CASES) == NETWORKS
    for comparison in COMPARISONS:
        if comparison.peer != ONE_THREAD:
            assert not comparison.minimums or tuple(comparison.minimums) == NETWORKS


def test_ratio_is_to_the_quickest_peer() -> None:
    seconds = {SCANWISE: 1.0, ONE_THREAD: 1.9, PYTORCH: 4.0, f"{PYTORCH} channels_last": 3.0}
    figures = list(ratios(CASES["cifar-vgg"], "training", 64, seconds, threads=2, gflops=100.0))
    assert [figure.value for figure in figures] == [3.0, 1.9]
    assert [figure.verdict for figure in figures] == ["met", "met"]
    assert "channels_last" in figures[0].note
    assert figures[1].limit == 2.0


def test_only_what_may_use_winograd_is_allowed_more() -> None:
    seconds = {SCANWISE: 1.0, FAST: 0.5, ONNX_RUNTIME: 1.0}
    exact, fast = ratios(CASES["mnist-cnn"], "inference", 128, seconds, threads=2, gflops=100.0)
    assert (exact.value, fast.value) == (1.0, 2.0)
    assert exact.limit is not None
    assert fast.limit is not None
    assert fast.limit > 2.0 * exact.limit


@dataclass(frozen=True)
class Drawn(Case):
    """A case whose network is given."""

    layers: sw.Sequential

    def network(self) -> sw.Sequential:
        return self.layers


def test_least_time_counts_products_that_are_not_with_padding() -> None:
    network = sw.Sequential(
        sw.Conv2d(4, 3, stride=2, padding=1, groups=2), sw.ReLU(), sw.Flatten(), sw.Linear(3)
    )
    case = Drawn("drawn", (2, 5, 4), 3, 1, network)
    ones = sw.Model(network, case.input_shape).parameters["0.weight"] * 0 + 1
    model = sw.Model(sw.Sequential(network.layers[0]), case.input_shape)
    model.parameters["0.weight"] = ones
    model.parameters["0.bias"] = np.zeros(4, np.float32)
    products = float(model(np.ones((1, 2, 5, 4))).sum())  # ones times ones: every product adds one
    linear = 4 * 3 * 2 * 3
    one_gflops = 1.0
    inference = least_seconds(case, 7, one_gflops, training=False, winograd=True)
    training = least_seconds(case, 7, one_gflops, training=True, winograd=True)
    assert inference == pytest.approx(7 * 2 * (products + linear) / 1e9)
    assert training == pytest.approx(7 * 2 * (2 * products + 3 * linear) / 1e9)


def test_report_names_what_falls_short(tmp_path: Path) -> None:
    figures = [Figure("good", 2.0, minimum=1.0), Figure("bad", 1.0, "s", minimum=0.5, direction="smaller")]
    report = Report("command", 2, {"one thread": 100.0}, {"Python": "3"}, ["JAX (not installed)"])
    report.sections.append(Section("Section", "text", ["a"], [["b"]], figures))
    markdown, written = report.write(tmp_path)
    text = markdown.read_text()
    assert "Left out: JAX (not installed)" in text
    assert "1 of 2 minimums are met." in text
    assert "bad" in text.partition("## Minimums")[2]
    assert "good" not in text.partition("## Minimums")[2]
    assert json.loads(written.read_text())["sections"][0]["figures"][1]["name"] == "bad"
