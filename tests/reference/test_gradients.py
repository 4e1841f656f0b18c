"""Every layer's gradients against finite differences, over drawn sizes, strides, paddings, dilations and groups."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanwise.layers import (
    AvgPool1d,
    AvgPool2d,
    Dropout,
    Layer,
    Linear,
    MaxPool1d,
    MaxPool2d,
    Scan1d,
    Sequential,
)
from scanwise.reference import dropout_masks, sample_keys
from tests.layers import drawn
from tests.reference.finite_differences import check_gradients, random_parameters

KINDS = {
    "linear": drawn.linears(),
    "conv1d": drawn.convs(1),
    "conv2d": drawn.convs(2),
    "conv_transpose1d": drawn.conv_transposes(1),
    "conv_transpose2d": drawn.conv_transposes(2),
    "max_pool1d": drawn.pools(MaxPool1d),
    "max_pool2d": drawn.pools(MaxPool2d),
    "avg_pool1d": drawn.pools(AvgPool1d),
    "avg_pool2d": drawn.pools(AvgPool2d),
    "subsample": drawn.subsamplings(),
    "downsample": drawn.downsamplings(),
    "pad": drawn.paddings(),
    "activation": drawn.activations(),
    "prelu": drawn.prelus(),
    "batch_norm": drawn.batch_norms(),
    "unit_bias": drawn.unit_biases(),
    "radial_basis": drawn.radial_bases(),
    "softmax": drawn.softmaxes(),
    "flatten": drawn.flattenings(),
    "dropout": drawn.dropouts(),
    "aggregate": drawn.aggregations(),
    "log_mel": drawn.log_mels(),
    "unfold": drawn.unfoldings(),
    "plane": drawn.planes(),
    "max_by_label": drawn.labelled_maxima(),
    "scan": drawn.scans(),
    "residual": drawn.residuals(),
    "sequential": drawn.sequentials(),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_gradients_are_central_differences(kind: str, data: st.DataObject) -> None:
    layer: Layer
    layer, shape = data.draw(KINDS[kind])
    check_gradients(Sequential(layer), shape)


def test_gradients_of_dropout_in_training() -> None:
    network, shape = Sequential(Dropout(0.4), Sequential(Dropout(0.2))), (3, 4)
    masks = dropout_masks(network, shape, sample_keys(seed=5, epoch=1, samples=[7, 3]))
    assert set(masks) == {"0.mask", "1.0.mask"}
    check_gradients(network, shape, parameters={**random_parameters(network, shape), **masks})


def test_gradients_of_dropout_within_a_scan() -> None:
    """Every position of a scan drops values of its own."""
    network, shape = (
        Sequential(Scan1d(Sequential(Dropout(0.4), Linear(3), Dropout(0.3), Linear(2)), 2)),
        (2, 5),
    )
    masks = dropout_masks(network, shape, sample_keys(seed=5, epoch=1, samples=[7, 3]))
    assert {name: mask.shape for name, mask in masks.items()} == {
        "0.0.mask": (2, 4, 4),
        "0.2.mask": (2, 3, 4),
    }
    check_gradients(network, shape, parameters={**random_parameters(network, shape), **masks})
