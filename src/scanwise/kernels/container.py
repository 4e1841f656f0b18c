"""The addition at the end of `Residual`: y = x + f(x), and dx = dy + what comes back through f."""

from dataclasses import dataclass

from scanwise.codegen.emitter import Emitter, Index
from scanwise.kernels.activation import address, each_vector
from scanwise.kernels.maps import FeatureMap

__all__ = ["Add"]


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
