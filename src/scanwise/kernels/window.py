"""Walks over maps: positions, the channel vectors of a position, windows and what lies in them.

Every walk has one order (samples, rows, columns, channels; inside a window rows, columns), so that a sum over it has
the same bits wherever the window lies and on every processor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.activation import address
from scanwise.kernels.cut import COLUMNS, ROWS, Cut, windows_read
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Extent, Maps, Operation

__all__ = [
    "Pooling",
    "Window",
    "WindowOperation",
    "each_position",
    "each_window",
    "over_channels",
    "over_window",
    "pointer_at",
]

# Elements of a window and vectors of a position that are written out; more become a loop.
WRITTEN_OUT = 16
VECTORS_WRITTEN_OUT = 4

# What a channel walk calls: first channel, vectors, valid lanes of the last vector, carried values.
ChannelBody = Callable[..., Sequence[Value] | None]


@dataclass(frozen=True)
class Pooling:
    """Windows over a map, at given sizes.

    Attributes:
        kernel: (R, S).
        stride: (sh, sw).
        padding: rows above (and below) and columns left (and right) of the map that windows may cover.
        extent: (H, W) of the input.
        positions: (P, Q), the number of windows; those that hang over the end (`ceil_mode`) included.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    extent: tuple[int, int]
    positions: tuple[int, int]

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def partition(self) -> bool:
        """Whether each input is in one window: the only one is the whole map."""
        return self.kernel == self.extent and self.positions == (1, 1) and self.padding == (0, 0)

    @property
    def slides(self) -> bool:
        """Whether all windows are alike but for where they lie."""
        return True

    @property
    def overlapping(self) -> bool:
        """Whether an input may lie in several windows."""
        return any(s < k and p > 1 for s, k, p in zip(self.stride, self.kernel, self.positions, strict=True))

    def resized(self, rows: int, columns: int) -> "Pooling":
        """The same windows, without padding or overhang, on a map of another size."""
        positions = tuple(
            (extent - kernel) // stride + 1
            for extent, kernel, stride in zip((rows, columns), self.kernel, self.stride, strict=True)
        )
        return replace(self, extent=(rows, columns), positions=(positions[0], positions[1]))

    def inside(self, axis: int) -> tuple[int, int]:
        """The windows from the first number to below the second lie wholly in the map."""
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        first = min(-(-padding // stride), self.positions[axis])
        beyond = (self.extent[axis] - kernel + padding) // stride + 1
        return first, max(first, min(beyond, self.positions[axis]))

    def end(self, axis: int) -> int:
        """The first input behind the last window, for windows without gaps between them; at most the extent."""
        last = (self.positions[axis] - 1) * self.stride[axis] - self.padding[axis] + self.kernel[axis]
        return min(last, self.extent[axis])

    def bounds(self, e: Emitter, axis: int, position: Index, inside: bool) -> tuple[Index, Index]:
        """(first input, number of inputs) of a window on one axis; `inside` says that it lies wholly in the map."""
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        first = e.add(e.mul(position, stride), -padding)
        if inside:
            return first, kernel
        begin = e.maximum(first, 0)
        end = e.minimum(e.add(first, kernel), self.extent[axis])
        return begin, e.add(end, e.mul(begin, -1))

    def counted(self, e: Emitter, axis: int, window: "Window") -> Index:
        """How many inputs of a window on one axis a mean divides by: those in the padded map, zeros included."""
        kernel, stride = self.kernel[axis], self.stride[axis]
        padded = self.extent[axis] + 2 * self.padding[axis]
        if (self.positions[axis] - 1) * stride + kernel <= padded:
            return kernel
        position = (window.p, window.q)[axis]
        return e.minimum(kernel, e.add(padded, e.mul(position, -stride)))


@dataclass(frozen=True)
class Window:
    """The part of window (p, q) that lies in the map: from input (row, column) on, rows x columns of it."""

    p: Index
    q: Index
    row: Index
    column: Index
    rows: Index
    columns: Index


def pointer_at(
    e: Emitter, map_pointer: Value, extent: FeatureMap, n: Index, p: Index, q: Index, channel: Index = 0
) -> Value:
    return e.at(map_pointer, address(e, extent, n, p, q, channel))


def each_position(e: Emitter, extent: FeatureMap, body: Callable[[Index, Index, Index], None]) -> None:
    """Run `body(n, p, q)` for every sample and position."""
    e.loop(
        e.n,
        lambda n: e.loop(extent.height, lambda p: e.loop(extent.width, lambda q: body(n, p, q))),
    )


def each_window(e: Emitter, pooling: Pooling, body: Callable[[Index, Window], None]) -> None:
    """Run `body(n, window)` for every window. Only windows at the border have sizes told at run time."""
    P, Q = pooling.positions
    (p0, p1), (q0, q1) = pooling.inside(0), pooling.inside(1)

    def row(n: Index, p: Index, *, inside: bool) -> None:
        # Rows at the border are few: there all windows count as windows at the border, which is less code.
        for first, stop, whole in (
            ((0, q0, False), (q0, q1, True), (q1, Q, False)) if inside else ((0, Q, False),)
        ):
            e.loop(stop, lambda q, w=whole: body(n, _window(e, pooling, p, q, inside, w)), start=first)

    def sample(n: Index) -> None:
        for first, stop, inside in ((0, p0, False), (p0, p1, True), (p1, P, False)):
            e.loop(stop, lambda p, i=inside: row(n, p, inside=i), start=first)

    e.loop(e.n, sample)


def _window(
    e: Emitter, pooling: Pooling, p: Index, q: Index, inside_rows: bool, inside_columns: bool
) -> Window:
    row, rows = pooling.bounds(e, 0, p, inside_rows)
    column, columns = pooling.bounds(e, 1, q, inside_columns)
    return Window(p, q, row, column, rows, columns)


def over_window(
    e: Emitter, window: Window, body: Callable[..., Sequence[Value] | None], carried: Sequence[Value] = ()
) -> list[Value]:
    """Run `body(r, s, *carried)` for every input of the window, counted from its first row and column."""
    rows, columns = window.rows, window.columns
    if isinstance(rows, int) and isinstance(columns, int) and rows * columns <= WRITTEN_OUT:
        values = list(carried)
        for r in range(rows):
            for s in range(columns):
                values = list(body(r, s, *values) or ())
        return values
    return e.loop(
        rows, lambda r, *outer: e.loop(columns, lambda s, *inner: body(r, s, *inner), outer), carried
    )


def over_channels(
    e: Emitter, extent: FeatureMap, body: ChannelBody, carried: Sequence[Value] = (), *, vectors: int = 1
) -> list[Value]:
    """Run `body(channel, count, valid, *carried)` over the channels of one position, `count` vectors at a time.

    `valid` lanes of each of these vectors are channels: all, or for the last, ragged vector the rest.
    """
    lanes = extent.lanes
    full, rest = divmod(extent.channels, lanes)
    values = list(carried)
    turns, single = divmod(full, vectors)

    def turn(i: Index, *inner: Value) -> Sequence[Value] | None:
        return body(e.mul(i, vectors * lanes), vectors, lanes, *inner)

    if turns * vectors <= VECTORS_WRITTEN_OUT:
        for i in range(turns):
            values = list(turn(i, *values) or ())
    else:
        values = e.loop(turns, turn, values)
    if single:
        values = list(body(turns * vectors * lanes, single, lanes, *values) or ())
    if rest:
        values = list(body(full * lanes, 1, rest, *values) or ())
    return values


def _with(pair: tuple[int, int], place: int, value: int) -> tuple[int, int]:
    return (value, pair[1]) if place == 0 else (pair[0], value)


@dataclass(frozen=True)
class WindowOperation(Operation):
    """What pooling and aggregation have in common: one value per channel and window.

    Attributes:
        pooling: the windows; for an `Aggregate` one that is the whole map (several when scanning), or cells of a grid.
        mode: what becomes of a window's values.
    """

    pooling: Pooling
    mode: str

    @property
    def output(self) -> Extent:
        return (self.extent[0], *self.pooling.positions)

    @property
    def step(self) -> tuple[int, int]:
        return self.pooling.stride

    @property
    def work(self) -> int:
        P, Q = self.pooling.positions
        return P * Q * self.pooling.taps * self.extent[0]

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        """Over rows or columns, where no window hangs over the map's border: the kernel of a piece has none."""
        if not self.pooling.slides:
            return ()
        (whole,) = self.forward(maps)
        return [
            self._cut(maps, whole, axis)
            for axis in (ROWS, COLUMNS)
            if self.pooling.inside(axis - ROWS) == (0, self.pooling.positions[axis - ROWS])
        ]

    def _cut(self, maps: Maps, whole: Call, axis: int) -> Cut:
        pooling, i = self.pooling, axis - ROWS
        kernel, stride = pooling.kernel[i], pooling.stride[i]
        x_step, y_step = (m.row if axis == ROWS else m.pitch for m in (maps.x, maps.y))

        def calls(first: int, stop: int) -> Sequence[Call]:
            count = stop - first
            windows = replace(
                pooling,
                extent=_with(pooling.extent, i, (count - 1) * stride + kernel),
                positions=_with(pooling.positions, i, count),
            )
            starts = {"x": first * stride * x_step, "y": first * y_step}
            part = replace(whole.kernel, pooling=windows)  # type: ignore[type-var]
            return (Call(part, whole.arguments, tuple(starts.get(name, 0) for name in whole.arguments)),)

        reads = windows_read(kernel, stride, 1, 0, pooling.extent[i])
        return Cut(axis, pooling.positions[i], 1, calls, reads)

    def resized(self, rows: int, columns: int) -> Self:
        return replace(
            self, extent=(self.extent[0], rows, columns), pooling=self.pooling.resized(rows, columns)
        )
