"""How a loss meets the network's end: a last `Softmax` or `Sigmoid` is taken together with the loss, from logits."""

from __future__ import annotations

from dataclasses import replace

from scanwise.kernels.activation import ActivationOperation
from scanwise.kernels.softmax import SoftmaxOperation
from scanwise.layers import Aggregate, Layer, Sequential, Sigmoid, Softmax
from scanwise.plan.graph import Graph
from scanwise.plan.program import Goal

__all__ = ["goal_for", "without_last"]


def last_layer(network: Sequential) -> Layer:
    """The last layer, also of nested `Sequential`s."""
    last = network.layers[-1]
    return last_layer(last) if isinstance(last, Sequential) else last


def goal_for(network: Sequential, loss: str) -> Goal:
    """A backward pass from `loss`."""
    last = last_layer(network)
    joint = isinstance(last, Aggregate) and last.mode == "softmax"
    return Goal(loss=loss, backward=True, probabilities=joint and loss != "mse")


def without_last(graph: Graph, network: Sequential, loss: str) -> Graph:
    """The graph up to the logits, where the network ends in the function that the loss has in itself."""
    last = last_layer(network)
    if not (
        (loss == "cross_entropy" and isinstance(last, Softmax))
        or (loss == "binary_cross_entropy" and isinstance(last, Sigmoid | Softmax))
    ):
        return graph
    end = graph.nodes[-1]
    if end.operation.activation is not None:  # the Sigmoid was fused into the layer before it
        bare = replace(end, operation=replace(end.operation, activation=None))
        return Graph([*graph.nodes[:-1], bare], graph.extents, graph.output)
    if isinstance(end.operation, ActivationOperation | SoftmaxOperation):
        return Graph(graph.nodes[:-1], graph.extents[:-1], end.inputs[0])
    return graph
