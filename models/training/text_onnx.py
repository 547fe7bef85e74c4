"""Writes the encoder as an int8 ONNX file of few, large nodes: at 32 tokens a small node costs as much as its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from device.signals import EMOTIONS

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from models.training.text_network import Encoder

SEVEN = len(EMOTIONS)
WEIGHT_STEPS = 127
CONTRIB = "com.microsoft"
"""ONNX Runtime's own operators: attention, normalisation and dynamic quantization, each in one node."""


@dataclass
class _Graph:
    """Nodes and stored arrays on their way from `weights` into a model; every method gives the name of its output."""

    weights: dict[str, NDArray[np.float32]]
    heads: int
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

    def linear(self, x: str, name: str) -> str:
        """x (1, n, k) through a linear layer (m, k) in 8 bits, one scale for each output."""
        steps, scales = eight_bits(self.weights[f"{name}.weight"])
        inputs = [self.store(f"{name}.weight", steps.T), self.store(f"{name}.scale", scales)]
        bias = self.store(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("DynamicQuantizeMatMul", x, *inputs, "", bias, domain=CONTRIB)

    def norm(self, x: str, name: str) -> str:
        gains = [self.store(f"{name}.{kind}", self.weights[f"{name}.{kind}"]) for kind in ("weight", "bias")]
        return self.node("LayerNormalization", x, *gains, axis=-1, epsilon=1e-12)

    def add_and_norm(self, x: str, y: str, name: str) -> str:
        # Sum, not Add: ONNX Runtime would join Add and norm into one node, which takes 54 us for their 13
        return self.norm(self.node("Sum", x, y), name)


def eight_bits(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole steps -127..127 and the size of a step for every row of a matrix."""
    scales = np.maximum(np.abs(weight).max(1), 1e-8).astype(np.float32) / WEIGHT_STEPS
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def write(encoder: Encoder, path: Path) -> None:
    """Write the seven emotions of an encoder: `ids` int64 (1, length) to `logits` (1, 7)."""
    from onnx import save

    save(model_of(encoder), str(path))


def model_of(encoder: Encoder) -> ModelProto:
    """The ONNX model of an encoder, of whose outputs the first seven are told."""
    shape = encoder.shape
    weights = {name: tensor.detach().float().cpu().numpy() for name, tensor in encoder.state_dict().items()}
    graph = _Graph(weights, shape.heads)
    x = _embedded(graph)
    for number in range(shape.layers - 1):
        x = _layer(graph, x, x, f"layers.{number}")
    last = f"layers.{shape.layers - 1}"
    x = _layer(graph, _mean(graph, x), x, last) if shape.pooled else _mean(graph, _layer(graph, x, x, last))
    _head(graph, x)
    return _model(graph)


def parameters(encoder: Encoder) -> int:
    """How many numbers of an encoder the file holds."""
    unused = (encoder.shape.outputs - SEVEN) * (encoder.shape.width + 1)
    return sum(value.numel() for value in encoder.parameters()) - unused


def _embedded(graph: _Graph) -> str:
    steps, scales = eight_bits(graph.weights["words.weight"])
    rows = graph.node("Gather", graph.store("words.steps", steps), "ids")
    sizes = graph.node("Gather", graph.store("words.scale", scales[:, None]), "ids")
    words = graph.node("Mul", graph.node("Cast", rows, to=1), sizes)
    length, zero = graph.node("Shape", "ids", start=1, end=2), graph.store("zero", np.array([0]))
    positions = graph.store("positions", graph.weights["positions"].astype(np.float16))
    near = graph.node("Cast", graph.node("Slice", positions, zero, length, zero), to=1)
    return graph.add_and_norm(words, near, "norm")


def _layer(graph: _Graph, asking: str, x: str, name: str) -> str:
    """`asking` looks at all of `x`, then thinks about it; both may be the same."""
    seen = graph.linear(_attention(graph, asking, x, name), f"{name}.attended")
    x = graph.add_and_norm(seen, asking, f"{name}.attended_norm")
    inner = graph.node("Gelu", graph.linear(x, f"{name}.inner"), domain=CONTRIB)
    return graph.add_and_norm(graph.linear(inner, f"{name}.outer"), x, f"{name}.outer_norm")


def _attention(graph: _Graph, asking: str, x: str, name: str) -> str:
    all_three = f"{name}.query_key_value"
    if asking == x:
        parts = _split(graph, graph.linear(x, all_three), 3)
    else:
        _divide(graph, all_three, f"{name}.query", f"{name}.key_value")
        parts = [graph.linear(asking, f"{name}.query"), *_split(graph, graph.linear(x, f"{name}.key_value"), 2)]
    return graph.node("MultiHeadAttention", *parts, domain=CONTRIB, num_heads=graph.heads)


def _divide(graph: _Graph, all_three: str, query: str, both: str) -> None:
    """Let the first third of a linear layer be one of its own, and the rest another."""
    for kind in ("weight", "bias"):
        rows = graph.weights[f"{all_three}.{kind}"]
        graph.weights[f"{query}.{kind}"], graph.weights[f"{both}.{kind}"] = np.split(rows, [len(rows) // 3])


def _split(graph: _Graph, x: str, count: int) -> list[str]:
    first = graph.node("Split", x, outputs=count, axis=-1, num_outputs=count)
    return [first[:-1] + str(k) for k in range(count)]


def _mean(graph: _Graph, x: str) -> str:
    """The mean over all tokens, (1, 1, width)."""
    return graph.node("ReduceMean", x, graph.store("tokens_axis", np.array([1])), keepdims=1)


def _head(graph: _Graph, x: str) -> None:
    flat = graph.node("Flatten", x, axis=1)
    inputs = [graph.store(f"head.{kind}", graph.weights[f"head.{kind}"][:SEVEN]) for kind in ("weight", "bias")]
    graph.node("Gemm", flat, *inputs, transB=1)
    graph.nodes[-1].output[0] = "logits"


def _model(graph: _Graph) -> ModelProto:
    from onnx import TensorProto, checker, helper

    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, SEVEN])
    body = helper.make_graph(graph.nodes, "text", [ids], [logits], graph.stored)
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
    model = helper.make_model(body, opset_imports=versions, ir_version=8, producer_name="attune")
    checker.check_model(model)
    return model
