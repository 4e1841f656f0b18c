"""A function of every value of a plain array, in place: what Python code needs with the bits that kernels have."""

from dataclasses import dataclass

from scanwise.codegen import functions
from scanwise.codegen.emitter import Emitter, Index
from scanwise.codegen.floating_point import FloatingPointMode

__all__ = ["LANES", "Pointwise"]

LANES = 16

_FUNCTIONS = {"exp": functions.exp, "log": functions.log}


@dataclass(frozen=True)
class Pointwise:
    """x = f(x) for n vectors of `LANES` values. Arguments: x.

    Attributes:
        function: "exp" or "log".
    """

    function: str
    pointers: int = 1

    def emit(self, e: Emitter) -> None:
        (x,) = e.arguments
        function = _FUNCTIONS[self.function]
        mode = FloatingPointMode(e)
        mode.set_default()

        def vector(i: Index) -> None:
            at = e.mul(i, LANES)
            e.store(function(e, e.load(x, at, LANES), LANES), x, at)

        e.loop(e.n, vector)
        mode.restore()
