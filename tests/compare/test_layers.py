"""Each layer against PyTorch's: output, input gradient and parameter gradients."""

from __future__ import annotations

import pytest

import scanwise as sw
from scanwise.layers import Layer
from tests.compare.comparison import compare_outputs_and_gradients, randomised, samples

CASES: list[tuple[Layer, tuple[int, ...]]] = [
    (sw.Linear(5), (7,)),
    (sw.Linear(33, bias=False), (130,)),
    (sw.Conv2d(6, 5, padding="same"), (1, 12, 12)),
    (sw.Conv2d(16, 5), (6, 9, 8)),
    (sw.Conv2d(32, 3), (3, 7, 11)),
    (sw.Conv2d(8, 3, padding=1), (17, 6, 6)),
    (sw.Conv2d(8, (3, 2), stride=(2, 1), padding=(1, 0)), (4, 8, 7)),
    (sw.Conv2d(4, 4, padding="same"), (3, 7, 6)),
    (sw.Conv2d(4, 3, dilation=2), (3, 9, 8)),
    (sw.Conv2d(4, 3, dilation=(1, 3), stride=2, padding=2), (2, 9, 10)),
    (sw.Conv2d(6, 3, groups=3, padding="same"), (9, 5, 6)),
    (sw.Conv2d(12, 3, groups=12, padding="same"), (12, 6, 5)),
    (sw.Conv2d(24, 3, groups=12, stride=2), (12, 7, 7)),
    (sw.Conv2d(5, 3, bias=False), (2, 5, 5)),
    (sw.Conv2d(5, (2, 3), flip=True), (2, 6, 6)),
    (sw.Conv2d(1, 1), (1, 1, 1)),
    (sw.Conv2d(64, 1), (64, 5, 5)),
    (sw.Conv1d(9, 5), (4, 20)),
    (sw.Conv1d(9, 4, padding="same"), (4, 13)),
    (sw.Conv1d(6, 3, padding="causal", dilation=4), (5, 19)),
    (sw.Conv1d(6, 3, padding=(3, 1), stride=2), (5, 12)),
    (sw.Conv1d(8, 3, groups=8, padding="same"), (8, 11)),
    (sw.Conv1d(4, 5, flip=True), (3, 9)),
    (sw.ConvTranspose2d(6, 4, stride=2, padding=1), (16, 5, 4)),
    (sw.ConvTranspose2d(5, 3, stride=2, padding=1, output_padding=1), (3, 5, 4)),
    (sw.ConvTranspose2d(4, 3), (3, 6, 6)),
    (sw.ConvTranspose2d(8, (2, 3), stride=(3, 1), padding=(1, 0), output_padding=(2, 0)), (17, 3, 5)),
    (sw.ConvTranspose2d(6, 3, dilation=(1, 3), output_padding=(0, 2), groups=3), (9, 4, 2)),
    (sw.ConvTranspose2d(12, 3, stride=2, groups=12, bias=False), (12, 4, 5)),
    (sw.ConvTranspose2d(5, (2, 3), stride=2, padding=2, flip=True), (2, 4, 3)),
    (sw.ConvTranspose2d(2, 1, stride=3), (3, 2, 2)),
    (sw.ConvTranspose2d(1, 1), (1, 1, 1)),
    (sw.ConvTranspose1d(9, 5), (4, 20)),
    (sw.ConvTranspose1d(5, 4, stride=2, padding=1), (33, 8)),
    (sw.ConvTranspose1d(6, 3, padding=(3, 1), stride=2, dilation=2), (5, 7)),
    (sw.ConvTranspose1d(8, 3, stride=2, groups=8, output_padding=1), (8, 6)),
    (sw.ConvTranspose1d(4, 5, flip=True), (3, 9)),
    (sw.MaxPool2d(2), (5, 7, 8)),
    (sw.MaxPool2d(3, stride=2), (5, 8, 9)),
    (sw.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), (4, 8, 8)),
    (sw.MaxPool2d((1, 3), stride=(1, 2)), (2, 3, 9)),
    (sw.MaxPool1d(2), (3, 9)),
    (sw.MaxPool1d(3, stride=1, padding=1), (3, 9)),
    (sw.AvgPool2d(2), (5, 7, 8)),
    (sw.AvgPool2d(3, stride=2, padding=1), (5, 8, 8)),
    (sw.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (4, 8, 7)),
    (sw.AvgPool1d(3, stride=2, ceil_mode=True), (4, 10)),
    (sw.Downsample2d(2), (3, 7, 8)),
    (sw.Downsample2d((3, 1)), (3, 7, 4)),
    (sw.Downsample1d(3), (3, 11)),
    (sw.Pad2d((1, 2, 0, 3)), (2, 4, 5)),
    (sw.Pad2d((1, 2, 0, 3), value=-1.0), (2, 4, 5)),
    (sw.Pad1d((2, 1)), (2, 5)),
    (sw.Pad1d(2, value=0.5), (2, 5)),
    (sw.ReLU(), (3, 4, 5)),
    (sw.LeakyReLU(), (3, 4, 5)),
    (sw.LeakyReLU(negative_slope=0.3), (17,)),
    (sw.PReLU(), (3, 4, 5)),
    (sw.PReLU(17, init=-0.5), (17, 6)),
    (sw.PReLU(7), (7,)),
    (sw.GELU(), (3, 4, 5)),
    (sw.GELU("tanh"), (17, 4)),
    (sw.SiLU(), (19,)),
    (sw.BatchNorm(), (3, 4, 5)),
    (sw.BatchNorm(eps=0.1), (17, 6)),
    (sw.BatchNorm(affine=False), (7,)),
    (sw.Sigmoid(), (3, 4, 5)),
    (sw.Tanh(), (3, 20)),
    (sw.ScaledTanh(), (3, 20)),
    (sw.Softmax(), (11,)),
    (sw.Softmax(), (5, 6)),
    (sw.Softmax(), (19, 3, 4)),
    (sw.Flatten(), (3, 4, 5)),
    (sw.Dropout(0.5), (3, 4, 5)),
    *[
        (sw.Aggregate(mode), shape)
        for mode in ("max", "mean", "logsumexp", "softmax")
        for shape in ((5, 9), (3, 4, 6))
    ],
    (sw.Residual(sw.Conv2d(6, 3, padding="same"), sw.ReLU()), (6, 5, 5)),
    (sw.Sequential(sw.Conv1d(4, 3), sw.Sequential(sw.ReLU(), sw.Conv1d(5, 2))), (3, 12)),
]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("layer", "shape"), CASES, ids=str)
def test_layer_agrees_with_pytorch(layer: Layer, shape: tuple[int, ...], backend: str) -> None:
    model = randomised(sw.Model(sw.Sequential(layer), shape, seed=0, backend=backend))
    compare_outputs_and_gradients(model, samples(shape, 3))


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_log_mel_agrees_with_pytorch(backend: str) -> None:
    layer = sw.LogMel(8000, n_fft=128, hop=40, n_mels=12)
    model = sw.Model(sw.Sequential(layer), (1, 400), backend=backend)
    # Where a band holds little energy the logarithm makes its rounding larger.
    compare_outputs_and_gradients(model, samples((1, 400), 2), tolerance=2e-4)
