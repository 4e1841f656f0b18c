"""A convolution's weights transposed, as its input gradient reads them."""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import lanes_for, round_up

__all__ = ["TransposeWeights", "columns_of"]

# Floats of weights that one call transposes: calls are shared among threads.
TRANSPOSED_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class TransposeWeights:
    """Weights as the input gradient reads them: lanes are input channels. Arguments: w, transposed.

    `[K / lanes][R S][C][lanes]` becomes `[C / lanes'][R S][K][lanes']` in each group.

    Attributes:
        convolution: the sizes.
        channels: how many channels of each group to do, from the one that the arguments point to; 0 for all.
    """

    convolution: Convolution
    channels: int = 0
    pointers: int = 2

    @property
    def lanes(self) -> int:
        return lanes_for(self.convolution.group_channels)

    @property
    def block(self) -> int:
        """Floats of transposed weights for one vector of input channels."""
        c = self.convolution
        return c.taps * c.group_outputs * self.lanes

    @property
    def size(self) -> int:
        c = self.convolution
        return c.group_count * (round_up(c.group_channels, self.lanes) // self.lanes) * self.block

    def parts(self) -> list[tuple["TransposeWeights", int, int]]:
        """Calls that do all channels between them: (kernel, offset into w, offset into transposed)."""
        c = self.convolution
        blocks = max(1, TRANSPOSED_AT_ONCE // self.block)
        if c.group_count > 1 or blocks * self.lanes >= c.group_channels:
            return [(self, 0, 0)]
        found = []
        for first in range(0, c.group_channels, blocks * self.lanes):
            count = min(blocks * self.lanes, c.group_channels - first)
            part = TransposeWeights(c, count)
            found.append((part, first * c.lanes, first // self.lanes * self.block))
        return found

    def emit(self, e: Emitter) -> None:
        self.emit_on(e, *e.arguments)

    def emit_on(self, e: Emitter, w: Value, transposed: Value) -> None:
        """The transposition as a part of a larger kernel."""
        c = self.convolution
        whole = round_up(c.group_channels, self.lanes) // self.lanes * self.block

        def group(g: Index) -> None:
            source, goal = e.at(w, e.mul(g, c.blocks * c.block)), e.at(transposed, e.mul(g, whole))
            full, rest = divmod(self.channels or c.group_channels, self.lanes)
            e.loop(full, lambda i: self._channels(e, source, goal, i, self.lanes))
            if rest:
                self._channels(e, source, goal, full, rest)

        e.loop(c.group_count, group)

    def _channels(self, e: Emitter, w: Value, transposed: Value, block: Index, valid: int) -> None:
        """One vector of input channels, of which the first `valid` are there."""
        c, lanes = self.convolution, self.lanes
        goal = e.at(transposed, e.mul(block, self.block))
        source = e.at(w, e.mul(block, lanes * c.lanes))

        def outputs(t: Index, k: Index, count: int) -> None:
            tile = e.at(source, e.affine((k, c.block), (t, c.steps * c.lanes)))
            rows = [e.load(tile, i * c.lanes, c.lanes) for i in range(valid)]
            rows += [e.constant(0.0, c.lanes)] * (lanes - valid)
            at = e.affine((t, c.group_outputs * lanes), (e.mul(k, c.lanes), lanes))
            for i, column in enumerate(columns_of(e, rows, c.lanes)[:count]):
                e.store(column, goal, e.add(at, i * lanes))

        def tap(t: Index) -> None:
            full, rest = divmod(c.group_outputs, c.lanes)
            e.loop(full, lambda k: outputs(t, k, c.lanes))
            if rest:
                outputs(t, full, rest)

        e.loop(c.taps, tap)


def columns_of(e: Emitter, rows: list[Value], lanes: int) -> list[Value]:
    """Columns of a matrix given as row vectors of `lanes` floats; both extents are 4, 8 or 16.

    Four rows at a time are transposed within the quarters of 4 floats that shuffles are quick in (64 shuffles for a
    square of 16), then the quarters themselves are.
    """
    quads = [_quad(e, rows[first : first + 4]) for first in range(0, len(rows), 4)]
    columns: list[Value] = [None] * lanes
    for i in range(4):
        columns[i::4] = _quarters(e, [quad[i] for quad in quads], 1, lanes // 4)
    return columns


def _quad(e: Emitter, rows: list[Value]) -> list[Value]:
    """Vector i holds, in quarter j, column 4 j + i of the four rows."""
    low, high = ((0, 4, 1, 5), (2, 6, 3, 7)), ((0, 1, 4, 5), (2, 3, 6, 7))

    def join(a: Value, b: Value, picks: tuple[int, ...]) -> Value:
        lanes = a.type.count
        order = [
            first + pick if pick < 4 else lanes + first + pick - 4
            for first in range(0, lanes, 4)
            for pick in picks
        ]
        return e.builder.shuffle_vector(a, b, e.shuffle(order))

    pairs = [[join(a, b, picks) for picks in low] for a, b in (rows[:2], rows[2:])]
    return [join(a, b, picks) for a, b in zip(*pairs, strict=True) for picks in high]


def _quarters(e: Emitter, vectors: list[Value], rows: int, columns: int) -> list[Value]:
    """Columns of a matrix of quarters of which each vector holds `rows` rows of `columns`, as one vector each."""
    if columns == len(vectors) == 1:
        return vectors
    held = rows * columns
    pairs = list(zip(vectors[::2], vectors[1::2], strict=False)) or [(vectors[0], None)]
    count = held if pairs[0][1] is None else 2 * held

    def pick(start: int, step: int) -> list[Value]:
        order = [4 * quarter + lane for quarter in range(start, count, step) for lane in range(4)]
        return [e.builder.shuffle_vector(a, b or a, e.shuffle(order)) for a, b in pairs]

    together = rows * (1 if count == held else 2)
    if columns == 1:
        return _quarters(e, pick(0, 1), together, 1)
    halves = [_quarters(e, pick(start, 2), together, columns // 2) for start in (0, 1)]
    return [column for pair in zip(*halves, strict=True) for column in pair]
