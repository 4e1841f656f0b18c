"""Networks by name, and what `auto` picks."""

from __future__ import annotations

from collections.abc import Callable

from scanwise.errors import ArgumentError, ShapeError, UnknownNetworkError
from scanwise.layers import (
    Aggregate,
    BatchNorm,
    Conv1d,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    LogMel,
    MaxPool1d,
    MaxPool2d,
    ReLU,
    Sequential,
    Shape,
)
from scanwise.layers.arguments import integer
from scanwise.models.historical import lecun_1989_layers, lenet5_layers, tdnn_1989_layers
from scanwise.shapes import walk

__all__ = ["NAMES", "auto", "get", "log_mel"]


def get(name: str, input_shape: Shape, classes: int, *, sample_rate: int | None = None) -> Sequential:
    """The network of that name, for inputs of `input_shape` and that many labels.

    Args:
        name: one of `NAMES`, or `"auto"`, which picks by the kind and the size of the input.
        input_shape: `(C, H, W)`, `(C, T)` or `(D,)`.
        classes: number of labels, the length of the output.
        sample_rate: in Hz, where the input is raw audio `(1, T)`: `tdnn`, `tdnn-bn`, `ds-cnn` and `tdnn-1989` then
            get a `LogMel`.

    Raises:
        UnknownNetworkError: no network is called that; the message lists the names.
        ArgumentError: the network is not made for inputs of this kind.
        ShapeError: the input is too small; the message holds the layer table up to the misfit.

    >>> get("mlp", (1, 8, 8), 10)
    Sequential(Flatten(), Linear(256), ReLU(), Linear(128), ReLU(), Linear(10))
    """
    classes = integer("network", "classes", classes)
    if name == "auto":
        name = auto(input_shape, sample_rate=sample_rate)
    if name not in _BUILDERS:
        raise UnknownNetworkError(f"network must be one of {', '.join(NAMES)}, auto. Got {name!r}.")
    kinds, build = _BUILDERS[name]
    if len(input_shape) not in kinds:
        wanted = " or ".join(_KINDS[axes] for axes in kinds)
        raise ArgumentError(f"network {name!r}: input must be {wanted}. Got shape {tuple(input_shape)}.")
    front: list[Layer] = []
    reached = tuple(input_shape)
    if sample_rate is not None and len(input_shape) == 2 and input_shape[0] == 1 and name in _LISTENING:
        front = [log_mel(sample_rate, _LISTENING[name])]
        reached = walk(Sequential(*front), input_shape)[-1].output_shape
    network = Sequential(*front, *build(reached, classes))
    walk(network, input_shape)
    return network


def auto(input_shape: Shape, *, sample_rate: int | None = None) -> str:
    """Name of the network that suits inputs of this shape: the largest of its kind that fits.

    Signals get the `tdnn`, images `lenet5` (grey, up to 40 pixels) or `cifar-vgg`, and what is too small for
    these, or flat, the `mlp`.

    >>> auto((1, 28, 28)), auto((3, 32, 32)), auto((40, 100)), auto((16,))
    ('lenet5', 'cifar-vgg', 'tdnn', 'mlp')
    """
    grey_and_small = len(input_shape) == 3 and input_shape[0] == 1 and max(input_shape[1:]) <= 40
    candidates = {1: ["mlp"], 2: ["tdnn", "mlp"], 3: ["lenet5"] * grey_and_small + ["cifar-vgg", "mlp"]}
    for name in candidates.get(len(input_shape), []):
        try:
            get(name, input_shape, 2, sample_rate=sample_rate)
        except ShapeError:
            continue
        return name
    raise ArgumentError(f"input shape must be (D,), (C, T) or (C, H, W). Got {tuple(input_shape)}.")


def log_mel(sample_rate: int, n_mels: int = 40) -> LogMel:
    """The usual front end for speech: `n_mels` mel filters, frames of 25 ms every 10 ms.

    >>> log_mel(8000)
    LogMel(8000, 200, 80, 40)
    """
    rate = integer("network", "sample_rate", sample_rate)
    return LogMel(rate, n_fft=max(2, round(0.025 * rate)), hop=max(1, round(0.010 * rate)), n_mels=n_mels)


def _mlp(input_shape: Shape, classes: int) -> list[Layer]:
    flatten: list[Layer] = [Flatten()] if len(input_shape) > 1 else []
    return [*flatten, Linear(256), ReLU(), Linear(128), ReLU(), Linear(classes)]


def _lenet5(_: Shape, classes: int) -> list[Layer]:
    """LeCun et al. 1998, figure 2, with ReLU, maximum pooling and a full second convolution."""
    return [
        Conv2d(6, 5, padding="same"), ReLU(), MaxPool2d(2),
        Conv2d(16, 5), ReLU(), MaxPool2d(2),
        Flatten(), Linear(120), ReLU(), Linear(84), ReLU(), Linear(classes),
    ]  # fmt: skip


def _mnist_cnn(_: Shape, classes: int) -> list[Layer]:
    return [
        Conv2d(32, 3), ReLU(), Conv2d(64, 3), ReLU(), MaxPool2d(2),
        Flatten(), Linear(128), ReLU(), Linear(classes),
    ]  # fmt: skip


def _cifar_vgg(_: Shape, classes: int) -> list[Layer]:
    """Simonyan and Zisserman 2015: pairs of 3x3 convolutions, each pair before a pooling."""
    pairs: list[Layer] = []
    for channels in (32, 64, 128):
        pairs += [Conv2d(channels, 3, padding="same"), ReLU()] * 2 + [MaxPool2d(2)]
    return [*pairs, Flatten(), Linear(128), ReLU(), Linear(classes)]


def _vgg_bn(_: Shape, classes: int) -> list[Layer]:
    """Fewer convolutions than `cifar-vgg`, each with batch normalisation, and no hidden layer."""
    layers: list[Layer] = []
    for stage in ((32,), (64, 64), (128,)):
        for channels in stage:
            layers += [Conv2d(channels, 3, padding="same", bias=False), BatchNorm(), ReLU()]
        layers.append(MaxPool2d(2))
    return [*layers, Flatten(), Linear(classes)]


def _tdnn(_: Shape, classes: int) -> list[Layer]:
    """Waibel et al. 1989: convolution over time (lecture 6.1); the maximum over time says if it occurs."""
    return [
        Conv1d(64, 5), ReLU(), MaxPool1d(2),
        Conv1d(64, 5), ReLU(), MaxPool1d(2),
        Conv1d(64, 3), ReLU(), Aggregate("max"), Linear(classes),
    ]  # fmt: skip


def _tdnn_bn(_: Shape, classes: int) -> list[Layer]:
    """`tdnn` with batch normalisation after every convolution, and of the input: every channel at its own level."""
    layers: list[Layer] = [BatchNorm()]
    for kernel_size, pooling in ((5, [MaxPool1d(2)]), (5, [MaxPool1d(2)]), (3, [])):
        layers += [Conv1d(64, kernel_size, bias=False), BatchNorm(), ReLU(), *pooling]
    return [*layers, Aggregate("max"), Linear(classes)]


def _ds_cnn(input_shape: Shape, classes: int) -> list[Layer]:
    """Zhang et al., "Hello edge" 2017: depthwise 3x3 and pointwise 1x1 convolutions, four times.

    The first convolution's padding makes 25x5 positions of 49x10. A signal `(C, T)` gets the same in 1-D, without
    padding: neighbouring windows then share their work, and in a stream a sample costs the new columns alone.
    """
    layers: list[Layer]
    if len(input_shape) == 2:
        layers = [Conv1d(64, 10, stride=2), ReLU()]
        for _ in range(4):
            layers += [Conv1d(64, 3, groups=64), ReLU(), Conv1d(64, 1), ReLU()]
    else:
        layers = [Conv2d(64, (10, 4), stride=2, padding=(5, 1)), ReLU()]
        for _ in range(4):
            layers += [Conv2d(64, 3, padding="same", groups=64), ReLU(), Conv2d(64, 1), ReLU()]
    return [*layers, Aggregate("mean"), Linear(classes)]


_KINDS = {1: "flat (D,)", 2: "a signal (C, T)", 3: "an image (C, H, W)"}

# These begin with a LogMel where the input is raw audio, of so many filters.
_LISTENING = {"tdnn": 40, "tdnn-bn": 40, "ds-cnn": 40, "tdnn-1989": 16}

_BUILDERS: dict[str, tuple[tuple[int, ...], Callable[[Shape, int], list[Layer]]]] = {
    "mlp": ((1, 2, 3), _mlp),
    "lenet5": ((3,), _lenet5),
    "mnist-cnn": ((3,), _mnist_cnn),
    "cifar-vgg": ((3,), _cifar_vgg),
    "vgg-bn": ((3,), _vgg_bn),
    "tdnn": ((2,), _tdnn),
    "tdnn-bn": ((2,), _tdnn_bn),
    "ds-cnn": ((2, 3), _ds_cnn),
    "tdnn-1989": ((2,), tdnn_1989_layers),
    "lecun-1989": ((3,), lecun_1989_layers),
    "lenet5-1998": ((3,), lenet5_layers),
}

NAMES = tuple(_BUILDERS)
