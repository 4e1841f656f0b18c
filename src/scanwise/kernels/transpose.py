"""A convolution's weights transposed, as its input gradient reads them."""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index, Value
from scanwise.kernels.convolution import Convolution
from scanwise.kernels.maps import lanes_for, round_up

__all__ = ["TransposeWeights"]

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
            for i, column in enumerate(_transposed(e, rows, c.lanes)[:count]):
                e.store(column, goal, e.add(at, i * lanes))

        def tap(t: Index) -> None:
            full, rest = divmod(c.group_outputs, c.lanes)
            e.loop(full, lambda k: outputs(t, k, c.lanes))
            if rest:
                outputs(t, full, rest)

        e.loop(c.taps, tap)


def _transposed(e: Emitter, rows: list[Value], lanes: int) -> list[Value]:
    """Columns of a matrix given as row vectors of `lanes` floats, in squares: of as many rows as a row has lanes, or of
    as many lanes as there are rows.
    """
    size = min(len(rows), lanes)
    columns: list[Value] = []
    for first in range(0, lanes, size):
        parts = [_part(e, row, lanes, first, size) for row in rows]
        squares = [_square(e, parts[top : top + size]) for top in range(0, len(rows), size)]
        columns += [_joined(e, list(pieces)) for pieces in zip(*squares, strict=True)]
    return columns


def _square(e: Emitter, rows: list[Value]) -> list[Value]:
    """The transpose of as many rows as they have lanes.

    Interleaving row i with row i + size / 2 moves the highest bit of an element's row number to the lowest of its lane
    number, and every other bit up by one. After log2(size) rounds row and lane have changed places. No vector is wider
    than a row: LLVM takes many times as long for the same permutation of a vector that holds the whole matrix.
    """
    size = len(rows)
    half = size // 2
    low, high = ([base + lane // 2 + lane % 2 * size for lane in range(size)] for base in (0, half))
    for _ in range(size.bit_length() - 1):
        rows = [
            e.builder.shuffle_vector(a, b, e.shuffle(order))
            for a, b in zip(rows[:half], rows[half:], strict=True)
            for order in (low, high)
        ]
    return rows


def _part(e: Emitter, row: Value, lanes: int, first: int, count: int) -> Value:
    """Lanes `first` to `first + count` of a row."""
    return (
        row if count == lanes else e.builder.shuffle_vector(row, row, e.shuffle(range(first, first + count)))
    )


def _joined(e: Emitter, parts: list[Value]) -> Value:
    """Vectors one after another as one; their number is a power of two."""
    while len(parts) > 1:
        count = parts[0].type.count
        order = e.shuffle(range(2 * count))
        parts = [e.builder.shuffle_vector(a, b, order) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
