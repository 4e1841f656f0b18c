"""JAX as a contender: jitted inference, and jitted training steps that take over their parameters' memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scanwise as sw
from benchmarks.protocol import JAX, LEARNING_RATE, MOMENTUM, POOL, Array

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp

from benchmarks.jax_twin import JaxTwin

LAYOUTS = {JAX: False, f"{JAX} channels last": True}


def inference(model: sw.Model, parts: list[Array]) -> dict[str, Callable[[int], object]]:
    """By layout: the function that runs batch number `i`. The batches lie ready in JAX's memory."""
    return {name: _forward(JaxTwin(model, channels_last=last), parts) for name, last in LAYOUTS.items()}


def _forward(twin: JaxTwin, parts: list[Array]) -> Callable[[int], object]:
    batches, parameters = [twin.samples(part) for part in parts], twin.parameters()
    forward = jax.jit(twin.__call__)

    def run(index: int) -> object:
        return forward(parameters, batches[index]).block_until_ready()

    return run


def training(model: sw.Model, x: Array, y: NDArray[np.int64], batch: int) -> dict[str, JaxTraining]:
    """By layout."""
    return {
        name: JaxTraining(JaxTwin(model, channels_last=last), x, y, batch) for name, last in LAYOUTS.items()
    }


class JaxTraining:
    """Steps of stochastic gradient descent with momentum, each one jitted call."""

    def __init__(self, twin: JaxTwin, x: Array, y: NDArray[np.int64], batch: int) -> None:
        self.twin = twin
        self.batches = [twin.samples(part) for part in np.split(x, len(x) // batch)]
        self.labels = [jnp.asarray(part.astype(np.int32)) for part in np.split(y, len(y) // batch)]
        self.values = twin.parameters()
        self.velocity = jax.tree.map(jnp.zeros_like, self.values)
        self.step = jax.jit(self._step, donate_argnums=(0, 1))
        self.position = 0

    def _loss(self, values: Any, x: Any, y: Any) -> Any:
        logits = self.twin(values, x)
        right = jnp.take_along_axis(logits, y[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(logits, axis=1) - right).mean()

    def _step(self, values: Any, velocity: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(self._loss)(values, x, y)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradients)
        return jax.tree.map(lambda p, v: p - LEARNING_RATE * v, values, velocity), velocity, loss

    def run(self, steps: int) -> list[Any]:
        """The losses, after the last step has ended."""
        losses = []
        for _ in range(steps):
            x, y = self.batches[self.position], self.labels[self.position]
            self.values, self.velocity, loss = self.step(self.values, self.velocity, x, y)
            losses.append(loss)
            self.position = (self.position + 1) % POOL
        jax.block_until_ready(self.values)
        return losses

    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """In PyTorch's layout."""
        return self.twin.named(self.values)
