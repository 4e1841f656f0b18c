"""A network as a chain of operations on values, with activations fused into what makes their input.

`Flatten` leaves no operation where the next layer can read the map as it is, `Dropout` none outside training, a
`Residual` becomes its layers and a sum, and a scanning MLP the convolutions that it is (lecture 3.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from scanwise.kernels import lower
from scanwise.kernels.batch_norm import BatchNormOperation
from scanwise.kernels.container import AddOperation
from scanwise.kernels.dropout import DropoutOperation
from scanwise.kernels.flatten import FlattenOperation
from scanwise.kernels.linear import LinearOperation
from scanwise.kernels.operation import Extent, Operation
from scanwise.kernels.winograd_operation import faster
from scanwise.layers import (
    Dropout,
    Flatten,
    Layer,
    Linear,
    Pad1d,
    Pad2d,
    PReLU,
    Residual,
    Scan1d,
    Scan2d,
    Sequential,
    Shape,
)
from scanwise.layers.base import _Pointwise
from scanwise.plan.folding import fold_normalisations, fuse_activations

__all__ = ["Graph", "Node", "build_graph", "extent_of"]

# What it takes to write a value of a map and to read it again, in multiply-adds.
_MOVE = 8


@dataclass(frozen=True)
class Node:
    """One operation: value `output` = operation(values `inputs`).

    Attributes:
        name: the layer's place in the network, as in parameter names.
        number: of the node in the network's own graph, by which its parameters are found.
        shift: rows and columns of the inputs that are passed over: its origin lies there.
        folded: the normalisation that is the last step of the operation, if one is.
    """

    name: str
    operation: Operation
    inputs: tuple[int, ...]
    output: int
    number: int = -1
    shift: tuple[int, int] = (0, 0)
    folded: Node | None = None


@dataclass
class Graph:
    """Nodes in order of evaluation; value 0 is the network's input.

    Attributes:
        nodes: operations. Where several write one value, each reader reads what the last one before it has written.
        extents: (C, H, W) of every value.
        output: the network's output value.
        parameter_shapes: PyTorch's, by network-wide name; kernels see one-dimensional layers in two dimensions.
    """

    nodes: list[Node] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    output: int = 0
    parameter_shapes: dict[str, Shape] = field(default_factory=dict)

    @property
    def work(self) -> int:
        """About how many multiply-adds the forward pass of one sample takes, in what can be cut for several threads."""
        return sum(node.operation.work for node in self.nodes)

    @property
    def cost(self) -> int:
        """About how long the forward pass of one sample takes on one thread, in multiply-adds."""
        return self.work + _MOVE * sum(map(math.prod, self.extents))

    def consumers(self, value: int) -> list[Node]:
        return [node for node in self.nodes if value in node.inputs]

    def producer(self, value: int) -> Node | None:
        return next((node for node in self.nodes if node.output == value), None)

    def value(self, extent: Extent) -> int:
        self.extents.append(extent)
        return len(self.extents) - 1

    def with_fast_algorithms(self) -> Graph:
        """The same network by faster algorithms that round differently (Winograd), where there are any."""
        nodes = [replace(node, operation=faster(node.operation)) for node in self.nodes]
        return replace(self, nodes=nodes)

    def for_inference(self) -> Graph:
        """The same network, the same bits, for the forward pass alone: normalisations, and activations whose derivative
        needs their input, are the last step of the convolution before them, too.
        """
        folded = replace(self, nodes=list(self.nodes), extents=list(self.extents))
        fold_normalisations(folded)
        fuse_activations(folded, backward=False)
        return folded

    @property
    def merges(self) -> bool:
        """Whether all samples of a step must come together somewhere within the network."""
        return any(node.operation.merges() for node in self.nodes)

    @property
    def input_pitch(self) -> int:
        """Floats per position of the network's input; 0 stands for channels padded to the vector width."""
        readers = self.consumers(0)
        if readers and all(node.operation.reads_values for node in readers):
            return self.extents[0][0]
        return 0

    def with_flat_output(self) -> Graph:
        """The same network with its output as one vector in PyTorch's order: losses, and outputs of scans, know a map
        that only `Flatten` made a vector as a vector.
        """
        extent = self.extents[self.output]
        if extent[1:] == (1, 1):
            return self
        flatten = FlattenOperation(extent)
        goal = len(self.extents)
        node = Node("flatten", flatten, (self.output,), goal, len(self.nodes))
        return replace(self, nodes=[*self.nodes, node], extents=[*self.extents, flatten.output], output=goal)

    def cut(self, name: str) -> tuple[Graph, Graph]:
        """The network before the layer at this place, and what comes from there on, which reads the first one's output.

        Nothing from there on may read anything before.
        """
        first = next(i for i, n in enumerate(self.nodes) if n.name == name or n.name.startswith(f"{name}."))
        value = self.nodes[first].inputs[0]
        rest = [
            replace(node, inputs=tuple(i - value for i in node.inputs), output=node.output - value)
            for node in self.nodes[first:]
        ]
        return (
            Graph(self.nodes[:first], self.extents[: value + 1], value),
            Graph(rest, self.extents[value:], self.output - value),
        )


def extent_of(shape: Shape) -> Extent:
    """(D,) and (C, T) as (C, H, W)."""
    if len(shape) == 1:
        return shape[0], 1, 1
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def build_graph(network: Sequential, input_shape: Shape, *, training: bool = False) -> Graph:
    """The operations of `network` on inputs of `input_shape`.

    Args:
        network: the layers.
        input_shape: shape of one sample.
        training: whether `Dropout` drops, and `BatchNorm` takes the statistics of the batch.
    """
    graph = Graph([], [extent_of(input_shape)], parameter_shapes=network.parameter_shapes(input_shape))
    builder = _Builder(graph, training)
    graph.output = builder.chain(network, "", input_shape, 0)
    fuse_activations(graph)
    if graph.input_pitch:
        _set_pitch(graph)
    return graph


class _Builder:
    def __init__(self, graph: Graph, training: bool) -> None:
        self.graph, self.training = graph, training
        self.dropouts = 0

    def chain(
        self, container: Sequential | Residual | Scan1d | Scan2d, prefix: str, shape: Shape, value: int
    ) -> int:
        for place, layer, reached in container.chain(shape):
            value = self.layer(layer, f"{prefix}{place}", reached, value)
        return value

    def layer(self, layer: Layer, name: str, shape: Shape, value: int) -> int:
        if isinstance(layer, Sequential):
            return self.chain(layer, f"{name}.", shape, value)
        if isinstance(layer, Residual):
            value = self._as(shape, value)
            inner = self.chain(layer, f"{name}.", shape, value)
            inner = self._as(shape, inner)
            return self.add(f"{name}", AddOperation(self.graph.extents[value]), (value, inner))
        if isinstance(layer, Scan1d | Scan2d):
            return self.chain(layer, f"{name}.", shape, self._as(shape, value))
        if isinstance(layer, Flatten) or (isinstance(layer, Pad1d | Pad2d) and not any(layer.pads)):
            return value
        if isinstance(layer, Dropout):
            self.dropouts += 1
            if not (self.training and layer.p > 0):
                return value
        if not isinstance(layer, Linear | _Pointwise) or isinstance(layer, Dropout) or _knows_channels(layer):
            value = self._as(shape, value)
        values = [value]
        for operation in lower(layer, shape, self.graph.extents[value]):
            if isinstance(operation, DropoutOperation):
                operation = replace(operation, ordinal=self.dropouts - 1)
            if isinstance(operation, BatchNormOperation):
                operation = replace(operation, training=self.training)
            values.append(self.add(name, operation, tuple(values[i] for i in operation.reads)))
        return values[-1]

    def _as(self, shape: Shape, value: int) -> int:
        """The value in the form that its shape says: flat if a `Flatten` has not been carried out yet."""
        extent = self.graph.extents[value]
        if len(shape) > 1 or extent[1:] == (1, 1):
            return value
        return self.add("flatten", FlattenOperation(extent), (value,))

    def add(self, name: str, operation: Operation, inputs: tuple[int, ...]) -> int:
        output = self.graph.value(operation.output)
        self.graph.nodes.append(Node(name, operation, inputs, output))
        return output


def _knows_channels(layer: Layer) -> bool:
    """Whether a pointwise layer treats one channel otherwise than the next, so that a flattened map is not as good."""
    return isinstance(layer, PReLU) and layer.num_parameters > 1


def _set_pitch(graph: Graph) -> None:
    """A `Linear` that reads the network's input directly packs its weights for that map's pitch."""
    graph.nodes = [
        replace(node, operation=replace(node.operation, pitch=graph.input_pitch))
        if isinstance(node.operation, LinearOperation) and node.inputs == (0,)
        else node
        for node in graph.nodes
    ]
