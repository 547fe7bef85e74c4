"""A graph to time against: DistilRoBERTa's shape with random weights, quantized by the usual tools."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

WORDS, POSITIONS, WIDTH, HEADS, INNER, LAYERS, OUTPUTS = 50265, 514, 768, 12, 3072, 6, 7
"""DistilRoBERTa, which comparable projects use, with seven outputs."""
QUANTIZED = ["MatMul", "Gather"]


@dataclass
class _Graph:
    """Nodes and random weights on their way into a model; every method gives the name of its output."""

    rng: np.random.Generator
    nodes: list[NodeProto] = field(default_factory=list)
    stored: list[TensorProto] = field(default_factory=list)

    def store(self, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"stored_{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape: int) -> str:
        return self.store(self.rng.normal(0, 0.02, shape).astype(np.float32))

    def number(self, value: float) -> str:
        return self.store(np.array(value, np.float32))

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        return self.node("Add", self.node("MatMul", x, self.random(inputs, outputs)), self.random(outputs))

    def norm(self, x: str) -> str:
        ones = self.store(np.ones(WIDTH, np.float32))
        return self.node("LayerNormalization", x, ones, self.random(WIDTH), axis=-1, epsilon=1e-5)

    def by_heads(self, x: str, order: tuple[int, ...]) -> str:
        heads = self.store(np.array([0, 0, HEADS, WIDTH // HEADS]))
        return self.node("Transpose", self.node("Reshape", x, heads), perm=order)


def write(path: Path) -> Path:
    """Write the graph, `ids` int64 (1, length) to `logits` (1, 7), by ONNX Runtime's dynamic quantization; 82 MB."""
    from onnx import save
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain = path.with_suffix(".float.onnx")
    save(_model(), str(plain))
    logging.disable(logging.WARNING)  # it recommends a pre-processing that changes nothing here
    try:
        quantize_dynamic(plain, path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=QUANTIZED)
    finally:
        logging.disable(logging.NOTSET)
        plain.unlink()
    return path


def _model() -> ModelProto:
    from onnx import TensorProto, helper

    graph = _Graph(np.random.default_rng(0))
    x = _embedded(graph)
    for _ in range(LAYERS):
        x = _layer(graph, x)
    first = graph.node("Gather", x, graph.store(np.array(0)), axis=1)  # RoBERTa asks its first token
    asked = graph.node("Tanh", graph.linear(first, WIDTH, WIDTH))
    graph.linear(asked, WIDTH, OUTPUTS)
    graph.nodes[-1].output[0] = "logits"
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, OUTPUTS])
    body = helper.make_graph(graph.nodes, "reference", [ids], [logits], graph.stored)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _embedded(graph: _Graph) -> str:
    length, zero = graph.node("Shape", "ids", start=1, end=2), graph.store(np.array([0]))
    near = graph.node("Slice", graph.random(POSITIONS, WIDTH), zero, length, zero)
    return graph.norm(graph.node("Add", graph.node("Gather", graph.random(WORDS, WIDTH), "ids"), near))


def _layer(graph: _Graph, x: str) -> str:
    x = graph.norm(graph.node("Add", x, _attended(graph, x)))
    inner = graph.linear(x, WIDTH, INNER)
    bend = graph.node("Erf", graph.node("Div", inner, graph.number(2**0.5)))
    gelu = graph.node("Mul", graph.node("Mul", inner, graph.node("Add", bend, graph.number(1))), graph.number(0.5))
    return graph.norm(graph.node("Add", x, graph.linear(gelu, INNER, WIDTH)))


def _attended(graph: _Graph, x: str) -> str:
    query, key, value = (graph.linear(x, WIDTH, WIDTH) for _ in range(3))
    products = graph.node("MatMul", graph.by_heads(query, (0, 2, 1, 3)), graph.by_heads(key, (0, 2, 3, 1)))
    shares = graph.node("Softmax", graph.node("Div", products, graph.number((WIDTH / HEADS) ** 0.5)), axis=-1)
    seen = graph.node("Transpose", graph.node("MatMul", shares, graph.by_heads(value, (0, 2, 1, 3))), perm=(0, 2, 1, 3))
    flat = graph.node("Reshape", seen, graph.store(np.array([0, 0, WIDTH])))
    return graph.linear(flat, WIDTH, WIDTH)
