"""How a feature map lies in memory: `[N][top + H + bottom][left + W + right][pitch]`, channels innermost.

The border holds the zeros that a padded consumer reads. The pitch is the number of channels rounded up to the vector
width, and the padding lanes are always zero, so that vector code never needs to know the true number of channels.
"""

from dataclasses import dataclass, replace

__all__ = ["FeatureMap", "lanes_for", "plain_map", "round_up"]


def round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def lanes_for(channels: int) -> int:
    """Vector width for a map of so many channels. It is part of the layout, so it is the same on every processor."""
    return 16 if channels > 8 else 8 if channels > 4 else 4


@dataclass(frozen=True)
class FeatureMap:
    """Sizes and strides of one map, in floats.

    Attributes:
        channels: C.
        height: H, without the border.
        width: W, without the border.
        pitch: floats from one position to the next, at least C.
        border: zero rows above and below, zero columns left and right: (top, bottom, left, right).
    """

    channels: int
    height: int
    width: int
    pitch: int
    border: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def row(self) -> int:
        """Floats from one row to the next."""
        return (self.border[2] + self.width + self.border[3]) * self.pitch

    @property
    def size(self) -> int:
        """Floats from one sample to the next."""
        return (self.border[0] + self.height + self.border[1]) * self.row

    @property
    def origin(self) -> int:
        """Index of the first float inside the border."""
        return self.border[0] * self.row + self.border[2] * self.pitch

    @property
    def lanes(self) -> int:
        return lanes_for(self.channels)

    @property
    def bordered(self) -> bool:
        return any(self.border)

    def with_border(self, border: tuple[int, int, int, int]) -> "FeatureMap":
        """The map with at least this border on every side."""
        merged = tuple(max(a, b) for a, b in zip(self.border, border, strict=True))
        return replace(self, border=(merged[0], merged[1], merged[2], merged[3]))


def plain_map(channels: int, height: int, width: int) -> FeatureMap:
    """A map without border whose pitch is padded to the vector width."""
    return FeatureMap(channels, height, width, round_up(channels, lanes_for(channels)))
