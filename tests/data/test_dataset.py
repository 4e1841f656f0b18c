import numpy as np
import pytest

from scanwise.data import Dataset, split
from scanwise.data.dataset import encode_labels, require_finite, sort_labels
from scanwise.errors import ArgumentError, DataError


def dataset(counts: dict[str, int]) -> Dataset:
    y = np.repeat(np.arange(len(counts)), list(counts.values()))
    x = np.arange(len(y), dtype=np.float32).reshape(-1, 1, 1)
    return Dataset(x, y, tuple(counts), "series", files=tuple(f"{i}.npy" for i in range(len(y))))


def test_labels_sort_by_value() -> None:
    assert sort_labels({"10", "2", "0.5", "-3"}) == ("-3", "0.5", "2", "10")
    assert sort_labels({"word10", "word2", "word", "10"}) == ("10", "word", "word2", "word10")


def test_labels_that_a_model_does_not_know_are_named() -> None:
    with pytest.raises(DataError, match=r"must hold only the model's labels \(a, b\)\. Got c\."):
        encode_labels(["a", "c"], ("a", "b"), "DATA")


def test_split_is_stratified_disjoint_and_complete() -> None:
    training, validation = split(dataset({"a": 20, "b": 10, "c": 2}), 0.2, seed=3)
    assert validation.counts() == {"a": 4, "b": 2, "c": 1}
    assert sorted([*training.x.ravel(), *validation.x.ravel()]) == list(range(32))
    assert training.files == tuple(f"{int(i)}.npy" for i in training.x.ravel())


def test_split_depends_on_the_seed_alone() -> None:
    data = dataset({"a": 50, "b": 50})
    first, again, other = (split(data, 0.2, seed=seed)[1].x for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_split_keeps_at_least_one_sample_of_every_label_on_both_sides() -> None:
    training, validation = split(dataset({"a": 2, "b": 2}), 0.99)
    assert training.counts() == validation.counts() == {"a": 1, "b": 1}


def test_split_refuses_a_label_with_one_sample() -> None:
    with pytest.raises(DataError, match=r"label 'b' must have at least 2 samples .* Got 1\."):
        split(dataset({"a": 5, "b": 1}), 0.2)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_split_refuses_a_fraction_that_is_none(fraction: float) -> None:
    with pytest.raises(ArgumentError, match="fraction must be"):
        split(dataset({"a": 5, "b": 5}), fraction)


def test_values_that_are_not_finite_are_named_with_their_place() -> None:
    values = np.zeros((3, 4))
    require_finite(values, "it")
    values[1, 2] = np.nan
    with pytest.raises(
        DataError, match=r"it must hold values that are finite as float32. Got nan at position \(1, 2\)"
    ):
        require_finite(values, "it")
    with pytest.raises(DataError, match="Got 1e\\+300 at position 1"):
        require_finite(np.array([0, 1e300]), "it")
