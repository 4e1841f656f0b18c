"""The networks of 1989 and 1998: every count that their papers give, layer by layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scanwise as sw
from scanwise import models
from scanwise.errors import ArgumentError, ArgumentTypeError
from scanwise.layers import Conv2d, Linear, LogMel, Pad2d, RadialBasis, Sequential, Shape, Subsample1d
from scanwise.models.bitmaps import DIGITS, codes
from scanwise.models.historical import C3_TABLE, H2_TABLE
from scanwise.shapes import Row, walk


def weighted(network: Sequential, shape: Shape) -> list[Row]:
    """The layers with connections."""
    return [row for row in walk(network, shape) if row.connections]


def test_waibels_time_delay_network() -> None:
    rows = weighted(models.tdnn_1989(), (16, 15))
    assert [row.connections for row in rows] == [8 * 13 * 49, 3 * 9 * 41, 3 * 10]
    model = sw.Model(models.tdnn_1989(), (16, 15), backend="reference")
    assert model.connections == 6_233
    assert model.output_shape == (3,)
    assert models.tdnn_1989(5).output_shape((16, 15)) == (5,)


def test_the_network_of_1989() -> None:
    """Each layer is a convolution and the biases of its units, or a `Linear`."""
    shape = (1, 16, 16)
    rows = {row.name: row for row in walk(models.lecun_1989(), shape)}
    assert (rows["2"].output_shape, rows["6"].output_shape) == ((12, 8, 8), (12, 4, 4))
    layers = {"H1": ("1", "2"), "H2": ("5", "6"), "H3": ("9",), "output": ("11",)}
    counts = {
        name: (sum(rows[p].parameters for p in places), sum(rows[p].connections for p in places))
        for name, places in layers.items()
    }
    assert counts == {
        "H1": (1_068, 19_968),
        "H2": (2_592, 38_592),
        "H3": (5_790, 5_790),
        "output": (310, 310),
    }
    assert sum(row.parameters for row in rows.values()) == 9_760
    assert sw.Model(models.lecun_1989(), shape, backend="reference").connections == 64_660


def test_lenet5_of_1998() -> None:
    shape = (1, 32, 32)
    rows = weighted(models.lenet5(), shape)
    names = ("C1", "S2", "C3", "S4", "C5", "F6", "output")
    counts = {
        name: (row.parameters, row.connections, row.output_shape)
        for name, row in zip(names, rows, strict=True)
    }
    assert counts == {
        "C1": (156, 122_304, (6, 28, 28)),
        "S2": (12, 5_880, (6, 14, 14)),
        "C3": (1_516, 151_600, (16, 10, 10)),
        "S4": (32, 2_000, (16, 5, 5)),
        "C5": (48_120, 48_120, (120, 1, 1)),
        "F6": (10_164, 10_164, (84,)),
        "output": (0, 840, (10,)),
    }
    model = sw.Model(models.lenet5(), shape, backend="reference")
    assert sum(value.size for value in model.parameters.values()) == 60_000
    assert model.connections == 340_908


def test_tables() -> None:
    """As the text of 1998 describes table I: neighbours, counted round."""
    sees = [{c for c, bit in enumerate(row) if bit} for row in C3_TABLE]
    assert sees[:6] == [{(k + i) % 6 for i in range(3)} for k in range(6)]
    assert sees[6:12] == [{(k + i) % 6 for i in range(4)} for k in range(6)]
    pairs = [{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}]  # two neighbours and the two opposite, counted round
    assert sees[12:] == [*pairs, set(range(6))]
    assert np.array(C3_TABLE).sum(axis=0).tolist() == [10] * 6
    assert np.array(H2_TABLE).sum(axis=1).tolist() == np.array(H2_TABLE).sum(axis=0).tolist() == [8] * 12


def test_bitmaps() -> None:
    assert {(len(digit), *{len(row) for row in digit}) for digit in DIGITS} == {(12, 7)}
    table = np.array(codes())
    assert table.shape == (10, 84)
    assert set(table.ravel()) == {-1.0, 1.0}
    differing = (table[:, None] != table).sum(axis=2)
    assert differing[~np.eye(10, dtype=bool)].min() >= 8


@pytest.mark.parametrize(
    ("name", "shape", "classes", "last"),
    [
        ("lenet5-1998", (1, 32, 32), 10, RadialBasis(codes())),
        ("lenet5-1998", (1, 28, 28), 10, RadialBasis(codes())),
        ("lenet5-1998", (1, 28, 28), 26, Linear(26)),
        ("lecun-1989", (1, 16, 16), 10, sw.ScaledTanh()),
        ("lecun-1989", (3, 28, 21), 4, sw.ScaledTanh()),
        ("tdnn-1989", (16, 15), 3, sw.Sigmoid()),
        ("tdnn-1989", (3, 40), 2, sw.Sigmoid()),
    ],
)
def test_by_name(name: str, shape: Shape, classes: int, last: sw.Sequential) -> None:
    network = models.get(name, shape, classes)
    assert network[-1] == last
    assert network.output_shape(shape) == (classes,)
    assert Sequential.from_json(network.to_json()) == network


def test_names_are_the_published_networks() -> None:
    assert models.get("lenet5-1998", (1, 32, 32), 10) == models.lenet5()
    assert models.get("lecun-1989", (1, 16, 16), 10) == models.lecun_1989()
    assert models.get("tdnn-1989", (16, 15), 3) == models.tdnn_1989()
    padded = models.get("lenet5-1998", (1, 28, 28), 10)
    assert padded.layers == (Pad2d(2), *models.lenet5().layers)


def test_raw_audio_gets_a_front_end_of_16_coefficients() -> None:
    network = models.get("tdnn-1989", (1, 1320), 3, sample_rate=8000)
    assert network[0] == LogMel(8000, 200, 80, 16)
    assert network.layers[1:] == models.tdnn_1989().layers  # 15 frames of 25 ms every 10 ms
    longer = models.get("tdnn-1989", (1, 8000), 3, sample_rate=8000)
    assert longer[5] == Subsample1d(92, stride=1)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lenet5-1998", (3, 32, 32), "must be grey images, 1x28x28 or 1x32x32. Got shape"),
        ("lenet5-1998", (1, 64, 64), "must be grey images"),
        ("lenet5-1998", (16, 15), r"must be an image \(C, H, W\)"),
        ("lecun-1989", (1, 16, 3), "must have at least 4x4 pixels"),
        ("tdnn-1989", (16, 6), "must have at least 7 frames"),
        ("tdnn-1989", (1, 28, 28), r"must be a signal \(C, T\)"),
    ],
)
def test_inputs_that_do_not_fit(name: str, shape: Shape, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"network '{name}': input {message}"):
        models.get(name, shape, 10)


def test_wrong_classes() -> None:
    for build in (models.tdnn_1989, models.lecun_1989, models.lenet5):
        with pytest.raises(ArgumentError, match="classes must be a positive integer"):
            build(0)
        with pytest.raises(ArgumentTypeError, match="classes must be a positive integer"):
            build(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (models.tdnn_1989(), (16, 15)),
        (models.lecun_1989(), (1, 16, 16)),
        (models.lenet5(), (1, 32, 32)),
    ],
    ids=["tdnn", "1989", "1998"],
)
def test_compiled_networks_agree_with_the_reference(
    network: Sequential, shape: Shape, tmp_path: Path
) -> None:
    native, oracle = (sw.Model(network, shape, backend=backend) for backend in ("native", "reference"))
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape)).astype(np.float32)
    y = oracle(x)
    np.testing.assert_allclose(native(x), y, atol=2e-5 * np.abs(y).max())
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    dx, gradients = native.gradients(x, dy)
    wanted, expected = oracle.gradients(x, dy)
    np.testing.assert_allclose(dx, wanted, atol=1e-4 * np.abs(wanted).max())
    for name, gradient in expected.items():
        np.testing.assert_allclose(
            gradients[name], gradient, atol=1e-4 * np.abs(gradient).max(), err_msg=name
        )
    native.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(sw.load(tmp_path / "model.safetensors")(x), native(x))


def test_lenet5_scans_larger_images_with_shared_work() -> None:
    """The "space displacement neural network" of 1998, section VII."""
    model = sw.Model(models.lenet5(), (1, 32, 32))
    image = np.random.default_rng(0).uniform(-1, 1, (1, 44, 40)).astype(np.float32)
    result = sw.scan(model, image)
    assert (result.method, result.step) == ("shared", (4, 4))
    for row, column in ((0, 0), (2, 1), (3, 2)):
        window = image[None, :, 4 * row : 4 * row + 32, 4 * column : 4 * column + 32]
        np.testing.assert_array_equal(result.scores[:, row, column], model(window)[0])


def test_the_network_of_1989_scans_window_by_window() -> None:
    model = sw.Model(models.lecun_1989(), (1, 16, 16))
    result = sw.scan(model, np.zeros((1, 24, 20), np.float32))
    assert result.method == "windows"
    assert result.reason.startswith("layer 0 Pad2d((2, 1, 2, 1), value=-1.0) pads inside the window")
    assert model.network[5] == Conv2d(12, 5, stride=2, bias=False, connections=H2_TABLE)
