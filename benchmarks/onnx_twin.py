"""The same network as an ONNX model, written node by node, for timing against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import scanwise as sw
from scanwise import layers

OPSET = 17
IR_VERSION = 9  # what every ONNX Runtime since 1.14 reads


class _Graph:
    """Nodes and weights collected layer by layer."""

    def __init__(self, model: sw.Model) -> None:
        self.parameters = model.parameters
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, operation: str, inputs: list[str], **attributes: object) -> str:
        output = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def weight(self, name: str) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(self.parameters[name]), name))
        return name

    def windowed(
        self,
        layer: layers.Conv1d | layers.Conv2d | layers.MaxPool1d | layers.MaxPool2d,
        shape: tuple[int, ...],
    ) -> dict[str, object]:
        """ONNX's attributes of a window; 1-D layers drop the first axis."""
        geometry = layer.geometry(shape)
        top, bottom, left, right = geometry.padding
        first = 1 if len(shape) == 2 else 0
        return {
            "kernel_shape": [*geometry.kernel][first:],
            "strides": [*geometry.stride][first:],
            "dilations": [*geometry.dilation][first:],
            "pads": [*[top, left][first:], *[bottom, right][first:]],
        }

    def add(self, layer: layers.Layer, x: str, prefix: str, shape: tuple[int, ...]) -> str:
        match layer:
            case layers.Conv1d() | layers.Conv2d():
                inputs = [x, self.weight(prefix + "weight")]
                if layer.bias:
                    inputs.append(self.weight(prefix + "bias"))
                return self.node("Conv", inputs, group=layer.groups, **self.windowed(layer, shape))
            case layers.MaxPool1d() | layers.MaxPool2d():
                return self.node("MaxPool", [x], **self.windowed(layer, shape))
            case layers.Linear():
                inputs = [x, self.weight(prefix + "weight")]
                if layer.bias:
                    inputs.append(self.weight(prefix + "bias"))
                return self.node("Gemm", inputs, transB=1)
            case layers.ReLU():
                return self.node("Relu", [x])
            case layers.Flatten():
                return self.node("Flatten", [x])
            case layers.Softmax():
                return self.node("Softmax", [x], axis=1)
            case layers.Aggregate(mode="max" | "mean"):
                pool = "GlobalMaxPool" if layer.mode == "max" else "GlobalAveragePool"
                return self.node("Flatten", [self.node(pool, [x])])
        raise NotImplementedError(f"onnx_twin has no translation of {layer!r}")


def to_onnx(model: sw.Model) -> bytes:
    """The model as a serialised ONNX model with a free batch axis: input ``x``, output ``y``.

    Raises:
        NotImplementedError: a layer that none of the benchmark networks uses.
    """
    graph = _Graph(model)
    shape = tuple(model.input_shape)
    x = "x"
    for index, layer in enumerate(model.network.layers):
        x = graph.add(layer, x, f"{index}.", shape)
        shape = layer.output_shape(shape)
    graph.nodes.append(helper.make_node("Identity", [x], ["y"]))
    onnx_graph = helper.make_graph(
        graph.nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *model.input_shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", *shape])],
        graph.weights,
    )
    proto = helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", OPSET)])
    proto.ir_version = IR_VERSION
    onnx.checker.check_model(proto)
    serialised: bytes = proto.SerializeToString()
    return serialised


def session_of(model: sw.Model, threads: int) -> Any:
    """An ONNX Runtime session with all graph optimisations and this many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(to_onnx(model), options, providers=["CPUExecutionProvider"])
