"""Hypothesis strategies: a layer and the shape of an input that it fits."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from scanwise.errors import ShapeError
from scanwise.layers import (
    GELU,
    Aggregate,
    AvgPool1d,
    AvgPool2d,
    BatchNorm,
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

Drawn = tuple[Layer, Shape]

small = st.integers(1, 3)


@st.composite
def shapes(draw: st.DrawFn, axes: tuple[int, ...] = (1, 2, 3), largest: int = 4) -> Shape:
    """An input shape with one of these numbers of axes, channels first; axes of one element included."""
    count = draw(st.sampled_from(axes))
    return tuple(draw(st.lists(st.integers(1, largest), min_size=count, max_size=count)))


@st.composite
def linears(draw: st.DrawFn) -> Drawn:
    return Linear(draw(st.integers(1, 5)), bias=draw(st.booleans())), draw(shapes((1,), 6))


@st.composite
def convs(draw: st.DrawFn, axes: int = 2) -> Drawn:
    """Stride, dilation, groups up to depthwise, connections, with and without bias, every form of padding."""
    kernel = tuple(draw(small) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    words = ["valid", "same"] + (["causal"] if axes == 1 else [])
    numbers = st.integers(0, 2)
    padding = draw(st.one_of(st.sampled_from(words), numbers, st.tuples(numbers, numbers)))
    stride = 1 if padding == "same" else tuple(draw(small) for _ in range(axes))
    groups = draw(st.integers(1, 3))
    outputs, channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    connections = draw(tables(outputs, channels)) if groups == 1 and draw(st.booleans()) else None
    layer = (Conv1d if axes == 1 else Conv2d)(
        out_channels=outputs,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
        flip=draw(st.booleans()),
        connections=connections,
    )
    padded = [before + after for before, after in layer.sliding_window()[3]]
    extents = [max(1, r - p) + draw(st.integers(0, 3)) for r, p in zip(reach, padded, strict=True)]
    return layer, (channels, *extents)


@st.composite
def tables(draw: st.DrawFn, outputs: int, channels: int) -> tuple[tuple[int, ...], ...]:
    """Connections: no row without a one."""
    bits = st.lists(st.integers(0, 1), min_size=channels, max_size=channels)
    return tuple(tuple(row) for row in draw(st.lists(bits.filter(any), min_size=outputs, max_size=outputs)))


@st.composite
def conv_transposes(draw: st.DrawFn, axes: int = 2) -> Drawn:
    """Stride, dilation, groups up to depthwise, with and without bias, padding of either form, output padding."""
    kernel, stride = (tuple(draw(small) for _ in range(axes)) for _ in range(2))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    numbers = st.integers(0, 2)
    groups = draw(st.integers(1, 3))
    layer = (ConvTranspose1d if axes == 1 else ConvTranspose2d)(
        out_channels=groups * draw(st.integers(1, 2)),
        kernel_size=kernel,
        stride=stride,
        padding=draw(numbers | st.tuples(numbers, numbers)),
        output_padding=tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        ),
        groups=groups,
        bias=draw(st.booleans()),
        dilation=dilation,
        flip=draw(st.booleans()),
    )
    shape = (groups * draw(st.integers(1, 2)), *(draw(st.integers(1, 4)) for _ in range(axes)))
    try:
        layer.output_shape(shape)
    except ShapeError:  # all of the output is cut off
        assume(False)
    return layer, shape


@st.composite
def pools(draw: st.DrawFn, kind: type[MaxPool1d | MaxPool2d | AvgPool1d | AvgPool2d]) -> Drawn:
    """Windows that overlap, touch, or leave gaps; padded; with and without `ceil_mode`."""
    kernel = tuple(draw(small) for _ in range(kind.axes))
    stride = draw(st.none() | st.tuples(*[small] * kind.axes))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    layer = kind(kernel, stride, padding, ceil_mode=draw(st.booleans()))
    extents = [max(1, k - 2 * p) + draw(st.integers(0, 4)) for k, p in zip(kernel, padding, strict=True)]
    return layer, (draw(st.integers(1, 2)), *extents)


@st.composite
def subsamplings(draw: st.DrawFn) -> Drawn:
    """Windows that overlap, touch, or leave gaps."""
    axes = draw(st.sampled_from([1, 2]))
    kernel = tuple(draw(small) for _ in range(axes))
    layer = (Subsample1d if axes == 1 else Subsample2d)(kernel, draw(st.none() | st.tuples(*[small] * axes)))
    return layer, (draw(st.integers(1, 2)), *(k + draw(st.integers(0, 4)) for k in kernel))


@st.composite
def downsamplings(draw: st.DrawFn) -> Drawn:
    if draw(st.booleans()):
        return Downsample1d(draw(small)), draw(shapes((2,), 6))
    return Downsample2d(draw(st.tuples(small, small))), draw(shapes((3,), 5))


@st.composite
def paddings(draw: st.DrawFn) -> Drawn:
    width, value = st.integers(0, 2), draw(st.sampled_from([0.0, -1.0, 0.3]))
    if draw(st.booleans()):
        return Pad1d(draw(st.tuples(width, width)), value), draw(shapes((2,)))
    return Pad2d(draw(st.tuples(width, width, width, width)), value), draw(shapes((3,), 3))


@st.composite
def activations(draw: st.DrawFn) -> Drawn:
    slopes = st.floats(-1, 1, allow_nan=False).map(LeakyReLU)
    plain = st.sampled_from([ReLU(), GELU(), GELU("tanh"), SiLU(), Sigmoid(), Tanh(), ScaledTanh()])
    return draw(slopes | plain), draw(shapes())


@st.composite
def prelus(draw: st.DrawFn) -> Drawn:
    """One slope, and one for each channel."""
    shape = draw(shapes())
    return PReLU(draw(st.sampled_from([1, shape[0]])), draw(st.sampled_from([0.25, -0.5]))), shape


@st.composite
def batch_norms(draw: st.DrawFn) -> Drawn:
    layer = BatchNorm(
        draw(st.sampled_from([1e-5, 0.1])), draw(st.sampled_from([0.1, 1.0])), affine=draw(st.booleans())
    )
    return layer, draw(shapes())


@st.composite
def unit_biases(draw: st.DrawFn) -> Drawn:
    return UnitBias(), draw(shapes())


@st.composite
def radial_bases(draw: st.DrawFn) -> Drawn:
    inputs = draw(st.integers(1, 5))
    codes = st.lists(st.sampled_from([-1.0, 1.0, 0.25]), min_size=inputs, max_size=inputs)
    return RadialBasis(draw(st.lists(codes, min_size=1, max_size=4))), (inputs,)


@st.composite
def softmaxes(draw: st.DrawFn) -> Drawn:
    return Softmax(), draw(shapes())


@st.composite
def flattenings(draw: st.DrawFn) -> Drawn:
    return Flatten(), draw(shapes())


@st.composite
def dropouts(draw: st.DrawFn) -> Drawn:
    return Dropout(draw(st.floats(0, 0.9))), draw(shapes())


@st.composite
def aggregations(draw: st.DrawFn) -> Drawn:
    shape = draw(shapes((2, 3)))
    grids = st.none() | st.tuples(*(st.integers(1, extent) for extent in shape[1:]))
    grid = draw(grids)
    return Aggregate(
        draw(st.sampled_from(Aggregate.modes)), grid if grid is None or len(grid) > 1 else grid[0]
    ), shape


@st.composite
def log_mels(draw: st.DrawFn) -> Drawn:
    n_fft = draw(st.integers(4, 12))
    layer = LogMel(
        8000,
        n_fft,
        hop=draw(st.integers(1, 9)),
        n_mels=draw(st.integers(1, 4)),
        f_max=draw(st.none() | st.just(3000)),
    )
    return layer, (1, n_fft + draw(st.integers(0, 20)))


@st.composite
def unfoldings(draw: st.DrawFn) -> Drawn:
    """Windows that overlap, touch, or leave gaps."""
    kind = draw(st.sampled_from([Unfold1d, Unfold2d]))
    window, stride = (tuple(draw(small) for _ in range(kind.axes)) for _ in range(2))
    return kind(window, stride), (draw(small), *(extent + draw(st.integers(0, 3)) for extent in window))


@st.composite
def scans(draw: st.DrawFn) -> Drawn:
    """MLPs that are convolutions, and such that look at each window as a whole."""
    unfolding, shape = draw(unfoldings())
    assert isinstance(unfolding, Unfold1d | Unfold2d)
    (values,) = unfolding.patch(shape)
    first: list[list[Layer]] = [
        [],
        [Flatten(), Tanh()],
        [Softmax()],
        [Residual(Linear(values), Tanh())],
        [Sequential(Dropout(0.2), Linear(2))],
    ]
    last: list[list[Layer]] = [
        [],
        [Sequential(Tanh(), Linear(draw(small), bias=draw(st.booleans())))],
        [Residual(Flatten(), Residual(Tanh())), Softmax()],
    ]
    mlp = Sequential(*draw(st.sampled_from(first)), Linear(draw(small)), *draw(st.sampled_from(last)))
    return (Scan1d if unfolding.axes == 1 else Scan2d)(mlp, unfolding.window, unfolding.stride), shape


@st.composite
def planes(draw: st.DrawFn) -> Drawn:
    """S-cells and C-cells: strides, padding, selectivity and inhibition from around."""
    kernel, stride = (tuple(draw(small) for _ in range(2)) for _ in range(2))
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    extents = [max(1, k - 2 * p) + draw(st.integers(0, 2)) for k, p in zip(kernel, padding, strict=True)]
    layer: Layer
    if draw(st.booleans()):
        r, gamma = draw(st.sampled_from([0.3, 1.0, 3.5])), draw(st.sampled_from([0.6, 1.0]))
        layer = SPlane(draw(small), kernel, r, stride, padding, gamma)
    else:
        surround = draw(st.sampled_from([0.0, 0.7]))
        layer = CPlane(
            kernel, stride, padding, draw(st.sampled_from([0.3, 1.0])), sigma=0.8, surround=surround
        )
    return layer, (draw(small), *extents)


@st.composite
def labelled_maxima(draw: st.DrawFn) -> Drawn:
    labels = draw(st.permutations([0, 1, 2, *draw(st.lists(st.integers(0, 2), max_size=3))]))
    return MaxByLabel(tuple(labels)), (len(labels), *draw(st.lists(small, max_size=2)))


@st.composite
def residuals(draw: st.DrawFn) -> Drawn:
    channels = draw(small)
    inner = Sequential(Conv1d(draw(small), 2, padding="same"), Tanh())
    return Residual(inner, Conv1d(channels, 3, padding="same")), (channels, draw(st.integers(1, 6)))


@st.composite
def sequentials(draw: st.DrawFn) -> Drawn:
    """A small network with nesting."""
    head = [Flatten(), Linear(draw(small))] if draw(st.booleans()) else [Aggregate("logsumexp")]
    network = Sequential(Conv2d(draw(small), 2), Sequential(Tanh(), AvgPool2d(2, ceil_mode=True)), *head)
    return network, (draw(small), draw(st.integers(2, 5)), draw(st.integers(2, 5)))


layers = st.one_of(
    linears(),
    convs(1),
    convs(2),
    conv_transposes(1),
    conv_transposes(2),
    *[pools(kind) for kind in (MaxPool1d, MaxPool2d, AvgPool1d, AvgPool2d)],
    subsamplings(),
    downsamplings(),
    paddings(),
    activations(),
    prelus(),
    batch_norms(),
    unit_biases(),
    radial_bases(),
    softmaxes(),
    flattenings(),
    dropouts(),
    aggregations(),
    log_mels(),
    unfoldings(),
    scans(),
    planes(),
    labelled_maxima(),
    residuals(),
    sequentials(),
)
