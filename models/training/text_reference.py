"""A graph to time against: an encoder exported and quantized by the usual tools, with nothing done by hand."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.training.text_network import Encoder


def write_usual(encoder: Encoder, path: Path) -> None:
    """Export to float ONNX, then ONNX Runtime's dynamic int8 quantization of products and embeddings."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain = path.with_suffix(".float.onnx")
    ids = torch.zeros(1, 16, dtype=torch.int64)
    with warnings.catch_warnings():
        # the exporter without further packages is marked as deprecated
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder, (ids,), str(plain), input_names=["ids"], output_names=["logits"],
            dynamic_axes={"ids": {1: "length"}}, opset_version=17, dynamo=False,
        )  # fmt: skip
    kinds = ["MatMul", "Gather", "Gemm"]
    quantize_dynamic(plain, path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=kinds)
    plain.unlink()
