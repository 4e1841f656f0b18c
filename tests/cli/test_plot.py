"""`scanwise scan --plot`: a picture for every kind of signal, or a clear word why not."""

from __future__ import annotations

import errno
import importlib.util
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import scanwise as sw
from scanwise.cli import picture
from scanwise.scanning.grid import Axis
from tests.cli.conftest import REFERENCE, Run
from tests.data.conftest import write_tone


def scan_of(signal: NDArray[Any], window: tuple[int, ...], outputs: int, **facts: Any) -> sw.ScanResult:
    """A scan with drawn scores."""
    axes = tuple(Axis(extent, w, 2, 1) for extent, w in zip(signal.shape[1:], window, strict=True))
    scores = (
        np.random.default_rng(0).normal(size=(outputs, *(axis.count for axis in axes))).astype(np.float32)
    )
    known: dict[str, Any] = {"labels": None, "background": None, "sample_rate": None, **facts}
    return sw.ScanResult(
        scores, axes, sw.Coverage.of(axes), "shared", "", activation="sigmoid", exclusive=False, **known
    )


@pytest.mark.parametrize("kind", ["recording", "channels", "series", "grey", "rgb", "flat", "bytes"])
def test_every_kind_of_signal_becomes_a_picture(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    signal: NDArray[Any]
    if kind in ("recording", "channels", "series"):
        channels = {"recording": 1, "channels": 3, "series": 9}[kind]
        signal = random.normal(size=(channels, 5001)).astype(np.float32)
        names = ("none", "a$b$", "ü")
        result = scan_of(signal, (40,), 3, labels=names, background="none", sample_rate=100.0)
    else:
        signal = random.normal(size=(3 if kind == "rgb" else 1, 70, 2003))
        signal = (100 * signal).astype(np.uint8) if kind == "bytes" else signal * (kind != "flat")
        result = scan_of(signal, (20, 30), 9)
    for found in (result.detections(0.9), []):
        picture.draw(tmp_path / "p.png", signal, result, found, title="a_$1.wav")
        with Image.open(tmp_path / "p.png") as drawn:
            drawn.load()
            assert drawn.size == (1560, 720)
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_a_detection_is_drawn_where_it_is(tmp_path: Path) -> None:
    """The signal's half in which something was found is coloured, the other half is not."""
    signal = np.zeros((1, 400), np.float32)
    result = scan_of(signal, (40,), 7)
    found = [sw.Detection("5", 5, 0.9, 200, 400)]
    picture.draw(tmp_path / "p.png", signal, result, found, title="")
    with Image.open(tmp_path / "p.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB"), int)[100:280]
    coloured = (np.ptp(pixels, axis=-1) > 20).mean(axis=0)
    assert coloured[200:700].max() < 0.1
    assert coloured[900:1300].min() > 0.9


def test_memory_does_not_grow_with_the_signal(tmp_path: Path) -> None:
    def peak(extent: int) -> int:
        signal = np.lib.format.open_memmap(tmp_path / "s.npy", "w+", np.float32, (1, extent))
        scores = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.float32, (2, extent // 10))
        axes = (Axis(extent, extent - 10 * (extent // 10 - 1), 10, 1),)
        result = sw.ScanResult(
            scores, axes, sw.Coverage.of(axes), "shared", "", None, None, None, "softmax", True
        )
        tracemalloc.start()
        picture.draw(tmp_path / "p.png", signal, result, [], title="")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10_000)
    assert peak(20_000_000) < peak(100_000) + 2**22  # the whole is 80 MB


def test_scan_writes_a_picture(run: Run, model: Path) -> None:
    values = np.zeros(100)
    values[20:24] = 4
    np.save("trace.npy", values)
    plain = run("scan", model, "trace.npy", *REFERENCE)
    outcome = run("scan", model, "trace.npy", *REFERENCE, "--plot", "p.PNG")
    assert (outcome.code, outcome.out, outcome.err) == (0, plain.out, "saved p.PNG\n")
    with Image.open("p.PNG") as drawn:
        assert drawn.format == "PNG"


@pytest.mark.parametrize("rule", ["zero", "skip"])
@pytest.mark.parametrize("support", [(), ("--support",)])
def test_values_that_are_not_finite_are_drawn_as_zeros(run: Run, rule: str, support: tuple[str, ...]) -> None:
    networks = {
        "s": (sw.Sequential(sw.Conv1d(2, 3), sw.Aggregate("max")), (1, 8), (1, 60)),
        "i": (sw.Sequential(sw.MaxPool2d(3), sw.Flatten(), sw.Linear(2)), (1, 6, 6), (1, 30, 40)),
    }
    for name, (network, window, extent) in networks.items():
        sw.Model(network, window, backend="reference").save("m")
        values = np.random.default_rng(0).standard_normal(extent)
        values[..., 20:22] = np.nan, np.inf
        np.save(f"{name}.npy", values)
        options = ("--nan", rule, *support, "--json", *REFERENCE)
        plain = run("scan", "m", f"{name}.npy", *options)
        outcome = run("scan", "m", f"{name}.npy", *options, "--plot", f"{name}.png")
        assert (outcome.code, outcome.out) == (0, plain.out)
        assert outcome.err == plain.err + f"saved {name}.png\n"
        assert Path(f"{name}.png").exists()


def test_scan_draws_a_recording(run: Run) -> None:
    net = sw.Sequential(sw.Downsample1d(10), sw.Aggregate("max"), sw.Linear(2))
    sw.Model(net, (1, 400), backend="reference", sample_rate=8000).save("m")
    write_tone(Path("a.wav"), 0.3, rate=16000)
    assert run("scan", "m", "a.wav", *REFERENCE, "--plot", "p.png").code == 0
    assert Path("p.png").exists()


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (("s.npy", "--plot", "p.jpg"), "plot must be a file that ends in .png. Got p.jpg."),
            (("s.npy", "t.npy", "--plot", "p.png"), "plot must be asked for with one file to scan. Got 2."),
            (("s.npy", "--plot", "no/p.png"), "output must be in a folder that exists. Got no/p.png."),
            (
                ("s.npy", "--plot", "p.png", "-o", "./p.png"),
                "plot must be another file than output. Got p.png.",
            ),
        ],
    )
    def test_wrong_use(self, run: Run, model: Path, options: tuple[str, ...], told: str) -> None:
        for name in ("s.npy", "t.npy"):
            np.save(name, np.zeros(40))
        outcome = run("scan", model, *options, *REFERENCE)
        assert (outcome.code, outcome.out, outcome.err) == (2, "", f"error: {told}\n")
        assert not Path("p.png").exists()

    def test_without_matplotlib(self, run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        np.save("s.npy", np.zeros(40))
        there = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "matplotlib" else there(name)
        )
        outcome = run("scan", model, "s.npy", "--plot", "p.png", *REFERENCE)
        assert outcome.code == 2
        assert (
            outcome.err
            == "error: --plot needs matplotlib, which must be installed: pip install 'scanwise[plot]'\n"
        )

    def test_a_full_disk_leaves_nothing(self, run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        np.save("s.npy", np.zeros(40))

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        before = sorted(Path().iterdir())
        outcome = run("scan", model, "s.npy", "--plot", "p.png", *REFERENCE)
        assert outcome.code == 2
        assert outcome.err == "error: p.png: the file must be writable. No space left on device.\n"
        assert sorted(Path().iterdir()) == before
