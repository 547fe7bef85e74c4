"""Writes the encoder as an int8 ONNX file of few, large nodes: at 32 tokens a small node costs as much as its work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Weights = Mapping[str, NDArray[np.float32]]

WEIGHT_STEPS = 127
CONTRIB = "com.microsoft"
"""ONNX Runtime's own operators: attention, normalisation and dynamic quantization, each in one node."""


@dataclass
class _Graph:
    """Nodes and stored arrays on their way into a model; every method gives the name of its output."""

    nodes: list[NodeProto] = field(default_factory=list)
    stored: list[TensorProto] = field(default_factory=list)

    def store(self, name: str, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.stored.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        names = [f"{kind}_{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0]

    def linear(self, x: str, name: str, weights: Weights) -> str:
        """x (1, n, k) through a linear layer (m, k) in 8 bits, one scale for each output."""
        steps, scales = eight_bits(weights[f"{name}.weight"])
        inputs = [self.store(f"{name}.weight", steps.T), self.store(f"{name}.scale", scales)]
        bias = self.store(f"{name}.bias", weights[f"{name}.bias"])
        return self.node("DynamicQuantizeMatMul", x, *inputs, "", bias, domain=CONTRIB)

    def norm(self, x: str, name: str, weights: Weights) -> str:
        gains = [self.store(f"{name}.{kind}", weights[f"{name}.{kind}"]) for kind in ("weight", "bias")]
        return self.node("LayerNormalization", x, *gains, axis=-1, epsilon=1e-12)

    def add_and_norm(self, x: str, y: str, name: str, weights: Weights) -> str:
        # Sum, not Add: ONNX Runtime would join Add and norm into one node, which takes 54 us for their 13
        return self.norm(self.node("Sum", x, y), name, weights)


def eight_bits(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole steps -127..127 and the size of a step for every row of a matrix."""
    scales = np.maximum(np.abs(weight).max(1), 1e-8).astype(np.float32) / WEIGHT_STEPS
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def write(weights: Weights, heads: int, path: Path) -> None:
    """Write an encoder's state (names as in text_network.Encoder): `ids` int64 (1, length) to `logits` (1, 7)."""
    from onnx import save

    save(model_of(weights, heads), str(path))


def model_of(weights: Weights, heads: int) -> ModelProto:
    """The ONNX model of an encoder's state."""
    graph = _Graph()
    x = _embedded(graph, weights)
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
    for number in range(layers):
        x = _layer(graph, x, f"layers.{number}", weights, heads)
    _head(graph, x, weights)
    return _model(graph, len(weights["head.bias"]))


def _embedded(graph: _Graph, weights: Weights) -> str:
    steps, scales = eight_bits(weights["words.weight"])
    rows = graph.node("Gather", graph.store("words.steps", steps), "ids")
    sizes = graph.node("Gather", graph.store("words.scale", scales[:, None]), "ids")
    words = graph.node("Mul", graph.node("Cast", rows, to=1), sizes)
    length = graph.node("Shape", "ids", start=1, end=2)
    zero, first = graph.store("zero", np.array([0])), graph.store("positions", weights["positions"].astype(np.float16))
    near = graph.node("Cast", graph.node("Slice", first, zero, length, zero), to=1)
    return graph.add_and_norm(words, near, "norm", weights)


def _layer(graph: _Graph, x: str, name: str, weights: Weights, heads: int) -> str:
    seen = graph.linear(_attention(graph, x, name, weights, heads), f"{name}.attended", weights)
    x = graph.add_and_norm(seen, x, f"{name}.attended_norm", weights)
    inner = graph.node("Gelu", graph.linear(x, f"{name}.inner", weights), domain=CONTRIB)
    return graph.add_and_norm(graph.linear(inner, f"{name}.outer", weights), x, f"{name}.outer_norm", weights)


def _attention(graph: _Graph, x: str, name: str, weights: Weights, heads: int) -> str:
    query = graph.node("Split", graph.linear(x, f"{name}.query_key_value", weights), outputs=3, axis=-1, num_outputs=3)
    parts = [query[:-1] + str(k) for k in range(3)]
    return graph.node("MultiHeadAttention", *parts, domain=CONTRIB, num_heads=heads)


def _head(graph: _Graph, x: str, weights: Weights) -> None:
    mean = graph.node("ReduceMean", x, graph.store("tokens_axis", np.array([1])), keepdims=0)
    inputs = [graph.store(f"head.{kind}", weights[f"head.{kind}"]) for kind in ("weight", "bias")]
    graph.node("Gemm", mean, *inputs, transB=1)
    graph.nodes[-1].output[0] = "logits"


def _model(graph: _Graph, outputs: int) -> ModelProto:
    from onnx import TensorProto, checker, helper

    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs])
    body = helper.make_graph(graph.nodes, "text", [ids], [logits], graph.stored)
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(body, opset_imports=versions, ir_version=8, producer_name="attune")
    checker.check_model(model)
    return model
