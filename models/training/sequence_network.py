"""Networks that judge a few frames together: a frame network, a GRU, a ConvLSTM, and plain averages of frames."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.training.face_data import CLASSES

MAP_CHANNELS = 48
EMBEDDING = 96


class FrameNet(nn.Module):
    """Standardised crops (N, 1, 48, 48) to logits (N, 7): a plain CNN, small enough to learn FER2013 in minutes."""

    def __init__(self) -> None:
        super().__init__()
        maps = [*_conv(1, 24, 2, 5), *_conv(24, 24), *_conv(24, MAP_CHANNELS, 2), *_conv(MAP_CHANNELS, MAP_CHANNELS)]
        deep = [*_conv(MAP_CHANNELS, EMBEDDING, 2), *_conv(EMBEDDING, EMBEDDING), *_conv(EMBEDDING, EMBEDDING)]
        self.maps = nn.Sequential(*maps)
        self.deep = nn.Sequential(*deep, _mean())
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(EMBEDDING, CLASSES))

    def forward(self, crops: Tensor) -> Tensor:
        """Judge crops that are standardised."""
        logits: Tensor = self.head(self.deep(self.maps(crops)))
        return logits


class Average(nn.Module):
    """Judges each frame by `judge`, which takes (N, 1, ...), apart from the others and averages the logits."""

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (N, T, ...) to logits (N, 7)."""
        apart: Tensor = self.judge(frames.flatten(0, 1)[:, None])
        return apart.view(*frames.shape[:2], -1).mean(dim=1)


class Linear(nn.Module):
    """One dense layer on the embedding (N, 1, E) of one frame."""

    def __init__(self, wide: int = EMBEDDING) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.LayerNorm(wide), nn.Dropout(0.3), nn.Linear(wide, CLASSES))

    def forward(self, frames: Tensor) -> Tensor:
        """Judge the one frame."""
        logits: Tensor = self.head(frames[:, 0])
        return logits


class Gru(nn.Module):
    """A GRU over the embeddings (N, T, E) of the frames, judged by its last state."""

    def __init__(self, wide: int = EMBEDDING, hidden: int = 48) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(wide)
        self.cell = nn.GRU(wide, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(hidden, CLASSES))

    def forward(self, frames: Tensor) -> Tensor:
        """Judge by the state after the last frame."""
        logits: Tensor = self.head(self.cell(self.norm(frames))[1][0])
        return logits


class ConvLstmCell(nn.Module):
    """One step of a ConvLSTM (Shi et al. 2015, equation 3, without peepholes), 3 x 3 kernels."""

    def __init__(self, wide: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(wide + hidden, 4 * hidden, 3, padding=1)
        with torch.no_grad():
            self.gates.bias[hidden : 2 * hidden] = 1.0  # remembers at first (Jozefowicz et al. 2015)

    def forward(self, cells: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Take in maps (N, wide, H, W); the state is (shown, kept), each (N, hidden, H, W)."""
        shown, kept = state
        enter, forget, leave, new = self.gates(torch.cat([cells, shown], dim=1)).chunk(4, dim=1)
        kept = forget.sigmoid() * kept + enter.sigmoid() * new.tanh()
        return leave.sigmoid() * kept.tanh(), kept

    def start(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state before the first maps, zero."""
        zeros = cells.new_zeros(len(cells), self.hidden, *cells.shape[-2:])
        return zeros, zeros


class ConvLstm(nn.Module):
    """A ConvLSTM over maps of the frames, judged by convolutions on its last state.

    The maps (N, T, 48, 12, 12) come from a trained FrameNet, or, with `own_eyes`, from convolutions of its own over
    standardised crops (N, T, 1, 48, 48).
    """

    def __init__(self, own_eyes: bool = False, hidden: int = 32) -> None:
        super().__init__()
        eyes = [*_conv(1, 24, 2, 5), *_conv(24, MAP_CHANNELS, 2)]
        self.eyes = nn.Sequential(*eyes) if own_eyes else nn.Identity()
        self.cell = ConvLstmCell(MAP_CHANNELS, hidden)
        self.head = nn.Sequential(*_conv(hidden, 64, 2), _mean(), nn.Dropout(0.3), nn.Linear(64, CLASSES))

    def forward(self, frames: Tensor) -> Tensor:
        """Judge by the state after the last frame."""
        maps = self.eyes(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        state = self.cell.start(maps[:, 0])
        for step in range(maps.shape[1]):
            state = self.cell(maps[:, step], state)
        logits: Tensor = self.head(state[0])
        return logits


def _conv(wide: int, out: int, stride: int = 1, size: int = 3) -> Iterable[nn.Module]:
    yield nn.Conv2d(wide, out, size, stride, padding=size // 2, bias=False)
    yield nn.BatchNorm2d(out)
    yield nn.ReLU()


def _mean() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
