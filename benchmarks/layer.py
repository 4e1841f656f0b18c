"""One layer by itself: its native calls, checked against float64 and then ready to be timed on one thread.

The layer is compiled as a network of its own, run once on random inputs (never zeros), and its results are compared
with PyTorch's in float64. Each pass can then run by itself, again and again, on the arrays of that run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.kernels import Repeated
from benchmarks.timing import Work
from benchmarks.torch_twin import twin_of
from scanwise import shapes
from scanwise.codegen.target import host_target
from scanwise.layers import Layer
from scanwise.plan.compiled import Goal
from scanwise.plan.driver import STATISTICS, Field
from scanwise.plan.graph import build_graph
from scanwise.plan.parameters import ParameterLayout, aligned_zeros
from scanwise.plan.program import compile_plan
from scanwise.plan.records import Base
from scanwise.plan.runner import Runner

__all__ = ["PASSES", "LayerAlone", "relative_error"]

PASSES = ("forward", "input gradient", "weight gradient")
# Beyond this a result is wrong and not worth timing. Winograd's weight gradient has the largest error, near 1e-5.
LARGEST_ERROR = 1e-4


def relative_error(result: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    """Length of the difference over length of what was expected, both taken as vectors."""
    return float(np.linalg.norm((result - expected).ravel()) / np.linalg.norm(expected.ravel()))


def pass_of(arguments: Sequence[str]) -> str:
    """Which pass a native call belongs to, told from the names of its arguments; "" for none that is timed."""
    for argument, name in (("d weight", PASSES[2]), ("d bias", ""), ("dx", PASSES[1]), ("y", PASSES[0])):
        if argument in arguments:
            return name
    return ""


class LayerAlone:
    """One layer at one shape.

    Args:
        layer: with weights.
        input_shape: of one sample, channels first.
        samples: in one call; fewer if so many do not stay in the cache (the plan decides).
        fast: use Winograd's algorithm where it fits, as training does.

    Attributes:
        samples: in one call of a pass.
        operations: of one sample in one pass, by the direct formula.
        errors: relative error by pass, against float64.
    """

    def __init__(
        self, layer: Layer, input_shape: tuple[int, ...], samples: int, *, fast: bool = False
    ) -> None:
        network = sw.Sequential(layer)
        self.model = sw.Model(network, input_shape, seed=0)
        self.operations = shapes.walk(network, input_shape)[0].operations
        graph = build_graph(network, input_shape)
        self._graph = graph.with_fast_algorithms() if fast else graph
        self._layout = ParameterLayout.of(graph)
        self._parameters = aligned_zeros(self._layout.floats)
        self._layout.write(dict(self.model.parameters), self._parameters)
        self._forward = self._runner(Goal(), samples)
        self._backward = self._runner(Goal(backward=True, input_gradient=True), samples)
        self.samples = min(self._forward.compiled.samples, self._backward.compiled.samples)
        self.errors = self._run_once()
        for name, error in self.errors.items():
            if error > LARGEST_ERROR:
                raise AssertionError(f"{layer!r} on {input_shape}: {name} is off by {error:.1e}")

    def work(self, name: str) -> Work:
        """The native calls of a pass. Each call of the work does `samples` samples."""
        runner = self._forward if name == PASSES[0] else self._backward
        compiled = runner.compiled
        records = [
            record
            for record, call in zip(compiled.records, compiled.calls, strict=True)
            if pass_of(call.arguments) == name
        ]
        return Repeated(records, runner, self.samples, self)

    def _runner(self, goal: Goal, samples: int) -> Runner:
        compiled = compile_plan(self._graph, self._layout, "float32", goal, host_target(), samples)
        runner = Runner(self._graph, compiled, self._layout, self._parameters, host_target())
        runner.refresh(0)
        return runner

    def _run_once(self) -> dict[str, float]:
        """Fills all arrays; the error of each pass."""
        random = np.random.default_rng(0)
        n = self.samples
        x = random.uniform(0.05, 1.0, (n, *self.model.input_shape)).astype(np.float32)
        dy = random.standard_normal((n, *self.model.output_shape)).astype(np.float32)
        y, dx = np.empty_like(dy), np.empty_like(x)
        floats = self._layout.size + STATISTICS
        self._gradients = aligned_zeros(floats)
        context = self._backward.context
        context[Field.GRADIENTS], context[Field.GRADIENT_FLOATS] = self._gradients.ctypes.data, floats
        self._backward.set_data(Base.COTANGENT, dy)
        for runner, output in ((self._forward, y), (self._backward, dx)):
            runner.set_data(Base.SAMPLES, x)
            runner.set_order(np.arange(n, dtype=np.int64))
            runner.set_output(output)
            runner.run_samples(n, 1, 1)
        found = self._layout.read_trained(self._gradients[: self._layout.size])["0.weight"]
        expected = self._expected(x, dy)
        return {
            name: relative_error(result, exact)
            for name, result, exact in zip(PASSES, (y, dx, found), expected, strict=True)
        }

    def _expected(self, x: NDArray[np.float32], dy: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """y, dx and dw in float64, by PyTorch."""
        module = twin_of(self.model).double()
        inputs = torch.from_numpy(x).double().requires_grad_()
        y = module(inputs)
        y.backward(torch.from_numpy(dy).double())
        gradients = inputs.grad, dict(module.named_parameters())["0.weight"].grad
        return [y.detach().numpy(), *(g.numpy() for g in gradients if g is not None)]
