"""Zero padding: `"same"` keeps the size, with (K-1)/2 on both sides or K/2 and K/2 - 1 (lecture 5.6)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scanwise as sw


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_same_keeps_the_size(H: int, W: int, R: int, S: int) -> None:
    assert sw.Conv1d(3, S, padding="same").output_shape((2, W)) == (3, W)
    assert sw.Conv2d(3, (R, S), padding="same").output_shape((2, H, W)) == (3, H, W)


@given(st.integers(1, 40), st.integers(1, 12))
def test_the_padded_width_is_n_plus_k_minus_1(N: int, K: int) -> None:
    (before, after) = sw.Conv1d(1, K, padding="same").sliding_window()[3][0]
    assert N + before + after == N + K - 1
    if K % 2:
        assert before == after == (K - 1) // 2
    else:
        assert (before, after) == (K // 2, K // 2 - 1)


@given(st.integers(1, 30), st.integers(1, 12))
def test_without_padding_the_size_shrinks_by_k_minus_1(N: int, K: int) -> None:
    if N >= K:
        assert sw.Conv2d(1, K).output_shape((1, N, N)) == (1, N - K + 1, N - K + 1)


@pytest.mark.parametrize("K", range(1, 9))
def test_native_outputs_are_those_of_zeros_around_the_input(K: int) -> None:
    """The same bits as padding by hand, for odd and for even kernels; the output has the input's size."""
    before, after = (K // 2, (K - 1) // 2) if K % 2 else (K // 2, K // 2 - 1)
    x = np.random.default_rng(K).standard_normal((2, 3, 10, 11)).astype(np.float32)
    same = sw.Model(sw.Sequential(sw.Conv2d(4, K, padding="same")), (3, 10, 11))
    y = same(x)
    assert y.shape == (2, 4, 10, 11)
    padded = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))
    valid = sw.Model(sw.Sequential(sw.Conv2d(4, K)), padded.shape[1:])
    valid.parameters = same.parameters
    np.testing.assert_array_equal(valid(padded), y)
    layer = sw.Model(sw.Sequential(sw.Pad2d((before, after, before, after)), sw.Conv2d(4, K)), (3, 10, 11))
    layer.parameters = {f"1.{name.removeprefix('0.')}": p for name, p in same.parameters.items()}
    np.testing.assert_array_equal(layer(x), y)


def test_padding_lets_border_pixels_be_used_more_often() -> None:
    """How often each input is read: the gradient of the sum of all outputs of a filter of ones."""
    used = {}
    for padding in ("valid", "same"):
        model = sw.Model(sw.Sequential(sw.Conv1d(1, 3, padding=padding)), (1, 7))
        model.parameters["0.weight"] = np.ones((1, 1, 3))
        dx, _ = model.gradients(np.zeros((1, 1, 7)), np.ones((1, *model.output_shape)))
        used[padding] = dx.ravel().tolist()
    assert used["valid"] == [1, 2, 3, 3, 3, 2, 1]
    assert used["same"] == [2, 3, 3, 3, 3, 3, 2]
