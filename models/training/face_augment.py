"""Face crops as cameras in rooms give them: turned, cut loosely, dim, blurred, packed, noisy, half hidden."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from device.inference.crop import CLIP, FLAT_STD


@dataclass(frozen=True)
class Spread:
    """How far crops are changed: standard deviations, and shares of the pictures that a change meets."""

    turn_deg: float = 9.0
    zoom: float = 0.10
    shift: float = 0.05  # of the width
    stretch: float = 0.04
    gamma: float = 0.30  # of its logarithm
    side_light: float = 30.0  # gray levels from the middle to the edge
    blurred: float = 0.15
    coarse: float = 0.12
    packed: float = 0.15
    noisy: float = 0.25
    noise_levels: float = 8.0
    hidden: float = 0.30


def augment(pixels: Tensor, spread: Spread) -> Tensor:
    """Return a changed copy of gray crops, (N, 1, 48, 48) 0..255, standardised as the device does it."""
    moved = _move(_flip(pixels), spread)
    lit = _light(moved, spread)
    soft = _coarsen(_blur(lit, spread.blurred), spread.coarse)
    spoilt = _pack(_noise(soft, spread), spread.packed)
    return _hide(standardise(spoilt.clamp(0, 255)), spread.hidden)


def standardise(pixels: Tensor) -> Tensor:
    """Do what device.inference.crop.standardise does, for a batch (N, 1, 48, 48)."""
    centred = pixels - pixels.mean(dim=(1, 2, 3), keepdim=True)
    spread = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return (centred / spread.clamp(min=FLAT_STD)).clamp(-CLIP, CLIP)


def _flip(pixels: Tensor) -> Tensor:
    return torch.where(_some(pixels, 0.5), pixels.flip(3), pixels)


def _move(pixels: Tensor, spread: Spread) -> Tensor:
    """Turn, scale, stretch and shift; what comes in from outside repeats the edge."""
    turn, zoom, stretch, *shifts = torch.randn(5, len(pixels), device=pixels.device)
    turn = turn * math.radians(spread.turn_deg)
    zoom, stretch = torch.exp(zoom * spread.zoom), torch.exp(stretch * spread.stretch)
    right, down = (shift * 2 * spread.shift for shift in shifts)
    rows = [
        torch.stack([turn.cos() * zoom * stretch, -turn.sin() * zoom, right], dim=1),
        torch.stack([turn.sin() * zoom, turn.cos() * zoom / stretch, down], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _light(pixels: Tensor, spread: Spread) -> Tensor:
    """Bend the gray scale and add light from one side."""
    bend = torch.exp(_normal(pixels) * spread.gamma)
    bent = 255 * (pixels.clamp(0, 255) / 255 + 1e-4) ** bend
    ramp = torch.linspace(-1, 1, pixels.shape[-1], device=pixels.device)
    across = _normal(pixels) * ramp + _normal(pixels) * ramp[:, None]
    return bent + across * spread.side_light


def _blur(pixels: Tensor, share: float) -> Tensor:
    soft = functional.avg_pool2d(functional.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = _uniform(pixels) * _some(pixels, share)
    return pixels + amount * (soft - pixels)


def _coarsen(pixels: Tensor, share: float) -> Tensor:
    """Give some pictures the detail of a face 16 to 32 pixels wide."""
    width = int(torch.randint(16, 33, ()))
    few = functional.interpolate(pixels, size=(width, width), mode="bilinear", antialias=True, align_corners=False)
    back = functional.interpolate(few, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(_some(pixels, share), back, pixels)


def _pack(pixels: Tensor, share: float) -> Tensor:
    """Round 8 x 8 cosine coefficients of some pictures, as JPEG does: by 0.3 to 2 times its steps at quality 50."""
    chosen = torch.rand(len(pixels), device=pixels.device) < share
    some = pixels[chosen]
    size, at = some.shape[-1], torch.arange(8, device=pixels.device, dtype=pixels.dtype)
    basis = torch.cos(math.pi * (at + 0.5) * at[:, None] / 8) * torch.where(at == 0, 0.125, 0.25)[:, None].sqrt()
    step = (10 + 6 * (at[:, None] + at)) * (0.3 + 1.7 * _uniform(some))[..., None]
    blocks = some.reshape(-1, size // 8, 8, size // 8, 8).transpose(2, 3)
    rounded = (basis @ blocks @ basis.T / step).round() * step
    packed = (basis.T @ rounded @ basis).transpose(2, 3).reshape(some.shape)
    return pixels.index_put((chosen,), packed)


def _noise(pixels: Tensor, spread: Spread) -> Tensor:
    level = _uniform(pixels) * _some(pixels, spread.noisy) * spread.noise_levels
    return pixels + torch.randn_like(pixels) * level


def _hide(crops: Tensor, share: float) -> Tensor:
    """Put a gray rectangle, a fifth to two fifths of the width a side, over some crops."""
    size = crops.shape[-1]
    at = torch.arange(size, device=crops.device)
    middle, half = _uniform(crops, 2) * size, (0.1 + 0.1 * _uniform(crops, 2)) * size
    across = (at - middle[:, :1]).abs() < half[:, :1]
    down = (at[:, None] - middle[:, 1:]).abs() < half[:, 1:]
    covered = across & down & _some(crops, share)
    return torch.where(covered, _normal(crops), crops)


def _some(like: Tensor, share: float) -> Tensor:
    return _uniform(like) < share


def _uniform(like: Tensor, columns: int = 1) -> Tensor:
    return torch.rand(len(like), columns, 1, 1, device=like.device)


def _normal(like: Tensor) -> Tensor:
    return torch.randn(len(like), 1, 1, 1, device=like.device)
