"""The text network: a BERT-shaped encoder whose last layer may look at the whole text with one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training import loop

JUDGED_TOGETHER = 128

HEAD_WIDTH = 32
"""Of the MiniLM family; DistilRoBERTa has 64."""


@dataclass(frozen=True)
class Shape:
    """Sizes of an encoder; the defaults are those of all-MiniLM-L6-v2 with a shorter vocabulary.

    With `pooled` the tokens are averaged before the last layer: it asks one question (the mean) of all tokens, so that
    it costs a sixth of the others; else the tokens are averaged after it.
    """

    words: int
    width: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1536
    positions: int = 512
    outputs: int = 7
    pooled: bool = False


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

    def forward(self, x: Tensor, mask: Tensor | None, asking: Tensor | None = None) -> Tensor:
        """Each of `asking` (batch, n, width), else each token, looks at all of `x` (batch, length, width)."""
        asking = x if asking is None else asking
        x = self.attended_norm(asking + self.dropout(self.attended(self._attend(asking, x, mask))))
        return self.outer_norm(x + self.dropout(self.outer(functional.gelu(self.inner(x)))))

    def _attend(self, asking: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
        width, (weight, bias) = x.shape[2], (self.query_key_value.weight, self.query_key_value.bias)
        query = self._split(functional.linear(asking, weight[:width], bias[:width]))
        key, value = map(self._split, functional.linear(x, weight[width:], bias[width:]).chunk(2, -1))
        weights = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        if mask is not None:
            weights = weights.masked_fill(~mask[:, None, None, :], -1e4)
        return (weights.softmax(-1) @ value).transpose(1, 2).flatten(2)

    def _split(self, x: Tensor) -> Tensor:
        """(batch, n, width) to (batch, heads, n, width of a head)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Encoder(nn.Module):
    """Token ids (batch, length) to logits (batch, outputs); without a mask every token counts."""

    def __init__(self, shape: Shape, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.words, shape.width)
        self.positions = nn.Parameter(torch.zeros(shape.positions, shape.width))
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.head = nn.Linear(shape.width, shape.outputs)
        self.dropout = nn.Dropout(dropout)

    def about(self) -> dict[str, Any]:
        """The shape as plain values, for a checkpoint."""
        return asdict(self.shape)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.dropout(self.norm(self.words(ids) + self.positions[: ids.shape[1]]))
        *layers, last = self.layers
        for layer in layers:
            x = layer(x, mask)
        asking = _mean(x, mask)[:, None] if self.shape.pooled else None
        x = last(x, mask, asking)
        return self.head(self.dropout(_mean(x, None if self.shape.pooled else mask)))


def _mean(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x.mean(1)
    weights = mask[..., None].to(x.dtype)
    return (x * weights).sum(1) / weights.sum(1)


def from_minilm(folder: Path, kept_ids: list[int], outputs: int) -> Encoder:
    """An encoder with all-MiniLM-L6-v2's weights, the word embeddings cut down to `kept_ids`; the head is new."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    positions = weights["embeddings.position_embeddings.weight"]
    inner, width = weights["encoder.layer.0.intermediate.dense.weight"].shape
    layers = sum(name.endswith("intermediate.dense.weight") for name in weights)
    encoder = Encoder(Shape(len(kept_ids), width, layers, width // HEAD_WIDTH, inner, positions.shape[0], outputs))
    state = encoder.state_dict()
    state["words.weight"] = weights["embeddings.word_embeddings.weight"][kept_ids]
    state["positions"] = positions + weights["embeddings.token_type_embeddings.weight"][0]
    for kind in ("weight", "bias"):
        state[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for number in range(layers):
            state |= _layer_state(weights, number, kind)
    encoder.load_state_dict(state)
    return encoder


def shorter(encoder: Encoder, layers: Sequence[int], pooled: bool = True) -> Encoder:
    """A student that starts with the words, the head and some layers of `encoder`."""
    kept = {f"layers.{old}.": f"layers.{new}." for new, old in enumerate(layers)}
    state = {}
    for name, value in encoder.state_dict().items():
        prefix = name[: name.index(".", 7) + 1] if name.startswith("layers.") else ""
        if not prefix or prefix in kept:
            state[kept.get(prefix, "") + name.removeprefix(prefix)] = value
    student = Encoder(replace(encoder.shape, layers=len(layers), pooled=pooled))
    student.load_state_dict(state)
    return student


def read(path: Path) -> Encoder:
    """The encoder whose best weights the loop kept in `path`, ready to judge."""
    state = loop.read(path)
    encoder = Encoder(Shape(**state["about"]))
    encoder.load_state_dict(state["net"])
    return encoder.to(loop.device()).eval()


def padded(rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids (batch, longest) filled up with 0, and the mask of what is real, on the device in use."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
    mask = torch.arange(ids.shape[1])[None, :] < lengths[:, None]
    return ids.to(loop.device()), mask.to(loop.device())


def logits_of(net: nn.Module, rows: Sequence[list[int]], told: str = "", exact: bool = False) -> NDArray[np.float32]:
    """Logits (n, outputs) in the order of the rows; `told` names it while it shows how far it is; or `exact`ly."""
    from tqdm import tqdm

    net.eval()
    order = np.argsort([len(row) for row in rows], kind="stable")
    parts = np.split(order, range(JUDGED_TOGETHER, len(order), JUDGED_TOGETHER))
    with torch.inference_mode(), nullcontext() if exact else loop.quick():
        found = [
            net(*padded([rows[k] for k in part])).float().cpu().numpy()
            for part in tqdm(parts, desc=told, disable=None if told else True, mininterval=1)
        ]
    logits: NDArray[np.float32] = np.concatenate(found)[np.argsort(order)]
    return logits


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
