"""Native augmentation against the reference: the same draws, values within float32, bits on every target."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise.augment import (
    AddNoise,
    Augment,
    Augmentation,
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Flip,
    FrequencyMask,
    Gain,
    MixBackground,
    Recordings,
    Rotate,
    Scale,
    Shift,
    TimeMask,
    TimeShift,
    native,
    reference,
    standardised,
)
from scanwise.augment.native.change import ChangeKernel, change
from scanwise.codegen import jit
from scanwise.codegen.emitter import Emitter
from scanwise.codegen.floating_point import FloatingPointMode
from scanwise.codegen.target import AVX2, AVX512, GENERIC, NEON
from scanwise.errors import EngineError
from tests.kernels.harness import host_targets

SAMPLES = 6
TOLERANCE = 1e-6  # of the largest value, a step

# Around the vector width, one and several channels, single samples and pixels.
LENGTHS = st.sampled_from([1, 2, 7, 8, 15, 16, 17, 33, 100])
CHANNELS = st.sampled_from([1, 2, 3, 17])
EXTENTS = st.sampled_from([1, 2, 5, 15, 16, 17, 33])
PROBABILITIES = st.sampled_from([0.0, 0.5, 1.0])


def drawn(draw: Any, low: float, high: float) -> tuple[float, float]:
    numbers = st.floats(low, high, width=32)
    return tuple(sorted((draw(numbers), draw(numbers))))


@st.composite
def backgrounds(draw: Any, channels: int) -> Recordings:
    """One or two recordings, longer or shorter than the samples, of both types."""
    generator = np.random.default_rng(draw(st.integers(0, 9)))
    found: list[NDArray[Any]] = []
    for length in draw(st.lists(st.sampled_from([1, 5, 16, 40, 200]), min_size=1, max_size=2)):
        values = generator.integers(0, 256, (channels, length), np.uint8)
        found.append(values if draw(st.booleans()) else (values / 100.0).astype(np.float32))
    return Recordings(found)


@st.composite
def of_signals(draw: Any) -> tuple[Augmentation, tuple[int, ...]]:
    C, T = draw(CHANNELS), draw(LENGTHS)
    p = draw(PROBABILITIES)
    kinds: list[Any] = [
        lambda: Gain(drawn(draw, -20, 20), p=p),
        lambda: AddNoise(drawn(draw, -10, 40), p=p),
        lambda: TimeMask(draw(st.integers(1, T)), draw(st.integers(1, 3)), p=p),
        lambda: MixBackground(draw(backgrounds(C)), drawn(draw, -10, 40), p=p),
    ]
    if T > 1:
        kinds.append(lambda: TimeShift(draw(st.integers(1, T - 1)), draw(st.booleans()), p=p))
    if C > 1:
        kinds.append(lambda: FrequencyMask(draw(st.integers(1, C - 1)), draw(st.integers(1, 3)), p=p))
    return draw(st.sampled_from(kinds))(), (C, T)


@st.composite
def of_images(draw: Any) -> tuple[Augmentation, tuple[int, ...]]:
    C, H, W = draw(CHANNELS), draw(EXTENTS), draw(EXTENTS)
    p = draw(PROBABILITIES)
    kinds: list[Any] = [
        lambda: Gain(drawn(draw, -20, 20), p=p),
        lambda: AddNoise(drawn(draw, -10, 40), p=p),
        lambda: Shift((draw(st.integers(0, H - 1)), draw(st.integers(0, W - 1))), p=p),
        lambda: Crop(drawn(draw, 0.125, 1.0), p=p),
        lambda: Flip(draw(st.sampled_from(Flip.directions)), p=p),
        lambda: Rotate(drawn(draw, -400, 400), p=p),
        lambda: Scale(drawn(draw, 0.25, 4.0), p=p),
        lambda: Brightness(drawn(draw, -2, 2), p=p),
        lambda: Contrast(drawn(draw, 0.25, 4.0), p=p),
    ]
    if min(H, W) > 1:
        extent = st.tuples(st.integers(1, H - 1), st.integers(1, W - 1))
        kinds.append(lambda: Cutout(draw(extent), draw(st.integers(1, 3)), p=p))
    return draw(st.sampled_from(kinds))(), (C, H, W)


def values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1.0, 1.5, (SAMPLES, *shape)).astype(np.float32)


def compared(augment: Augment, x: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """The native result, which is the reference's, and has the same bits on every target."""
    numbers = np.arange(len(x)) * 1000 + seed
    before = x.copy()
    found, *others = [
        native.augmented(augment, x, seed=seed, epoch=3, samples=numbers, target=target)
        for target in host_targets()
    ]
    for other in others:
        assert other.tobytes() == found.tobytes(), augment
    assert x.tobytes() == before.tobytes()
    expected = reference.augmented(augment, x.astype(np.float64), seed=seed, epoch=3, samples=numbers)
    largest = max(1e-30, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=len(augment.steps) * TOLERANCE * largest)
    return found


@settings(max_examples=40, deadline=None)
@given(of_signals(), st.integers(0, 2**32 - 1))
def test_signals(case: tuple[Augmentation, tuple[int, ...]], seed: int) -> None:
    augmentation, shape = case
    compared(Augment(augmentation), values(*shape), seed)


@settings(max_examples=50, deadline=None)
@given(of_images(), st.integers(0, 2**32 - 1))
def test_images(case: tuple[Augmentation, tuple[int, ...]], seed: int) -> None:
    augmentation, shape = case
    compared(Augment(augmentation), values(*shape), seed)


ROW = Augment(Shift(2), Rotate(20), Scale((0.8, 1.25), p=0.5), Crop((0.7, 1)), AddNoise((5, 20)), Cutout(3))


def test_several_in_a_row() -> None:
    compared(ROW, values(2, 9, 18))


def test_what_is_only_moved_has_the_references_bits() -> None:
    x, image = values(3, 50), values(3, 17, 18)
    for augmentation, given_ in (
        (TimeShift(20), x),
        (TimeShift(20, wrap=True), x),
        (TimeMask(9, 2), x),
        (FrequencyMask(1), x),
        (Shift(3), image),
        (Flip(p=1.0), image),
        (Flip("vertical", p=1.0), image),
        (Cutout((4, 5), 2), image),
        (Rotate((360, 360)), image),
        (Scale((1, 1)), image),
        (Crop((1, 1)), image),
    ):
        augment = Augment(augmentation)
        numbers = np.arange(SAMPLES)
        expected = reference.augmented(
            augment, given_.astype(np.float64), seed=0, epoch=3, samples=numbers
        ).astype(np.float32)
        found = native.augmented(augment, given_, seed=0, epoch=3, samples=numbers)
        assert np.array_equal(found, expected), augmentation


def test_samples_of_zeros() -> None:
    for shape, augment in (
        ((2, 30), Augment(AddNoise(5), MixBackground(np.ones((2, 40)), 5.0, p=1.0), Gain(6))),
        ((2, 5, 6), Augment(Contrast((2, 2)), Rotate(90), AddNoise(5))),
    ):
        zeros = np.zeros((SAMPLES, *shape), np.float32)
        assert not compared(augment, zeros).any()


def test_a_silent_background_changes_nothing() -> None:
    x = values(1, 30)
    augment = Augment(MixBackground(np.zeros((1, 10)), 5.0, p=1.0))
    assert compared(augment, x).tobytes() == x.tobytes()


def test_probabilities_of_0_and_1() -> None:
    x = values(2, 8, 9)
    assert compared(Augment(Brightness((1, 2), p=0.0)), x).tobytes() == x.tobytes()
    changed = compared(Augment(Brightness((1, 2), p=1.0)), x)
    assert ((changed - x) > 0.999).all()


def test_large_shapes_keep_the_tolerance() -> None:
    tall = np.random.default_rng(0).uniform(size=(2, 1, 600, 700)).astype(np.float32)
    compared(Augment(Rotate((37, 37)), Scale((1.3, 1.3)), Contrast((2, 2))), tall)
    long = np.random.default_rng(0).uniform(5.0, 6.0, (2, 1, 300_000)).astype(np.float32)
    compared(Augment(AddNoise(30), Gain((3, 3))), long)


def test_samples_are_the_same_alone_and_in_any_company() -> None:
    x = values(2, 9, 18)
    together = native.augmented(ROW, x, seed=7, epoch=1, samples=np.arange(SAMPLES))
    for n in range(SAMPLES):
        alone = native.augmented(ROW, x[n : n + 1], seed=7, epoch=1, samples=np.array([n]))
        assert alone[0].tobytes() == together[n].tobytes()


def test_standardised_samples_are_augmented_in_their_own_units() -> None:
    mean, deviation = np.array([100.0, -3.0]), np.array([20.0, 0.5])
    form = (-1, 1, 1)
    augment = Augment(Shift(2), Brightness((5, 6)), Rotate(30), AddNoise(10))
    x = values(2, 9, 8) * deviation.reshape(form) + mean.reshape(form)
    z = ((x - mean.reshape(form)) / deviation.reshape(form)).astype(np.float32)
    found = compared(standardised(augment, mean, deviation), z)
    expected = reference.augmented(augment, x, seed=0, epoch=3, samples=np.arange(SAMPLES) * 1000)
    np.testing.assert_allclose(
        found, (expected - mean.reshape(form)) / deviation.reshape(form), rtol=0, atol=2e-4
    )


@dataclass(frozen=True)
class Flush:
    """Leaves the thread in a mode where small numbers count as zero, or gives the default back."""

    on: bool
    pointers: int = 2

    def emit(self, e: Emitter) -> None:
        mode = FloatingPointMode(e)
        if self.on:
            mode.flush_small_numbers()
        else:
            mode.set_default()


def test_the_threads_floating_point_mode_does_not_matter() -> None:
    x = values(1, 30) * np.float32(1e-38)

    def set_mode(*, on: bool) -> None:
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
        kind(jit.address(Flush(on)))(0, 0, 0)

    def found() -> bytes:
        numbers = np.arange(SAMPLES)
        return native.augmented(Augment(Gain((-6, -6))), x, seed=0, epoch=0, samples=numbers).tobytes()

    expected = found()
    set_mode(on=True)
    try:
        assert found() == expected
    finally:
        set_mode(on=False)


@pytest.mark.parametrize("target", [AVX512, AVX2, GENERIC, NEON], ids=lambda target: target.name)
def test_every_target_has_code(target: Any) -> None:
    kernels: list[ChangeKernel] = [change(Rotate(10)).kernel, change(AddNoise(10)).kernel]
    for kernel in kernels:
        assert "ret" in jit.assembly(kernel, target)


def test_an_augmentation_without_native_code_is_named() -> None:
    class _Unknown(Augmentation):
        pass

    with pytest.raises(EngineError, match=r"must know the augmentation .*_Unknown"):
        change(_Unknown())


def test_angles_have_a_bound() -> None:
    with pytest.raises(ValueError, match=r"Rotate: degrees must be between -1e\+06 and 1e\+06. Got 2000000"):
        Rotate(2_000_000)
