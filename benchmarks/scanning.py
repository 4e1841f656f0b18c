"""The scanning MLP against its convolutional form, and against one whose windows are cut out first (lecture 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import scanwise as sw
from benchmarks.contenders import ScanwiseTraining
from benchmarks.networks import Case
from benchmarks.timing import Work, interleaved

FORMS = ("scanning MLP", "convolutions", "windows cut out")
BATCH = 64

SIGNAL = sw.Scan1d(
    sw.Sequential(sw.Linear(64), sw.ReLU(), sw.Linear(64), sw.ReLU(), sw.Linear(12)), window=15
)
IMAGE = sw.Scan2d(sw.Sequential(sw.Linear(32), sw.ReLU(), sw.Linear(32), sw.ReLU(), sw.Linear(10)), window=9)
CASES: dict[str, tuple[sw.Scan1d | sw.Scan2d, tuple[int, ...], int]] = {
    "signal 40x100, window 15": (SIGNAL, (40, 100), 12),
    "image 28x28, window 9": (IMAGE, (1, 28, 28), 10),
}


@dataclass(frozen=True)
class _Form(Case):
    """A case whose network is given."""

    layers: sw.Sequential

    def network(self) -> sw.Sequential:
        return self.layers


def figures(threads: int, *, rounds: int, seconds: float) -> dict[str, float]:
    """For each case, how many times as long the scanning MLP takes as its other forms, training and inferring."""
    sw.set_threads(threads)
    found: dict[str, float] = {}
    for name, (scan, input_shape, classes) in CASES.items():
        forms = dict(zip(FORMS, _forms(scan), strict=True))
        cases = {form: _Form("scan", input_shape, classes, BATCH, network) for form, network in forms.items()}
        works = {"training step": _training(cases), "inference": _inference(cases)}
        for work, contenders in works.items():
            taken = interleaved(contenders, rounds=rounds, seconds=seconds)
            for other in FORMS[1:]:
                key = f"scanning MLP, {name}, {work}: time as a multiple of {other}"
                found[key] = taken[FORMS[0]] / taken[other]
    return found


def _forms(scan: sw.Scan1d | sw.Scan2d) -> list[sw.Sequential]:
    """The same function three times."""
    ones = sw.as_convolution(
        type(scan)(scan.mlp, 1)
    )  # the MLP at single positions, of windows that lie as channels
    end = sw.Aggregate("max")
    return [
        sw.Sequential(scan, end),
        sw.Sequential(*sw.as_convolution(scan), end),
        sw.Sequential(scan.windows, *ones, end),
    ]


def _training(cases: dict[str, _Form]) -> dict[str, Work]:
    x, y = cases[FORMS[0]].samples(16 * BATCH)
    return {form: ScanwiseTraining(case, x, y).run for form, case in cases.items()}


def _inference(cases: dict[str, _Form]) -> dict[str, Work]:
    x, _ = cases[FORMS[0]].samples(16 * BATCH)
    parts = np.split(x, 16)
    models = {form: case.model() for form, case in cases.items()}
    first = models[FORMS[0]]
    for model in models.values():  # the same weights everywhere, in their own shapes
        for (name, value), old in zip(model.parameters.items(), first.parameters.values(), strict=True):
            model.parameters[name] = old.reshape(value.shape)
        np.testing.assert_allclose(model(parts[0]), first(parts[0]), rtol=1e-4, atol=1e-5)

    def work(model: sw.Model) -> Work:
        def run(calls: int) -> None:
            for i in range(calls):
                model(parts[i % len(parts)])

        return run

    return {form: work(model) for form, model in models.items()}
