"""`Augment` and what all augmentations share: fields, JSON, shapes, and samples that follow from the seed alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scanwise as sw
from scanwise import augment
from scanwise.augment import Augment, Augmentation

SIGNALS = Augment(
    augment.TimeShift(5, p=0.8), augment.Gain((-6, 6)), augment.AddNoise((5, 20), p=0.5),
    augment.MixBackground(np.random.default_rng(0).normal(size=(2, 90))), augment.TimeMask(4, count=2),
    augment.FrequencyMask(1),
)  # fmt: skip
IMAGES = Augment(
    augment.Shift(2), augment.Crop((0.8, 1)), augment.Flip(), augment.Flip("vertical"), augment.Rotate(15),
    augment.Scale((0.9, 1.1)), augment.Brightness(0.2), augment.Contrast((0.8, 1.2)), augment.Cutout((3, 2), count=2),
)  # fmt: skip
NAMED = Augment(*IMAGES.steps, *SIGNALS.steps[:3], augment.MixBackground(["a", "b"], 3), *SIGNALS.steps[4:])


def test_every_kind_is_here() -> None:
    assert {step.kind for step in NAMED.steps} == set(Augmentation.kinds)
    assert {
        *Augmentation.kinds,
        "Augment",
        "Augmentation",
        "Recordings",
        "bind",
        "from_json",
        "standardised",
    } == set(augment.__all__)


@pytest.mark.parametrize("step", NAMED.steps, ids=lambda step: step.kind)
def test_data_both_ways(step: Augmentation) -> None:
    assert augment.from_json(json.loads(json.dumps(step.to_json()))) == step
    assert eval(repr(step), vars(augment)) == step
    assert hash(eval(repr(step), vars(augment))) == hash(step)
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.p = 0.1  # type: ignore[misc]


def test_steps_both_ways() -> None:
    assert Augment.from_json(json.loads(json.dumps(NAMED.to_json()))) == NAMED
    assert eval(repr(NAMED), vars(augment)) == NAMED


@given(
    st.sampled_from([(SIGNALS, (2, 30)), (IMAGES, (2, 7, 6))]),
    st.integers(0, 2**64 - 1),
    st.integers(0, 1000),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True),
)
def test_a_sample_does_not_know_its_batch(
    case: tuple[Augment, tuple[int, ...]], seed: int, epoch: int, samples: list[int]
) -> None:
    steps, shape = case
    x = np.random.default_rng(0).normal(size=(len(samples), *shape))
    together = steps(x, seed=seed, epoch=epoch, samples=samples)
    assert together.shape == x.shape
    assert together.dtype == np.float32
    for one, number, expected in zip(x, samples, together, strict=True):
        np.testing.assert_array_equal(steps(one[None], seed=seed, epoch=epoch, samples=[number])[0], expected)


def test_seed_epoch_and_place_matter() -> None:
    x = np.ones((1, 1, 8))
    steps = Augment(augment.Gain(6), augment.Gain(6))
    values = [steps(x, **where)[0, 0, 0] for where in ({}, {"seed": 1}, {"epoch": 1}, {"samples": [1]})]
    assert len(set(values)) == 4
    assert steps(x)[0, 0, 0] != pytest.approx(Augment(augment.Gain(6))(x)[0, 0, 0] ** 2)


def test_what_is_given_stays_as_it_is() -> None:
    for steps, shape in ((SIGNALS, (2, 30)), (IMAGES, (2, 7, 6))):
        x = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
        kept = x.copy()
        steps(x)
        np.testing.assert_array_equal(x, kept)


def test_bytes_are_0_to_1() -> None:
    x = np.full((1, 1, 4, 4), 255, np.uint8)
    np.testing.assert_allclose(Augment(augment.Brightness((1, 1)))(x), np.full((1, 1, 4, 4), 2.0))


def test_never_is_never() -> None:
    x = np.random.default_rng(0).normal(size=(50, 1, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(Augment(augment.Cutout(3, p=0), augment.Flip(p=0))(x), x)


def test_no_samples() -> None:
    assert SIGNALS(np.zeros((0, 2, 30))).shape == (0, 2, 30)


def called(name: str, *arguments: object, **named: object) -> Any:
    """A call that type checkers need not agree with."""
    return getattr(augment, name)(*arguments, **named)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: augment.TimeShift(0), sw.ArgumentError, "TimeShift: most must be a positive integer. Got 0"),
        (
            lambda: called("TimeShift", 1.5),
            sw.ArgumentTypeError,
            "TimeShift: most must be a positive integer",
        ),
        (lambda: called("TimeShift", 1, wrap=1), sw.ArgumentTypeError, "wrap must be True or False"),
        (lambda: augment.Gain((6, -6)), sw.ArgumentError, "Gain: decibels must be a number, or a pair"),
        (lambda: augment.Gain(-6), sw.ArgumentError, "decibels must be at least 0, or a pair"),
        (lambda: called("Gain", "loud"), sw.ArgumentTypeError, "decibels must be a number. Got 'loud'"),
        (lambda: augment.Gain(float("nan")), sw.ArgumentError, "decibels must be a finite number"),
        (lambda: called("Gain", (1, 2, 3)), sw.ArgumentError, "Got .1, 2, 3."),
        (lambda: augment.AddNoise(float("inf")), sw.ArgumentError, "snr must be a finite number"),
        (lambda: augment.TimeMask(3, count=0), sw.ArgumentError, "count must be a positive integer"),
        (lambda: augment.FrequencyMask(0), sw.ArgumentError, "most must be a positive integer"),
        (lambda: augment.Shift(-1), sw.ArgumentError, "Shift: most must be an integer of at least 0"),
        (lambda: augment.Shift((1, 2, 3)), sw.ArgumentError, "Shift: most must be"),
        (
            lambda: called("Crop", 0.5),
            sw.ArgumentTypeError,
            r"Crop: share must be a pair \(low, high\). Got 0.5",
        ),
        (lambda: augment.Crop((0.5, 1.5)), sw.ArgumentError, "above 0 and at most 1"),
        (lambda: augment.Flip("diagonal"), sw.ArgumentError, "axis must be one of 'horizontal', 'vertical'"),
        (lambda: augment.Rotate(-3), sw.ArgumentError, "degrees must be at least 0, or a pair"),
        (lambda: augment.Scale((0, 1)), sw.ArgumentError, r"factor must be a pair \(low, high\) above 0"),
        (
            lambda: augment.Scale((5e-324, 1)),
            sw.ArgumentError,
            "Scale: factor must be between 1e-06 and 1e.06. Got .5e-324",
        ),
        (
            lambda: augment.Gain(1e30),
            sw.ArgumentError,
            "decibels must be between -200 and 200 decibels. Got .-1e.30",
        ),
        (
            lambda: augment.AddNoise(-201),
            sw.ArgumentError,
            "AddNoise: snr must be between -200 and 200 decibels",
        ),
        (
            lambda: augment.TimeMask(3, count=10**9),
            sw.ArgumentError,
            "count must be at most 1000. Got 1000000000",
        ),
        (lambda: augment.Cutout(3, 1001), sw.ArgumentError, "Cutout: count must be at most 1000. Got 1001"),
        (
            lambda: SIGNALS.check(cast("Any", 3)),
            sw.ArgumentTypeError,
            "input_shape must be a tuple of integers. Got 3",
        ),
        (
            lambda: called("bind", "Flip()", np.array),
            sw.ArgumentTypeError,
            r"augment must be an Augment. Got 'Flip\(\)'",
        ),
        (
            lambda: called("standardised", None, [0], [1]),
            sw.ArgumentTypeError,
            "augment must be an Augment. Got None",
        ),
        (
            lambda: called("standardised", SIGNALS, [0, 1], [1]),
            sw.ArgumentError,
            r"shape \(C,\). Got \(2,\) and \(1,\)",
        ),
        (
            lambda: called("standardised", SIGNALS, [0], [0]),
            sw.ArgumentError,
            r"deviation finite and above 0. Got .* \[0.0\]",
        ),
        (lambda: augment.Contrast((-1, 1)), sw.ArgumentError, "Contrast: factor must be a pair"),
        (lambda: called("Brightness", None), sw.ArgumentTypeError, "change must be a number"),
        (lambda: augment.Cutout(0), sw.ArgumentError, "Cutout: extent must be a positive integer"),
        (
            lambda: augment.Flip(p=1.5),
            sw.ArgumentError,
            "Flip: p must be a probability, from 0 to 1. Got 1.5",
        ),
        (lambda: called("Flip", p="x"), sw.ArgumentTypeError, "Flip: p must be a number"),
        (Augment, sw.ArgumentError, "Augment: steps must be at least one augmentation. Got none"),
        (
            lambda: called("Augment", sw.ReLU()),
            sw.ArgumentTypeError,
            r"step 0 must be an augmentation.* Got ReLU\(\)",
        ),
        (lambda: augment.from_json(3), sw.ArgumentTypeError, "must be a JSON object with a 'kind'. Got 3"),
        (
            lambda: augment.from_json({"kind": "Blur"}),
            sw.ArgumentError,
            "kind must be one of AddNoise, .*'Blur'",
        ),
        (lambda: augment.from_json({"kind": "Gain"}), sw.ArgumentError, "field 'decibels' must be given"),
        (
            lambda: augment.from_json({"kind": "Flip", "q": 1}),
            sw.ArgumentError,
            "field must be one of p, axis",
        ),
        (
            lambda: Augment.from_json({"kind": "Flip"}),
            sw.ArgumentTypeError,
            "must be a list of augmentations",
        ),
        (lambda: Augment.from_json([]), sw.ArgumentError, "at least one augmentation"),
    ],
)
def test_wrong_arguments(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("step", "shape", "message"),
    [
        (augment.TimeShift(5), (1, 5), r"longer than most=5. Got \(1, 5\)"),
        (augment.TimeShift(5), (1, 9, 9), r"TimeShift: samples must have shape \(C, T\). Got \(1, 9, 9\)"),
        (augment.TimeMask(6), (1, 5), "at least most=6 long"),
        (augment.FrequencyMask(2), (2, 9), "more channels than most=2"),
        (augment.Shift((0, 4)), (1, 9, 4), r"larger than most=\(0, 4\). Got \(1, 9, 4\)"),
        (augment.Cutout(4), (1, 4, 9), "larger than extent=4"),
        (augment.Rotate(5), (1, 9), r"Rotate: samples must have shape \(C, H, W\). Got \(1, 9\)"),
        (augment.Gain(5), (9,), r"samples must have shape \(C, T\) or \(C, H, W\). Got \(9,\)"),
    ],
)
def test_samples_that_do_not_fit(step: Augmentation, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(sw.ShapeError, match=message):
        Augment(step)(np.zeros((2, *shape)))


def test_wrong_calls() -> None:
    steps, x = Augment(augment.Gain(6)), np.zeros((2, 1, 4))
    with pytest.raises(sw.ArgumentError, match="must be finite"):
        steps(np.full((1, 1, 4), np.nan))
    with pytest.raises(sw.ArgumentTypeError, match="x must be an array of real numbers"):
        steps(np.full((1, 1, 4), "a"))
    with pytest.raises(sw.ArgumentError, match="samples must be one number of at least 0 for each of 2"):
        steps(x, samples=[1])
    with pytest.raises(sw.ArgumentError, match="samples must be one number"):
        steps(x, samples=[0, -1])
    with pytest.raises(sw.ArgumentError, match=r"epoch must be an integer of at least 0. Got -1"):
        steps(x, epoch=-1)
    with pytest.raises(sw.ArgumentError, match="seed must be from 0"):
        steps(x, seed=-1)
