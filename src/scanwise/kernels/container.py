"""The addition at the end of `Residual`: y = x + f(x), and dx = dy + what comes back through f."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import address, each_vector
from scanwise.kernels.cut import Cut, pointwise_cuts
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.operation import Call, Maps, Operation

__all__ = ["Add", "AddOperation"]


@dataclass(frozen=True)
class Add:
    """y = a + b, for maps of one extent and any borders. Arguments: a, b, y."""

    a: FeatureMap
    b: FeatureMap
    y: FeatureMap
    pointers: int = 3

    def emit(self, e: Emitter) -> None:
        a, b, y = e.arguments

        def vector(n: Index, p: Index, q: Index, c: Index, lanes: int, _: int) -> None:
            left = e.load(a, address(e, self.a, n, p, q, c), lanes)
            right = e.load(b, address(e, self.b, n, p, q, c), lanes)
            e.store(e.builder.fadd(left, right), y, address(e, self.y, n, p, q, c))

        each_vector(e, self.y, vector)


@dataclass(frozen=True)
class AddOperation(Operation):
    """The sum at the end of a `Residual`. Its gradient goes to both inputs as it is: the plan sees to that."""

    def resized(self, rows: int, columns: int) -> "AddOperation":
        return replace(self, extent=(self.extent[0], rows, columns))

    def forward(self, maps: Maps) -> Sequence[Call]:
        assert maps.other is not None
        return (Call(Add(maps.x, maps.other, maps.y), ("x", "other", "y")),)

    def cuts(self, maps: Maps) -> Sequence[Cut]:
        (whole,) = self.forward(maps)
        return pointwise_cuts(maps, whole)
