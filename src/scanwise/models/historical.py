"""The networks of three papers as they were published, down to the number of connections."""

from __future__ import annotations

from scanwise.errors import ArgumentError
from scanwise.layers import (
    Conv1d,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    Pad2d,
    RadialBasis,
    ScaledTanh,
    Sequential,
    Shape,
    Sigmoid,
    Subsample1d,
    Subsample2d,
    UnitBias,
)
from scanwise.layers.arguments import integer
from scanwise.models.bitmaps import codes

__all__ = ["lecun_1989", "lecun_1989_layers", "lenet5", "lenet5_layers", "tdnn_1989", "tdnn_1989_layers"]

# LeCun et al. 1998, table I: the maps of S2 that each map of C3 sees. Six see three neighbours, six see four, three see
# two pairs, and one sees all.
_C3_SEES = (
    "012", "123", "234", "345", "045", "015",
    "0123", "1234", "2345", "0345", "0145", "0125",
    "0134", "1245", "0235", "012345",
)  # fmt: skip
C3_TABLE = tuple(tuple(int(str(c) in seen) for c in range(6)) for seen in _C3_SEES)

# LeCun et al. 1989: each map of H2 sees 8 of the 12 maps of H1. The paper does not say which; here map k sees the
# eight from k on, counted round, so that each map of H1 is seen by eight too.
H2_TABLE = tuple(tuple(int((c - k) % 12 < 8) for c in range(12)) for k in range(12))


def tdnn_1989(classes: int = 3) -> Sequential:
    """The time-delay network for phonemes: 16 mel coefficients at 15 frames `(16, 15)`; 6,233 connections.

    The coefficients should have mean 0 and lie mostly in -1..1, as the paper's do: sigmoids are saturated otherwise.
    Eight units see 3 frames, one unit for each class sees 5 frames of theirs, and an output sums its unit over the 9
    frames that are left, with one weight for all of them. In the paper that weight is fixed; here it is trained, as the
    output's bias is.

    Source: Waibel, Hanazawa, Hinton, Shikano, Lang, "Phoneme recognition using time-delay neural networks" (1989);
    the lecture's part 6.1.

    Args:
        classes: number of outputs; three in the paper, the consonants b, d and g.

    Raises:
        ArgumentError, ArgumentTypeError: `classes` is not a positive integer.

    >>> tdnn_1989().connection_count((16, 15))
    6233
    """
    return Sequential(*tdnn_1989_layers((16, 15), integer("network", "classes", classes)))


def tdnn_1989_layers(input_shape: Shape, classes: int) -> list[Layer]:
    """The layers of `tdnn_1989` for any number of coefficients and at least 7 frames."""
    frames = input_shape[1] - 2 - 4
    if frames < 1:
        raise ArgumentError(
            f"network 'tdnn-1989': input must have at least 7 frames. Got shape {tuple(input_shape)}."
        )
    return [
        Conv1d(8, 3), Sigmoid(), Conv1d(classes, 5), Sigmoid(),
        Subsample1d(frames, stride=1), Flatten(), Sigmoid(),
    ]  # fmt: skip


def lecun_1989(classes: int = 10) -> Sequential:
    """The network for zip codes: images `(1, 16, 16)` in -1..1; 9,760 parameters, 64,660 connections.

    Two layers of 12 maps, 5x5 with stride 2, whose units share weights but not biases, on a background of -1; then 30
    units and the outputs. Each map of the second layer sees 8 maps of the first: the paper does not say which, here
    map k sees the eight from k on, counted round.

    Source: LeCun et al., "Backpropagation applied to handwritten zip code recognition" (1989).

    Args:
        classes: number of outputs.

    Raises:
        ArgumentError, ArgumentTypeError: `classes` is not a positive integer.

    >>> lecun_1989().connection_count((1, 16, 16))
    64660
    """
    return Sequential(*lecun_1989_layers((1, 16, 16), integer("network", "classes", classes)))


def lecun_1989_layers(input_shape: Shape, classes: int) -> list[Layer]:
    """The layers of `lecun_1989` for images of any size from 4 x 4 on: maps have half of their input's extent."""
    if min(input_shape[1:]) < 4:
        raise ArgumentError(
            f"network 'lecun-1989': input must have at least 4x4 pixels. Got shape {tuple(input_shape)}."
        )
    background = Pad2d((2, 1, 2, 1), value=-1.0)
    return [
        background, Conv2d(12, 5, stride=2, bias=False), UnitBias(), ScaledTanh(),
        background, Conv2d(12, 5, stride=2, bias=False, connections=H2_TABLE), UnitBias(), ScaledTanh(),
        Flatten(), Linear(30), ScaledTanh(), Linear(classes), ScaledTanh(),
    ]  # fmt: skip


def lenet5(classes: int = 10) -> Sequential:
    """LeNet-5 as published: images `(1, 32, 32)`; 60,000 parameters, 340,908 connections.

    Trainable subsampling, maps that see some of the maps before them (table I), and as outputs minus the squared
    distances from drawings of the ten digits. The softmax over these is their posterior, so it is trained with
    cross-entropy. For another number of classes there are no drawings: the output is then a `Linear`.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998), section
    II.B.

    Args:
        classes: number of outputs.

    Raises:
        ArgumentError, ArgumentTypeError: `classes` is not a positive integer.

    >>> lenet5().connection_count((1, 32, 32))
    340908
    """
    return Sequential(*lenet5_layers((1, 32, 32), integer("network", "classes", classes)))


def lenet5_layers(input_shape: Shape, classes: int) -> list[Layer]:
    """The layers of `lenet5`, with two zeros around images of 28 x 28."""
    if input_shape not in ((1, 28, 28), (1, 32, 32)):
        raise ArgumentError(
            f"network 'lenet5-1998': input must be grey images, 1x28x28 or 1x32x32. Got shape {input_shape}."
        )
    margin: list[Layer] = [Pad2d(2)] if input_shape[1] == 28 else []
    output = RadialBasis(codes()) if classes == 10 else Linear(classes)
    return [
        *margin,
        Conv2d(6, 5), ScaledTanh(), Subsample2d(2), ScaledTanh(),
        Conv2d(16, 5, connections=C3_TABLE), ScaledTanh(), Subsample2d(2), ScaledTanh(),
        Conv2d(120, 5), ScaledTanh(), Flatten(), Linear(84), ScaledTanh(), output,
    ]  # fmt: skip
