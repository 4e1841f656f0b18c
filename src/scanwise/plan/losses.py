"""How a loss meets the network's end: a last `Softmax` or `Sigmoid` is taken together with the loss, from logits."""

from __future__ import annotations

from dataclasses import replace

from scanwise.codegen.jit import Kernel
from scanwise.kernels import loss as losses
from scanwise.kernels.activation import ActivationOperation
from scanwise.kernels.maps import FeatureMap
from scanwise.kernels.softmax import SoftmaxOperation
from scanwise.layers import Aggregate, Layer, Sequential, Sigmoid, Softmax
from scanwise.plan.compiled import Goal
from scanwise.plan.graph import Graph

__all__ = ["goal_for", "loss_graph", "loss_kernel"]


def last_layer(network: Sequential) -> Layer:
    """The last layer, also of nested `Sequential`s."""
    last = network.layers[-1]
    return last_layer(last) if isinstance(last, Sequential) else last


def goal_for(network: Sequential, loss: str) -> Goal:
    """A backward pass from `loss`."""
    last = last_layer(network)
    joint = isinstance(last, Aggregate) and last.mode == "softmax"
    return Goal(loss=loss, backward=True, probabilities=joint and loss != "mse")


def loss_kernel(goal: Goal, output: FeatureMap, gradient: FeatureMap) -> Kernel:
    """What computes the loss of an output, and the gradient by it."""
    if goal.loss == "cross_entropy":
        return losses.CrossEntropy(output, gradient, goal.probabilities)
    if goal.loss == "binary_cross_entropy":
        return losses.BinaryCrossEntropy(output, gradient, goal.probabilities)
    return losses.MeanSquaredError(output, gradient)


def loss_graph(graph: Graph, network: Sequential, loss: str) -> Graph:
    """The graph up to what the loss is taken of, as one flat vector.

    Where the network ends in the function that the loss has in itself, these are the logits. Nodes keep their numbers,
    by which parameters are found.
    """
    return _without_last(graph, network, loss).with_flat_output()


def _without_last(graph: Graph, network: Sequential, loss: str) -> Graph:
    last = last_layer(network)
    if not (
        (loss == "cross_entropy" and isinstance(last, Softmax))
        or (loss == "binary_cross_entropy" and isinstance(last, Sigmoid))
    ):
        return graph
    end = graph.nodes[-1]
    if end.operation.activation is not None:  # the Sigmoid was fused into the layer before it
        bare = replace(end, operation=replace(end.operation, activation=None))
        return replace(graph, nodes=[*graph.nodes[:-1], bare])
    if isinstance(end.operation, ActivationOperation | SoftmaxOperation):
        return replace(graph, nodes=graph.nodes[:-1], extents=graph.extents[:-1], output=end.inputs[0])
    return graph
