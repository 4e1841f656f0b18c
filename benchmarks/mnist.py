"""LeNet-5 on MNIST: seconds from process start to an accuracy on the test digits, and peak memory beside PyTorch.

Recipes were chosen on 10,000 of the training digits that took no part in training. Results are the same bits on every
machine and for every number of threads, so that only the seconds are measured here.

    python -m benchmarks.mnist RECIPE FOLDER SEED        one run, as a process of its own
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import children

Digits = NDArray[np.uint8]

_PARTS = ("x_train", "y_train", "x_test", "y_test")
_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        goal: test accuracy that it is for, in percent.
        epochs: times that every digit is used.
        rate: largest learning rate of `OneCycle` for `AdamW`.
        rise: share of the steps in which the rate goes up.
        decay: weight decay.
        distorted: whether every epoch sees the digits turned, stretched and moved anew.
    """

    goal: float
    epochs: int
    rate: float
    rise: float
    decay: float
    distorted: bool
    batch: int = 64


RECIPES = {
    "short": Recipe(99.0, 4, 0.01, 0.2, 0.1, False, batch=96),
    "long": Recipe(99.4, 20, 0.006, 0.3, 0.05, True),
}
_SECONDS = "MNIST LeNet-5 from process start to {} % (s)"
_ACCURACY = "MNIST LeNet-5 for {} %: accuracy on the test digits (%)"
_PEAK = "peak memory of MNIST LeNet-5 to 99.0 %, {} (MiB)"
_SHARE = "peak memory of MNIST LeNet-5 to 99.0 %, share of PyTorch's"
AT_MOST = {_SECONDS.format(99.0): 6.0, _SECONDS.format(99.4): 60.0, _SHARE: 1 / 3}
AT_LEAST = {_ACCURACY.format(recipe.goal): recipe.goal for recipe in RECIPES.values()}


def figures(threads: int, archive: Path) -> dict[str, float]:
    """Name with unit to value; medians over three seeds.

    Args:
        threads: for everyone.
        archive: `mnist.npz`. Its arrays are unpacked first, so that the processes read them from memory.
    """
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="scanwise-benchmark-") as folder:
        arrays = np.load(archive)
        for part in _PARTS:
            np.save(Path(folder, f"{part}.npy"), arrays[part])
        _run("short", folder, 0, threads)  # fills the cache
        for name, recipe in RECIPES.items():
            runs = [_run(name, folder, seed, threads) for seed in _SEEDS]
            found[_SECONDS.format(recipe.goal)] = statistics.median(seconds for seconds, _, _ in runs)
            found[_ACCURACY.format(recipe.goal)] = statistics.median(accuracy for _, accuracy, _ in runs)
            if name == "short":
                ours = statistics.median(peak for _, _, peak in runs)
        _, _, theirs = _run("pytorch", folder, 0, threads)
    return {
        **found,
        _PEAK.format("Scanwise"): ours,
        _PEAK.format("PyTorch"): theirs,
        _SHARE: ours / theirs,
    }


def _run(recipe: str, folder: str, seed: int, threads: int) -> tuple[float, float, float]:
    """Seconds of the whole process, accuracy in percent, peak memory in MiB."""
    arguments = ["-m", "benchmarks.mnist", recipe, folder, str(seed)]
    seconds, printed = children.run(arguments, str(Path(folder, "cache")), threads)
    result = json.loads(printed)
    return seconds, float(result["accuracy"]), float(result["peak"])


# --- within the process -------------------------------------------------------------------------------------------


def _scanwise(recipe: Recipe, digits: dict[str, Digits], seed: int) -> float:
    import scanwise as sw
    from scanwise import models

    x, y = digits["x_train"][:, None], digits["y_train"]
    random = np.random.default_rng(seed)
    callbacks = []
    if recipe.distorted:
        plain, x = x, distorted(x, random)

        def distort_again(_: sw.Model, history: sw.History) -> None:
            if len(history) < recipe.epochs:
                x[...] = distorted(plain, random)

        callbacks.append(distort_again)
    model = sw.Model(models.get("lenet5", (1, 28, 28), 10), (1, 28, 28), seed=seed)
    optimizer = sw.AdamW(sw.OneCycle(recipe.rate, rise=recipe.rise), weight_decay=recipe.decay)
    sw.fit(
        model,
        x,
        y,
        epochs=recipe.epochs,
        batch_size=recipe.batch,
        optimizer=optimizer,
        callbacks=callbacks,
        seed=seed,
        progress=False,
    )
    return float((model(digits["x_test"][:, None]).argmax(axis=1) == digits["y_test"]).mean())


def distorted(x: Digits, random: np.random.Generator, groups: int = 100) -> Digits:
    """The digits turned by up to 10 degrees, stretched and sheared by up to a tenth, and moved by up to two pixels.

    The digits of a group are distorted alike, by one matrix product: resampling is linear.
    """
    flat = x.reshape(len(x), -1)
    result = np.empty_like(flat)
    for part in np.array_split(random.permutation(len(x)), groups):
        result[part] = np.rint(flat[part].astype(np.float32) @ _resampling(x.shape[-1], random))
    return result.reshape(x.shape)


def _resampling(size: int, random: np.random.Generator) -> NDArray[np.float32]:
    """The matrix from an image's pixels to those of the distorted image, with bilinear interpolation."""
    angle = np.deg2rad(random.uniform(-10, 10))
    (down, right), shear = np.exp(random.uniform(-0.1, 0.1, 2)), random.uniform(-0.1, 0.1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[down, shear * right], [0.0, right]])
    middle = (size - 1) / 2
    goal = np.mgrid[:size, :size].reshape(2, -1) - middle
    source = matrix @ goal + middle + random.uniform(-2, 2, (2, 1))
    low = np.floor(source).astype(np.int64)
    share = source - low
    result = np.zeros((size * size, size * size), np.float32)
    for below in (0, 1):
        for beside in (0, 1):
            row, column = low[0] + below, low[1] + beside
            weight = np.abs(1 - below - share[0]) * np.abs(1 - beside - share[1])
            inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
            result[(row * size + column)[inside], np.flatnonzero(inside)] = weight[inside]
    return result


def _pytorch(recipe: Recipe, digits: dict[str, Digits], seed: int, threads: int) -> float:
    """The same in PyTorch: digits stay bytes, and a batch becomes float32 when it is used."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    x, y, x_test, y_test = (torch.from_numpy(digits[part]) for part in _PARTS)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * -(-len(x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, steps, pct_start=recipe.rise)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(x)).split(recipe.batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows, None].float() / 255), y[rows].long()).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        right = sum(
            int((net(part[:, None].float() / 255).argmax(1) == labels).sum())
            for part, labels in zip(x_test.split(1000), y_test.split(1000), strict=True)
        )
    return right / len(x_test)


def main() -> None:
    """Train once and print accuracy and peak memory."""
    name, folder, seed = sys.argv[1:]
    digits = {part: np.load(Path(folder, f"{part}.npy")) for part in _PARTS}
    if name == "pytorch":
        import os

        threads = int(os.environ["SCANWISE_THREADS"])
        accuracy = _pytorch(RECIPES["short"], digits, int(seed), threads)
    else:
        accuracy = _scanwise(RECIPES[name], digits, int(seed))
    print(json.dumps({"accuracy": 100 * accuracy, "peak": children.peak()}))


if __name__ == "__main__":
    main()
