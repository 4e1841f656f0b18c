"""Operations that become the last step of the one before them: activations and normalisations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scanwise.kernels.activation import ActivationOperation
from scanwise.kernels.conv import ConvOperation
from scanwise.kernels.linear import LinearOperation

if TYPE_CHECKING:
    from scanwise.plan.graph import Graph, Node

__all__ = ["fold_normalisations", "fuse_activations"]


def fuse_activations(graph: Graph, *, backward: bool = True) -> None:
    """Let a convolution apply the activation that alone reads its output.

    Args:
        graph: is changed.
        backward: whether there is a backward pass, in which the derivative must then be told from what is left.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        last = nodes[-1] if nodes else None
        function = node.operation.function if isinstance(node.operation, ActivationOperation) else None
        if (
            function is not None
            and (function.fusable or not backward)
            and last is not None
            and last.operation.fuses_activation
            and _follows(graph, node, last)
        ):
            nodes[-1] = replace(
                last, operation=replace(last.operation, activation=function), output=node.output
            )
        else:
            nodes.append(node)
    graph.nodes = nodes
    _renumber(graph)


def fold_normalisations(graph: Graph) -> None:
    """Let a convolution apply the normalisation that alone reads its output, with the activation of that."""
    nodes: list[Node] = []
    for node in graph.nodes:
        last = nodes[-1] if nodes else None
        if (
            last is not None
            and node.operation.folds_into
            and isinstance(last.operation, ConvOperation | LinearOperation)
            and not last.operation.scaled
            and _follows(graph, node, last)
        ):
            operation = replace(last.operation, scaled=True, activation=node.operation.activation)
            nodes[-1] = replace(last, operation=operation, output=node.output, folded=node)
        else:
            nodes.append(node)
    graph.nodes = nodes
    _renumber(graph)


def _follows(graph: Graph, node: Node, last: Node) -> bool:
    """Whether a node alone reads what the one before it gives, to which no function has been applied yet."""
    alone = node.inputs == (last.output,) and len(graph.consumers(last.output)) == 1
    return alone and last.operation.activation is None


def _renumber(graph: Graph) -> None:
    """Number the values that are left 0, 1, 2, ... in order, and nodes, if they have no numbers yet."""
    numbers = {0: 0}
    for node in graph.nodes:
        numbers[node.output] = len(numbers)
    graph.extents = [graph.extents[old] for old in numbers]
    graph.nodes = [
        replace(
            node,
            inputs=tuple(numbers[i] for i in node.inputs),
            output=numbers[node.output],
            number=n if node.number < 0 else node.number,
        )
        for n, node in enumerate(graph.nodes)
    ]
    graph.output = numbers[graph.output]
