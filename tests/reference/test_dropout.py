"""Dropout's random numbers: known values, rate, independence of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from scanwise.layers import Dropout, Flatten, Residual, Sequential
from scanwise.reference import dropout_masks, sample_keys
from scanwise.reference.dropout import mask, mix
from tests.reference.worked import value


def mix_by_hand(h: int) -> int:
    h ^= h >> 16
    h = h * 0x85EBCA6B % 2**32
    h ^= h >> 13
    h = h * 0xC2B2AE35 % 2**32
    return h ^ (h >> 16)


def test_mask_is_the_stated_hash() -> None:
    seed, epoch, sample, ordinal, p = 2**32 - 5, 3, 123456, 2, 0.3
    golden = 0x9E3779B9
    key = mix_by_hand(mix_by_hand((seed + golden * (epoch + 1)) % 2**32) ^ sample)
    key = mix_by_hand((key + golden * (ordinal + 1)) % 2**32)
    m = mask(Dropout(p), (2, 3, 4), sample_keys(seed, epoch, [sample]), ordinal)
    for c, h, w in np.ndindex(2, 3, 4):
        e = (h * 4 + w) * 2 + c
        dropped = mix_by_hand((key + golden * (e + 1)) % 2**32) < int(p * 2**32)
        assert m[0, c, h, w] == (0 if dropped else np.float32(1 / (1 - p)))


def test_mix_is_murmurs_finalizer() -> None:
    assert mix(np.array([1], dtype=np.uint32)).tolist() == [0x514E28B7]
    assert mix(np.array([0], dtype=np.uint32)).tolist() == [0]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_rate_and_scale(p: float) -> None:
    m = mask(Dropout(p), (50, 40), sample_keys(0, 0, np.arange(50)), 0)
    assert abs((m == 0).mean() - p) < 0.01
    assert abs(m.mean() - 1) < 0.05


def test_a_samples_mask_does_not_depend_on_its_batch() -> None:
    together = mask(Dropout(0.5), (7,), sample_keys(1, 2, [5, 9, 11]), 0)
    alone = mask(Dropout(0.5), (7,), sample_keys(1, 2, [9]), 0)
    assert together[1].tolist() == alone[0].tolist()


def test_a_part_of_a_larger_map_has_the_parts_mask() -> None:
    keys = sample_keys(0, 0, [3, 4])
    for whole, part, start in (((3, 20), (3, 7), (5,)), ((2, 6, 9), (2, 3, 4), (2, 5)), ((4,), (4,), ())):
        cut = tuple(slice(first, first + extent) for first, extent in zip(start, part[1:], strict=True))
        found = mask(Dropout(0.5), part, keys, 1, whole=whole, start=start)
        np.testing.assert_array_equal(
            found, mask(Dropout(0.5), whole, keys, 1)[(slice(None), slice(None), *cut)]
        )


def test_layers_epochs_seeds_and_samples_differ() -> None:
    network = Sequential(Dropout(), Residual(Dropout()), Sequential(Flatten(), Dropout()))
    masks = dropout_masks(network, (4, 64), sample_keys(0, 0, [0, 1]))
    assert list(masks) == ["0.mask", "1.0.mask", "2.1.mask"]
    assert masks["2.1.mask"].shape == (2, 256)
    drawn = [
        masks["0.mask"][0],
        masks["0.mask"][1],
        masks["1.0.mask"][0],
        dropout_masks(network, (4, 64), sample_keys(0, 1, [0]))["0.mask"][0],
        dropout_masks(network, (4, 64), sample_keys(1, 0, [0]))["0.mask"][0],
    ]
    for i, first in enumerate(drawn):
        for second in drawn[i + 1 :]:
            assert 0.35 < (first == second).mean() < 0.65


def test_dropout_is_the_identity_outside_training() -> None:
    assert value(Dropout(0.9), [1, 2, 3]) == [1, 2, 3]
