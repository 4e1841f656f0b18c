"""The named networks."""

from __future__ import annotations

import pytest

from scanwise.errors import ArgumentError, ArgumentTypeError, ShapeError, UnknownNetworkError
from scanwise.layers import Linear, LogMel, Sequential, Shape
from scanwise.models import NAMES, get
from scanwise.models import auto as pick
from scanwise.shapes import walk


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("lenet5", (1, 28, 28), 61_706),
        ("mnist-cnn", (1, 28, 28), 320 + 18_496 + 9216 * 128 + 128 + 1290),
        ("cifar-vgg", (3, 32, 32), 896 + 9248 + 18_496 + 36_928 + 73_856 + 147_584 + 2048 * 128 + 128 + 1290),
        ("vgg-bn", (1, 28, 28), 288 + 18_432 + 36_864 + 73_728 + 2 * (32 + 64 + 64 + 128) + 1152 * 10 + 10),
        ("tdnn-bn", (40, 100), 2 * 40 + 12_800 + 20_480 + 12_288 + 3 * 2 * 64 + 650),
        ("tdnn", (40, 100), 12_864 + 20_544 + 12_352 + 650),
        ("ds-cnn", (1, 49, 10), 2624 + 4 * (640 + 4160) + 650),
        ("mlp", (1, 8, 8), 64 * 256 + 256 + 256 * 128 + 128 + 1290),
    ],
)
def test_sizes(name: str, shape: Shape, parameters: int) -> None:
    rows = walk(get(name, shape, 10), shape)
    assert sum(row.parameters for row in rows) == parameters
    assert rows[-1].output_shape == (10,)


def test_ds_cnn_has_the_papers_positions() -> None:
    assert walk(get("ds-cnn", (1, 49, 10), 12), (1, 49, 10))[0].output_shape == (64, 25, 5)


@pytest.mark.parametrize("name", ["tdnn", "tdnn-bn", "ds-cnn"])
def test_raw_audio_gets_a_front_end(name: str) -> None:
    network = get(name, (1, 8000), 10, sample_rate=8000)
    assert network[0] == LogMel(8000, 200, 80, 40)
    assert network.output_shape((1, 8000)) == (10,)
    assert not isinstance(get(name, (40, 100), 10, sample_rate=8000)[0], LogMel)
    assert not isinstance(get(name, (1, 100), 10)[0], LogMel)


@pytest.mark.parametrize(
    ("shape", "sample_rate", "name"),
    [
        ((1, 28, 28), None, "lenet5"),
        ((1, 200, 200), None, "cifar-vgg"),
        ((3, 32, 32), None, "cifar-vgg"),
        ((1, 8, 8), None, "cifar-vgg"),
        ((1, 7, 7), None, "mlp"),
        ((40, 100), None, "tdnn"),
        ((1, 8000), 8000, "tdnn"),
        ((3, 10), None, "mlp"),
        ((5,), None, "mlp"),
    ],
)
def test_auto(shape: Shape, sample_rate: int | None, name: str) -> None:
    assert pick(shape, sample_rate=sample_rate) == name
    assert get("auto", shape, 4, sample_rate=sample_rate) == get(name, shape, 4, sample_rate=sample_rate)


def test_networks_are_json_and_back() -> None:
    network = get("ds-cnn", (1, 49, 10), 12)
    assert Sequential.from_json(network.to_json()) == network
    assert network[-1] == Linear(12)


def test_wrong_use() -> None:
    with pytest.raises(
        UnknownNetworkError, match=f"network must be one of {', '.join(NAMES)}, auto. Got 'alexnet'"
    ):
        get("alexnet", (1, 28, 28), 10)
    with pytest.raises(ArgumentError, match=r"network 'tdnn': input must be a signal \(C, T\)"):
        get("tdnn", (1, 28, 28), 10)
    with pytest.raises(ShapeError, match="does not fit"):
        get("lenet5", (1, 8, 8), 10)
    with pytest.raises(ArgumentError, match=r"classes must be a positive integer\. Got 0"):
        get("mlp", (4,), 0)
    with pytest.raises(ArgumentTypeError, match="input_shape must be"):
        get("mlp", (4.5,), 2)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="input shape must be"):
        get("auto", (1, 2, 3, 4), 2)
