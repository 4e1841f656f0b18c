"""`scanwise train --augment`: read as literals, meant for the data as they are, repeated by `--from`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scanwise as sw
from scanwise.augment import Augment, Brightness, MixBackground, TimeShift
from scanwise.cli import training
from scanwise.cli.augmentation import read_augment
from scanwise.data import Dataset
from tests.cli.conftest import REFERENCE, Run, pulses
from tests.cli.test_train import QUICK
from tests.cli.test_train_again import parameters_of
from tests.cli.test_wrong_use import one_line
from tests.data.conftest import write_image, write_tone


def command_of(path: str) -> Any:
    told = sw.load(path, backend="reference").training
    assert told is not None
    return told["command"]["augment"]


class TestReading:
    def test_the_printed_form(self) -> None:
        augment = Augment(TimeShift(3, wrap=True, p=0.5), MixBackground(["a.wav", "b.wav"], (0, 5)))
        assert read_augment([repr(step) for step in augment.steps]) == augment
        assert read_augment([" Brightness( (-0.5, .25) )"]) == Augment(Brightness((-0.5, 0.25)))
        assert read_augment([]) is None

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("Foo(1)", "augment must be one of AddNoise, Brightness, .*, TimeMask, TimeShift. Got 'Foo'"),
            ("TimeShift", r"augment must be written like 'TimeShift\(800\)'. Got 'TimeShift'"),
            ("TimeShift(", "augment must be written like"),
            ("", "augment must be written like"),
            ("TimeShift(3); Gain(3)", "augment must be written like"),
            ("__import__('os').system('touch x')", "augment must be written like"),
            ("TimeShift(**{'most': 3})", "augment must be written like"),
            ("Gain({[]: 1})", "augment must have numbers, texts, lists"),
            ("TimeShift(*[3])", "augment must have numbers, texts, lists"),
            ("TimeShift(open('x', 'w'))", "augment must have numbers, texts, lists"),
            (
                "TimeShift()",
                r"must have the arguments of TimeShift. Got 'TimeShift\(\)': missing 1 .*: 'most'",
            ),
            ("TimeShift(3, True, 4)", "must have the arguments of TimeShift. Got .* positional arguments"),
            (
                "TimeShift(3, by=4)",
                "must have the arguments of TimeShift. Got .* unexpected keyword argument 'by'",
            ),
            ("TimeShift(0)", "TimeShift: most must be a positive integer. Got 0"),
            ("TimeShift('3')", "TimeShift: most must be"),
            ("Gain(3, p=2)", "Gain: p must be a probability, from 0 to 1. Got 2"),
            ("Rotate(" * 300 + ")" * 300, "augment must"),
        ],
    )
    def test_what_is_no_augmentation(self, text: str, message: str, in_tmp_path: Path) -> None:
        with pytest.raises(sw.ScanwiseError, match=message):
            read_augment([text])
        assert not list(in_tmp_path.iterdir())


def test_a_model_is_trained_and_trained_again(run: Run, series: Path, network: Path) -> None:
    options = ("--network", network, *QUICK)
    augmented = (*options, "--augment", "TimeShift(2)", "--augment", "AddNoise((5, 20), p=0.5)")
    assert run("train", series, "-o", "plain", *options).code == 0
    assert run("train", series, "-o", "m", *augmented).code == 0
    assert parameters_of("m") != parameters_of("plain")
    assert command_of("m") == ["TimeShift(2)", "AddNoise((5, 20), p=0.5)"]
    assert command_of("plain") == []
    told = sw.load("m", backend="reference").training
    assert told is not None
    assert told["augment"].startswith("Augment(TimeShift(p=1.0, most=2, wrap=False), AddNoise(p=0.5")
    outcome = run("train", "--from", "m", "-o", "again")
    assert outcome.code == 0, outcome.err
    assert parameters_of("again") == parameters_of("m")
    outcome = run("train", "--from", "m", "-o", "other", "--augment", "TimeShift(3)")
    one_line(outcome, 2, "with --from the options that decide the training must be left out. Got --augment")


def test_native_trainings_and_check_points(run: Run, series: Path, network: Path) -> None:
    options = ("--network", network, "--epochs", "2", "--find-lr", "--augment", "TimeShift(2)")
    outcome = run("train", series, "-o", "m", *options, "--checkpoint", "c")
    assert outcome.code == 0, outcome.err
    assert run("train", series, "-o", "again", *options).code == 0
    assert parameters_of("again") == parameters_of("m")


@pytest.mark.parametrize("where", ["folder", "file"])
def test_backgrounds_are_read_at_the_datas_rate(
    run: Run, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label, hertz in (("high", 1500.0), ("low", 250.0)):
        for i in range(3):
            write_tone(Path("clips", label, f"{i}.wav"), 0.05, hertz, rate=8000)
    for i in range(2):
        write_tone(Path("noise", f"{i}.wav"), 0.5, 100.0, rate=16000, channels=2)
    name = "noise/" if where == "folder" else "noise/1.wav"
    used = []
    fit = sw.fit

    def looked_at(*arguments: Any, **options: Any) -> Any:
        used.append(options["augment"])
        return fit(*arguments, **options)

    monkeypatch.setattr(training, "fit", looked_at)
    options = (
        *QUICK,
        "--network",
        "mlp",
        "--window",
        "0.05",
        "--augment",
        f'MixBackground("{name}", snr=(0, 15))',
    )
    outcome = run("train", "clips", "-o", "m", *options)
    assert outcome.code == 0, outcome.err
    (augment,) = used
    (step,) = augment.steps
    assert [signal.shape for signal in step.recordings.signals] == [(1, 4000)] * (
        2 if where == "folder" else 1
    )
    outcome = run("train", "--from", "m", "-o", "again")
    assert outcome.code == 0, outcome.err
    assert "differ" not in outcome.err
    assert parameters_of("again") == parameters_of("m")
    write_tone(Path("noise", "1.wav"), 0.5, 150.0, rate=16000)
    outcome = run("train", "--from", "m", "-o", "other")
    assert "not the training of m: the values of the augmentation differ" in outcome.err


def test_units_are_those_of_the_data(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Series of 50 +- 0.001 are trained on at mean 0 and deviation 1, but shifted and mixed as they are."""
    x, y = pulses(40, scale=1e-3, offset=50.0)
    np.savez("d.npz", x=x, y=y)
    np.save("noise.npy", np.full((1, 30), 2.0, np.float32))
    found: dict[str, Any] = {}
    fit = sw.fit

    def looked_at(model: sw.Model, data: Dataset, **options: Any) -> Any:
        found.update(data=data, augment=options["augment"])
        return fit(model, data, **options)

    monkeypatch.setattr(training, "fit", looked_at)
    texts = ("TimeShift(3)", 'MixBackground("noise.npy", snr=20, p=1.0)')
    options = [word for text in texts for word in ("--augment", text)]
    outcome = run("train", "d.npz", "-o", "m", "--network", "mlp", *QUICK, "--validation", "0", *options)
    assert outcome.code == 0, outcome.err
    layer = sw.load("m", backend="reference").parameters
    deviation = 1 / float(layer["0.weight"].ravel()[0])
    mean = -float(layer["0.bias"][0]) * deviation
    meant = Augment(TimeShift(3), MixBackground(np.full((1, 30), 2.0), 20.0, p=1.0))(x, seed=0, epoch=1)
    seen = found["augment"](found["data"].x, seed=0, epoch=1) * deviation + mean
    np.testing.assert_allclose(seen, meant, rtol=0, atol=1e-3)
    assert (meant < 10.0).sum() > 20  # zeros came in, and some of the background on top
    assert run("eval", "m", "d.npz", *REFERENCE).code == 0


def test_what_does_not_fit_the_data(run: Run, series: Path, network: Path) -> None:
    options = ("-o", "m", "--network", network, *QUICK, "--augment")
    one_line(run("train", series, *options, "Foo(1)"), 2, "augment must be one of AddNoise, ")
    one_line(
        run("train", series, *options, "TimeShift(12)"),
        2,
        "TimeShift: samples must be longer than most=12. Got (1, 12).",
    )
    one_line(run("train", series, *options, "Rotate(10)"), 2, "Rotate: samples must have shape (C, H, W)")
    one_line(
        run("train", series, *options, 'MixBackground("nowhere.csv")'),
        2,
        "background must be an existing file. Got nowhere.csv, which does not exist.",
    )
    Path("empty").mkdir()
    one_line(run("train", series, *options, 'MixBackground("empty")'), 1, "empty must hold at least one file")
    write_image(Path("picture.png"), np.zeros((4, 4), np.uint8))
    assert run("train", series, *options, 'MixBackground("picture.png")').code in (1, 2)
    assert not Path("m").exists()


def test_inspect_tells_it(run: Run, series: Path, network: Path) -> None:
    options = ("--network", network, *QUICK, "--augment", "TimeShift(2)", "--augment", "Gain(6)")
    assert run("train", series, "-o", "m", *options).code == 0
    assert "augmentation TimeShift(2), Gain(6)\n" in run("inspect", "m").out
    assert "augmentation Augment(" not in run("inspect", "m").out
