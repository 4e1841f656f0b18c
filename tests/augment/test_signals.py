"""What augmentations do to signals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import scanwise as sw
from scanwise import augment
from scanwise.augment import AddNoise, Augment, FrequencyMask, Gain, MixBackground, TimeMask, TimeShift

N = 200


def signals(channels: int = 2, time: int = 30) -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(1.0, 2.0, (N, channels, time))


def decibels(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ratio of mean squares of each sample."""
    powers = [(each.astype(np.float64) ** 2).mean(axis=(1, 2)) for each in (signal, noise)]
    return np.asarray(10.0 * np.log10(powers[0] / powers[1]))


def test_time_shift_moves_each_by_a_whole_number() -> None:
    x = signals()
    y = Augment(TimeShift(4))(x)
    found = set()
    for before, after in zip(x, y, strict=True):
        empty = np.argwhere(after[0] == 0.0)[:, 0]
        s = len(empty) if len(empty) == 0 or empty[0] == 0 else -len(empty)
        found.add(s)
        kept = slice(max(s, 0), 30 + min(s, 0))
        np.testing.assert_array_equal(
            after[:, kept], before[:, max(-s, 0) : 30 + min(-s, 0)].astype(np.float32)
        )
    assert found == set(range(-4, 5))


def test_time_shift_that_wraps_keeps_all_values() -> None:
    x = signals()
    y = Augment(TimeShift(29, wrap=True))(x)
    np.testing.assert_array_equal(np.sort(y, axis=2), np.sort(x.astype(np.float32), axis=2))
    assert (y != x.astype(np.float32)).any()


def test_gain_in_decibels() -> None:
    x = signals()
    factors = Augment(Gain((-6, 6)))(x) / x
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :1, :1], x.shape), rtol=1e-6)
    told = 20.0 * np.log10(factors[:, 0, 0])
    assert -6.001 < told.min() < -5.0
    assert 5.0 < told.max() < 6.001
    np.testing.assert_allclose(Augment(Gain((20, 20)))(x), 10.0 * x, rtol=1e-6)


def test_noise_at_a_ratio() -> None:
    x = signals(time=500)
    noise = Augment(AddNoise((5, 20)))(x) - x
    found = decibels(x, noise)
    assert 4.0 < found.min() < 7.0
    assert 18.0 < found.max() < 21.0
    zeros = np.zeros((3, 1, 10))
    np.testing.assert_array_equal(Augment(AddNoise(0))(zeros), zeros)


def test_noise_is_another_in_each_epoch_and_sample() -> None:
    x = np.ones((2, 1, 20))
    steps = Augment(AddNoise(10))
    first, second = steps(x, epoch=0), steps(x, epoch=1)
    assert len({first[0].tobytes(), first[1].tobytes(), second[0].tobytes(), second[1].tobytes()}) == 4


def test_time_masks() -> None:
    y = Augment(TimeMask(5, count=2))(signals())
    masked = y == 0.0
    assert (masked[:, 0] == masked[:, 1]).all()
    counts = masked[:, 0].sum(axis=1)
    assert set(counts) == set(range(11))
    assert masked[:, 0].any(axis=0).all()  # also at both ends


def test_frequency_masks() -> None:
    y = Augment(FrequencyMask(3))(signals(channels=8))
    masked = y == 0.0
    assert (masked.all(axis=2) == masked.any(axis=2)).all()
    assert set(masked[:, :, 0].sum(axis=1)) == {0, 1, 2, 3}
    assert masked[:, :, 0].any(axis=0).all()


class TestMixBackground:
    def test_a_stretch_at_a_ratio(self) -> None:
        x = np.random.default_rng(1).normal(size=(N, 1, 40))
        background = np.random.default_rng(2).normal(size=(1, 100))
        added = Augment(MixBackground(background, (3, 9), p=1.0))(x) - x
        found = decibels(x, added)
        assert 2.99 < found.min() < 4.0
        assert 8.0 < found.max() < 9.01
        starts = set()
        for each in added:
            unit = each[0] / np.linalg.norm(each)
            windows = np.lib.stride_tricks.sliding_window_view(background[0], 40)
            fit = windows @ unit / np.linalg.norm(windows, axis=1)
            assert fit.max() > 0.9999
            starts.add(int(fit.argmax()))
        assert min(starts) < 3
        assert max(starts) > 57

    def test_every_recording_and_short_ones_again(self) -> None:
        x = np.ones((N, 1, 6))
        y = Augment(MixBackground([[[1.0, -1.0]], [[1.0, 1.0]]], 0, p=1.0))(x)
        assert {tuple(each[0]) for each in y.round(5).tolist()} == {
            (2.0,) * 6,
            (2.0, 0.0) * 3,
            (0.0, 2.0) * 3,
        }

    def test_half_of_the_samples(self) -> None:
        x = np.ones((N, 1, 6))
        changed = (Augment(MixBackground(np.ones((1, 9))))(x) != 1.0).any(axis=(1, 2))
        assert 70 < changed.sum() < 130

    def test_silence_stays(self) -> None:
        x = np.ones((2, 1, 6))
        np.testing.assert_array_equal(Augment(MixBackground(np.zeros((1, 9)), p=1.0))(x), x)
        np.testing.assert_array_equal(Augment(MixBackground(np.ones((1, 9)), p=1.0))(x * 0), x * 0)

    def test_bytes_are_0_to_1(self) -> None:
        whole = MixBackground(np.full((1, 9), 255, np.uint8), 0, p=1.0)
        np.testing.assert_allclose(Augment(whole)(np.ones((1, 1, 4))), np.full((1, 1, 4), 2.0))

    def test_files_are_read_by_bind(self) -> None:
        named = Augment(Gain(6), MixBackground("a.wav", p=1.0))
        assert Augment.from_json(named.to_json()) == named
        with pytest.raises(
            sw.ArgumentError, match=r"must have been read before use.* Got names of files: 'a.wav'"
        ):
            named(np.ones((1, 1, 4)))
        bound = augment.bind(named, lambda name: np.full((1, 5), float(len(name))))
        assert bound == Augment(Gain(6), MixBackground(np.full((1, 5), 5.0), p=1.0))
        assert hash(bound) == hash(Augment(Gain(6), MixBackground(np.full((1, 5), 5.0), p=1.0)))
        assert bound != named
        with pytest.raises(sw.ArgumentError, match="must be names of files to be written as JSON"):
            bound.to_json()

    def test_recordings_cannot_be_changed(self) -> None:
        recordings = augment.Recordings(np.ones((1, 5), np.float32))
        with pytest.raises(ValueError, match="read-only"):
            recordings.signals[0][0, 0] = 2.0

    def test_wrong_backgrounds(self) -> None:
        nothing: list[str] = []
        with pytest.raises(sw.ArgumentTypeError, match=r"must be names of files, or signals. Got 3"):
            MixBackground(3)
        with pytest.raises(sw.ArgumentTypeError, match=r"must be names of files, or signals. Got \[\]"):
            MixBackground(nothing)
        with pytest.raises(sw.ArgumentError, match=r"background must be names of files. Got an empty one"):
            MixBackground(["a.wav", ""])
        with pytest.raises(
            sw.ArgumentTypeError, match=r"background must hold arrays \(C, T\). Got array\(0.5\)"
        ):
            MixBackground(np.array(0.5))
        with pytest.raises(
            sw.ArgumentError, match="MixBackground: snr must be between -200 and 200 decibels"
        ):
            MixBackground(np.ones((1, 9)), snr=(0, 300))
        with pytest.raises(sw.ShapeError, match=r"equally many channels, none empty. Got \(2, 9\)"):
            MixBackground([np.ones((1, 9)), np.ones((2, 9))])
        with pytest.raises(sw.ShapeError, match=r"none empty. Got \(1, 0\)"):
            MixBackground(np.ones((1, 0)))
        with pytest.raises(sw.DataError, match=r"at least one signal. Got none"):
            MixBackground(np.ones((0, 1, 9)))
        with pytest.raises(sw.DataError, match=r"background must be finite.* Got nan at index \(0, 0\)"):
            MixBackground(np.full((1, 9), np.nan))
        with pytest.raises(sw.ArgumentTypeError, match="must be an array of real numbers"):
            MixBackground([np.ones((1, 9)), "a.wav"])
        with pytest.raises(sw.ShapeError, match=r"as many channels as the background, 1. Got \(2, 9\)"):
            Augment(MixBackground(np.ones((1, 9)))).check((2, 9))
