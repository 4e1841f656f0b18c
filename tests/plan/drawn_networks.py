"""Hypothesis strategies: whole networks, grown layer by layer from the shape that has been reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from scanwise.errors import ShapeError
from scanwise.initialization import initial_parameters
from scanwise.layers import (
    GELU,
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    CPlane,
    Downsample1d,
    Downsample2d,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    LogMel,
    MaxByLabel,
    MaxPool1d,
    MaxPool2d,
    Pad1d,
    Pad2d,
    PReLU,
    RadialBasis,
    ReLU,
    Residual,
    ScaledTanh,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
    Sigmoid,
    SiLU,
    Softmax,
    SPlane,
    Subsample1d,
    Subsample2d,
    Tanh,
    Unfold1d,
    Unfold2d,
    UnitBias,
)

# Around the vector widths 4, 8 and 16.
CHANNELS = st.sampled_from([1, 2, 3, 4, 5, 8, 9, 16, 17, 20])
ACTIVATIONS: st.SearchStrategy[Layer] = st.sampled_from(
    [ReLU(), LeakyReLU(0.1), LeakyReLU(-0.5), PReLU(), GELU(), SiLU(), Sigmoid(), Tanh(), ScaledTanh()]
)
# Dropout is the identity here; it must not get in the way of what is fused around it.
DROPOUTS: st.SearchStrategy[Layer] = st.sampled_from([Dropout(0.0), Dropout(0.3)])
SMALL = st.integers(1, 3)


@dataclass(frozen=True)
class Case:
    """A network, the shape of its samples, and parameters and samples for it."""

    network: Sequential
    input_shape: Shape

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis would print every class attribute of every layer."""
        printer.text(repr(self))

    @property
    def output_shape(self) -> Shape:
        return self.network.output_shape(self.input_shape)

    @property
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """First values, with biases that are not zero."""
        values = initial_parameters(self.network, self.input_shape, seed=1)
        return {
            name: random_values(*value.shape, seed=2) * np.float32(0.3) if name.endswith("bias") else value
            for name, value in values.items()
        }

    def samples(self, count: int) -> NDArray[np.float32]:
        return random_values(count, *self.input_shape, seed=3)

    def target(self, count: int, loss: str) -> NDArray[Any]:
        generator = np.random.default_rng(4)
        if loss == "cross_entropy":
            return generator.integers(0, self.output_shape[0], count)
        return generator.random((count, *self.output_shape)).astype(np.float32)


def random_values(*shape: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_table(outputs: int, channels: int, seed: int) -> NDArray[np.bool_]:
    """Connections of about half of all pairs of channels, and at least one for each output."""
    generator = np.random.default_rng(seed)
    table = generator.random((outputs, channels)) < 0.5
    table[np.arange(outputs), generator.integers(0, channels, outputs)] = True
    return table


@st.composite
def networks(draw: st.DrawFn, *, most: int = 5, padding: bool = True, flat: bool = True) -> Case:
    """One to `most` layers (containers count as one) on a signal, an image, a recording or a vector.

    Args:
        most: layers.
        padding: whether layers may pad, or spread their inputs.
        flat: whether inputs may be vectors.
    """
    kind = draw(st.sampled_from(["signal", "image", "image", "recording"] + ["vector"] * flat))
    layers: list[Layer] = []
    if kind == "recording":
        layers.append(draw(_log_mels()))
        input_shape: Shape = (1, draw(st.integers(12, 40)))
    else:
        axes = {"signal": 1, "image": 2, "vector": 0}[kind]
        extents = st.integers(1 if padding else 4, 14 if axes == 1 else 8)
        input_shape = (draw(CHANNELS), *(draw(extents) for _ in range(axes)))
    reached = Sequential(*layers).output_shape(input_shape) if layers else input_shape
    for _ in range(draw(st.integers(1, most))):
        layer = draw(_layer(reached, padding))
        try:
            reached = layer.output_shape(reached)
        except ShapeError:  # a kernel larger than what is left
            continue
        layers.append(layer)
    return Case(Sequential(*(layers or [ReLU()])), input_shape)


@st.composite
def classifiers(draw: st.DrawFn) -> Case:
    """A drawn network with an end that gives a score for each of several labels."""
    case = draw(networks(most=3))
    reached = case.output_shape
    ends: list[list[Layer]] = [[Flatten(), Linear(3)], [Flatten(), Linear(5), Softmax()]]
    ends += [[Sequential(Flatten(), Linear(17), Sequential(Sigmoid()))], [Flatten(), Linear(2), Dropout(0.2)]]
    if len(reached) > 1 and reached[0] > 1:
        ends += [[Aggregate(mode)] for mode in Aggregate.modes]
        ends += [[draw(_aggregates(reached)), Flatten(), Linear(2)]]
    return Case(Sequential(*case.network.layers, *draw(st.sampled_from(ends))), case.input_shape)


def _layer(reached: Shape, padding: bool) -> st.SearchStrategy[Layer]:
    """A layer for values of the shape `reached`; windows may turn out too large for it."""
    inner = _keeping(reached, 2, padding)
    found = [ACTIVATIONS, DROPOUTS, st.just(Flatten()), st.just(Softmax()), st.just(UnitBias())]
    labels = MaxByLabel(tuple(k % min(3, reached[0]) for k in range(reached[0])))
    found += [st.just(labels)] * (reached[0] > 1)
    found += [inner.map(lambda layers: Residual(*layers)), inner.map(lambda layers: Sequential(*layers))]
    if len(reached) == 1:
        return st.one_of(*found, *[_linears()] * 3, _radial_bases(reached[0]))
    axes = len(reached) - 1
    found += [*[_convs(reached, padding)] * 5, *[_pools(axes, padding)] * 3, _downsamplings(axes)]
    found += [_subsamplings(axes)]
    found += [_aggregates(reached), _unfoldings(axes), *[_scans(axes)] * 2]
    if axes == 2:
        found += [_planes(padding)]
    return st.one_of(*found, *[_paddings(axes), _conv_transposes(reached)] * padding)


def _aggregates(reached: Shape) -> st.SearchStrategy[Layer]:
    """With a grid, whose cells are of one size or not, or without."""
    grids = st.tuples(*(st.integers(1, min(extent, 3)) for extent in reached[1:]))
    grids = grids.map(lambda grid: grid if len(grid) > 1 else grid[0])
    return st.builds(Aggregate, st.sampled_from(Aggregate.modes), st.none() | grids)


@st.composite
def _keeping(draw: st.DrawFn, shape: Shape, depth: int, padding: bool) -> list[Layer]:
    """Layers after which the shape is what it was."""
    axes = len(shape) - 1
    found = [ACTIVATIONS.map(_list), DROPOUTS.map(_list), st.just([Softmax()])]
    if depth > 0:
        inner = _keeping(shape, depth - 1, padding)
        found += [
            inner.map(lambda layers: [Residual(*layers)]),
            inner.map(lambda layers: [Sequential(*layers)]),
        ]
    if axes == 0:
        found += [st.just([Linear(shape[0])])] * 2
    elif padding:
        found += [_same_convs(shape)] * 3 + [_same_pools(axes).map(_list)]
    else:
        found += [st.just([(Conv1d if axes == 1 else Conv2d)(shape[0], 1)])] * 2
    return [layer for part in draw(st.lists(st.one_of(*found), min_size=1, max_size=2)) for layer in part]


@st.composite
def _same_convs(draw: st.DrawFn, shape: Shape) -> list[Layer]:
    kind = Conv1d if len(shape) == 2 else Conv2d
    there = kind(draw(CHANNELS), draw(SMALL), padding="same")
    return [there, draw(ACTIVATIONS), kind(shape[0], draw(SMALL), padding="same", flip=draw(st.booleans()))]


def _same_pools(axes: int) -> st.SearchStrategy[Layer]:
    if axes == 1:
        return st.sampled_from([MaxPool1d(3, 1, 1), AvgPool1d(3, 1, 1)])
    return st.sampled_from([MaxPool2d(3, 1, 1), AvgPool2d((3, 1), 1, (1, 0))])


@st.composite
def _convs(draw: st.DrawFn, shape: Shape, padding: bool) -> Layer:
    """Stride, dilation, groups up to depthwise, connections, with and without bias, every form of padding."""
    axes, channels, groups = len(shape) - 1, shape[0], draw(_groups(shape[0]))
    words = ["valid", "same"] + ["causal"] * (axes == 1)
    pads = draw(st.sampled_from(words) | st.integers(0, 2)) if padding else 0
    stride = 1 if pads == "same" else tuple(draw(st.integers(1, 2)) for _ in range(axes))
    outputs = groups * max(1, round(draw(CHANNELS) / groups))
    connected = groups == 1 and draw(st.integers(0, 3)) == 0
    return (Conv1d if axes == 1 else Conv2d)(
        outputs,
        tuple(draw(SMALL) for _ in range(axes)),
        stride=stride,
        padding=pads,
        dilation=tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(axes)),
        groups=groups,
        bias=draw(st.booleans()),
        flip=draw(st.booleans()),
        connections=random_table(outputs, channels, seed=7) if connected else None,
    )


def _groups(channels: int) -> st.SearchStrategy[int]:
    return st.sampled_from([1, 1, channels, *(d for d in range(2, channels) if channels % d == 0)])


@st.composite
def _conv_transposes(draw: st.DrawFn, shape: Shape) -> Layer:
    """Stride, dilation, groups up to depthwise, with and without bias, padding, output padding."""
    axes, groups = len(shape) - 1, draw(_groups(shape[0]))
    stride = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    return (ConvTranspose1d if axes == 1 else ConvTranspose2d)(
        groups * max(1, round(draw(CHANNELS) / groups)),
        tuple(draw(SMALL) for _ in range(axes)),
        stride=stride,
        padding=draw(st.integers(0, 1)),
        output_padding=tuple(draw(st.integers(0, s - 1)) for s in stride),
        groups=groups,
        bias=draw(st.booleans()),
        dilation=tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(axes)),
        flip=draw(st.booleans()),
    )


@st.composite
def _pools(draw: st.DrawFn, axes: int, padding: bool) -> Layer:
    """Windows that overlap, touch, or leave gaps; padded; with and without `ceil_mode`."""
    kinds = [MaxPool1d, AvgPool1d] if axes == 1 else [MaxPool2d, AvgPool2d]
    kernel = tuple(draw(SMALL) for _ in range(axes))
    stride = draw(st.none() | st.tuples(*[SMALL] * axes))
    pads = tuple(draw(st.integers(0, k // 2)) if padding else 0 for k in kernel)
    return draw(st.sampled_from(kinds))(kernel, stride, pads, ceil_mode=padding and draw(st.booleans()))


def _downsamplings(axes: int) -> st.SearchStrategy[Layer]:
    return SMALL.map(Downsample1d) if axes == 1 else st.tuples(SMALL, SMALL).map(Downsample2d)


@st.composite
def _unfoldings(draw: st.DrawFn, axes: int) -> Layer:
    window, stride = (tuple(draw(SMALL) for _ in range(axes)) for _ in range(2))
    return (Unfold1d if axes == 1 else Unfold2d)(window, stride)


@st.composite
def _scans(draw: st.DrawFn, axes: int) -> Layer:
    """MLPs of one to three layers."""
    windows = draw(_unfoldings(axes))
    assert isinstance(windows, Unfold1d | Unfold2d)
    mlp: list[Layer] = [draw(st.sampled_from([Flatten(), Tanh(), Softmax()]))] * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 2))):
        mlp += [draw(_linears()), draw(ACTIVATIONS)]
    return (Scan1d if axes == 1 else Scan2d)(Sequential(*mlp), windows.window, windows.stride)


@st.composite
def _planes(draw: st.DrawFn, padding: bool) -> Layer:
    """A layer of S-cells or C-cells."""
    kernel = tuple(draw(SMALL) for _ in range(2))
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    pads = tuple(draw(st.integers(0, k - 1)) if padding else 0 for k in kernel)
    if draw(st.booleans()):
        return SPlane(draw(CHANNELS), kernel, draw(st.sampled_from([0.5, 2.0])), stride, pads, gamma=0.8)
    return CPlane(kernel, stride, pads, alpha=0.5, surround=0.4)


def _subsamplings(axes: int) -> st.SearchStrategy[Layer]:
    if axes == 1:
        return st.builds(Subsample1d, SMALL, st.none() | SMALL)
    return st.builds(Subsample2d, st.tuples(SMALL, SMALL), st.none() | SMALL)


def _paddings(axes: int) -> st.SearchStrategy[Layer]:
    width, value = st.integers(0, 2), st.sampled_from([0.0, -1.0])
    if axes == 1:
        return st.builds(Pad1d, st.tuples(width, width), value)
    return st.builds(Pad2d, st.tuples(width, width, width, width), value)


def _linears() -> st.SearchStrategy[Layer]:
    return st.builds(Linear, st.sampled_from([1, 2, 3, 5, 8, 10, 17]), bias=st.booleans())


def _radial_bases(inputs: int) -> st.SearchStrategy[Layer]:
    return st.integers(1, 9).map(lambda outputs: RadialBasis(random_values(outputs, inputs, seed=8)))


def _log_mels() -> st.SearchStrategy[Layer]:
    upper = st.none() | st.just(3000.0)
    return st.builds(
        LogMel, st.just(8000), st.integers(4, 12), st.integers(1, 6), st.integers(1, 9), f_max=upper
    )


def _list(layer: Layer) -> list[Layer]:
    return [layer]
