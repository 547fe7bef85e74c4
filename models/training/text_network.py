"""The text network: a BERT-shaped encoder with mean pooling and seven outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

HEAD_WIDTH = 32
"""Of the MiniLM family; DistilRoBERTa has 64."""


@dataclass(frozen=True)
class Shape:
    """Sizes of an encoder; the defaults are those of all-MiniLM-L6-v2 with a shorter vocabulary."""

    words: int
    width: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1536
    positions: int = 512
    outputs: int = 7


class Layer(nn.Module):
    """Self-attention and a feed-forward step, each added to its input and then normalised (Vaswani et al. 2017)."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width)
        self.attended = nn.Linear(shape.width, shape.width)
        self.attended_norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.inner = nn.Linear(shape.width, shape.inner)
        self.outer = nn.Linear(shape.inner, shape.width)
        self.outer_norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attended_norm(x + self.dropout(self.attended(self._attend(x, mask))))
        return self.outer_norm(x + self.dropout(self.outer(functional.gelu(self.inner(x)))))

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        heads = self.query_key_value(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        weights = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        if mask is not None:
            weights = weights.masked_fill(~mask[:, None, None, :], -1e4)
        return (weights.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, width)


class Encoder(nn.Module):
    """Token ids (batch, length) to seven logits (batch, 7); without a mask every token counts."""

    def __init__(self, shape: Shape, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.words, shape.width)
        self.positions = nn.Parameter(torch.zeros(shape.positions, shape.width))
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.head = nn.Linear(shape.width, shape.outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.dropout(self.norm(self.words(ids) + self.positions[: ids.shape[1]]))
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(self.dropout(_mean(x, mask)))


def _mean(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x.mean(1)
    weights = mask[..., None].to(x.dtype)
    return (x * weights).sum(1) / weights.sum(1)


def encoder_from(weights: Mapping[str, Tensor], kept_ids: list[int], layers: int, dropout: float) -> Encoder:
    """An encoder with all-MiniLM-L6-v2's weights, the word embeddings cut down to `kept_ids`; the head is new."""
    positions = weights["embeddings.position_embeddings.weight"]
    inner = weights["encoder.layer.0.intermediate.dense.weight"]
    width = positions.shape[1]
    shape = Shape(len(kept_ids), width, layers, width // HEAD_WIDTH, inner.shape[0], positions.shape[0])
    encoder = Encoder(shape, dropout)
    state = encoder.state_dict()
    state["words.weight"] = weights["embeddings.word_embeddings.weight"][kept_ids]
    state["positions"] = positions + weights["embeddings.token_type_embeddings.weight"][0]
    for kind in ("weight", "bias"):
        state[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for number in range(layers):
            state |= _layer_state(weights, number, kind)
    encoder.load_state_dict(state)
    return encoder


def encoder_of(state: Mapping[str, Tensor]) -> Encoder:
    """The encoder that a stored state belongs to."""
    words, width = state["words.weight"].shape
    inner, positions = state["layers.0.inner.weight"].shape[0], state["positions"].shape[0]
    layers = sum(name.endswith("inner.weight") for name in state)
    encoder = Encoder(Shape(words, width, layers, width // HEAD_WIDTH, inner, positions))
    encoder.load_state_dict(state)
    return encoder.eval()


def numbers_of(encoder: Encoder) -> dict[str, NDArray[np.float32]]:
    """The encoder's state as arrays, by name."""
    return {name: tensor.detach().float().numpy() for name, tensor in encoder.state_dict().items()}


def _layer_state(weights: Mapping[str, Tensor], number: int, kind: str) -> dict[str, Tensor]:
    source, target = f"encoder.layer.{number}.", f"layers.{number}."
    parts = [weights[f"{source}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
    return {
        f"{target}query_key_value.{kind}": torch.cat(parts),
        f"{target}attended.{kind}": weights[f"{source}attention.output.dense.{kind}"],
        f"{target}attended_norm.{kind}": weights[f"{source}attention.output.LayerNorm.{kind}"],
        f"{target}inner.{kind}": weights[f"{source}intermediate.dense.{kind}"],
        f"{target}outer.{kind}": weights[f"{source}output.dense.{kind}"],
        f"{target}outer_norm.{kind}": weights[f"{source}output.LayerNorm.{kind}"],
    }
