"""How the highest S-layer learns with labels: reinforce who is right, make a new plane where the answer is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scanwise.layers import Linear, Sequential
from scanwise.model import Model
from scanwise.neocognitron.planes import AMPLIFICATION, Planes
from scanwise.neocognitron.stages import Labelled, selectivity

Float32 = NDArray[np.float32]

_BLOCK = 256  # patterns whose products with all planes are made together: the planes are then read once, not 256 times


class LabelledLearning:
    """The highest S-layer while it learns. Its planes cover the map `(C, H, W)` below, so that there is one place.

    Args:
        stage: what it is.
        input_shape: `(C, H, W)`.

    Attributes:
        planes: the planes.
        labels: their labels.
    """

    def __init__(self, stage: Labelled, input_shape: tuple[int, ...]) -> None:
        self._r = selectivity(stage.learning_threshold)
        layer = stage.layer(1, input_shape[1:])
        self.planes = Planes(layer.falloff(input_shape[0]), input_shape[0], _BLOCK)
        self.labels: list[int] = []
        self._models: dict[int, Model] = {}  # that make inner products with so many weights

    def learn(
        self, inputs: Float32, labels: NDArray[np.int64], report: Callable[[int], None] = lambda _: None
    ) -> int:
        """Show every pattern `(N, C, H, W)` once, in this order; the number of new planes."""
        before = self.planes.count
        for start in range(0, len(inputs), _BLOCK):
            part = slice(start, start + _BLOCK)
            self._learn_block(inputs[part], labels[part])
            report(min(start + _BLOCK, len(inputs)))
        return self.planes.count - before

    # With e_k = 1 + sum a_k u and h_k = 1 + 2r/(1+r) b_k v a cell's answer is r phi(e_k / h_k - 1). Reinforcing plane
    # k with pattern i changes e_k for pattern j by q sum w u_i u_j. So the products of all patterns of a block with all
    # planes, and with each other, say what every pattern of the block answers, however the planes change on the way.
    def _learn_block(self, inputs: Float32, labels: NDArray[np.int64]) -> None:
        products = self._products(inputs, self.planes.falloff * inputs)
        v = np.sqrt(np.diagonal(products))
        excitation = 1 + self._products(inputs, self.planes.room[0])
        excitation = np.pad(
            excitation, ((0, 0), (0, len(inputs))), constant_values=1
        )  # room for as many new planes
        inhibition = 2 * self._r / (1 + self._r) * v
        for i, label in enumerate(labels):
            if v[i] == 0:
                continue  # an empty pattern teaches nothing
            k = self.winner(excitation[i, : self.planes.count], 1 + inhibition[i] * self.planes.inhibition)
            if k is not None and self.labels[k] == label:
                self.planes.reinforce(k, inputs[i])
            else:
                k = self.planes.add(inputs[i])
                self.labels.append(int(label))
            self.planes.balance(k)
            excitation[:, k] += np.float32(AMPLIFICATION) * products[:, i]

    @staticmethod
    def winner(excitation: Float32, inhibition: Float32) -> int | None:
        """The plane that answers most, or None if all are silent."""
        answers = excitation / inhibition - 1
        if not answers.size or answers.max() <= 0:
            return None
        return int(answers.argmax())

    def _products(self, inputs: Float32, weights: Float32) -> Float32:
        """Inner products `(N, K)` of patterns and weights: compiled, so that they have the same bits everywhere."""
        K = len(weights)
        if K not in self._models:
            self._models[K] = Model(Sequential(Linear(K, bias=False)), (inputs[0].size,))
        self._models[K].parameters["0.weight"] = weights.reshape(K, -1)
        return self._models[K](inputs.reshape(len(inputs), -1))
