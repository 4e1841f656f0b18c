import numpy as np
import pytest

from scanwise.data.window import choose_extent, empty_windows, image_window, place, series_window
from scanwise.errors import ArgumentError


def test_equal_lengths_keep_their_length() -> None:
    assert choose_extent([13, 13, 13], 8) == 13


def test_unequal_lengths_take_the_95_percent_quantile_rounded_up() -> None:
    lengths = [*range(1, 100), 5000]
    assert choose_extent(lengths, 8) == 96  # 95 is the smallest length that 95 of 100 do not exceed
    assert choose_extent(lengths, 1) == 96  # method "higher" of position 94.05


def test_short_clips_are_centred_and_long_ones_cropped_to_their_centre() -> None:
    window = np.zeros((1, 6), np.float32)
    place(np.array([[1, 2, 3]], np.float32), window)
    np.testing.assert_array_equal(window, [[0, 1, 2, 3, 0, 0]])
    window = np.zeros((1, 3), np.float32)
    place(np.array([[1, 2, 3, 4, 5]], np.float32), window)
    np.testing.assert_array_equal(window, [[2, 3, 4]])


def test_images_are_placed_along_each_axis_by_itself() -> None:
    window = np.zeros((1, 2, 4), np.uint8)
    place(np.arange(1, 9, dtype=np.uint8).reshape(1, 4, 2), window)
    np.testing.assert_array_equal(window[0], [[0, 3, 4, 0], [0, 5, 6, 0]])


@pytest.mark.parametrize("window", [0, -1, 2.5, (3, 4)])
def test_a_window_for_series_is_a_whole_number(window: float) -> None:
    with pytest.raises(ArgumentError, match="window must be a whole number of elements"):
        series_window(window)


@pytest.mark.parametrize("window", [0, 2.5, (3, 0)])
def test_a_window_for_images_is_whole_numbers(window: float) -> None:
    with pytest.raises(ArgumentError, match="window must be whole numbers of pixels"):
        image_window(window)


def test_a_window_larger_than_memory_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"window must be small enough for 10 clips .* Got a window of shape"
    ):
        empty_windows(10, (1, 10**13), np.dtype(np.float32))
