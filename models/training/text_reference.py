"""A graph to time against: DistilRoBERTa's shape with random weights, exported and quantized by the usual tools."""

from __future__ import annotations

import warnings
from pathlib import Path

SHAPE = {"words": 50265, "width": 768, "layers": 6, "heads": 12, "inner": 3072, "positions": 514}
"""DistilRoBERTa, which comparable projects use."""


def write(path: Path) -> Path:
    """Export to float ONNX, then ONNX Runtime's dynamic int8 quantization of products and embeddings."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from models.training.text_network import Encoder, Shape

    torch.manual_seed(0)
    plain = path.with_suffix(".float.onnx")
    ids = torch.zeros(1, 16, dtype=torch.int64)
    with warnings.catch_warnings():
        # the exporter without further packages is marked as deprecated
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Encoder(Shape(**SHAPE)).eval(), (ids,), str(plain), input_names=["ids"], output_names=["logits"],
            dynamic_axes={"ids": {1: "length"}}, opset_version=17, dynamo=False,
        )  # fmt: skip
    kinds = ["MatMul", "Gather", "Gemm"]
    quantize_dynamic(plain, path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=kinds)
    plain.unlink()
    return path
