"""Training pictures of voices, in batches on the device in use: tempo, pitch, rooms, noise, colour, crops, masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from device.inference import features
from device.inference.features import HEADROOM, LOUD_PERCENTILE, MEL_BANDS, RANGE_DB, SMALLEST_POWER, WINDOW_FRAMES
from models.training.loop import device
from models.training.voice_data import Pictures

FRAME_S = features.HOP_SAMPLES / features.RATE_HZ
SHORTEST_FRAMES = 40
ECHO_FRAMES = 32
KNOTS = 4  # of the colour of a microphone, over all bands


@dataclass(frozen=True)
class Strength:
    """How far a picture may be changed, and how often; spans are drawn from evenly, those of factors by their logs."""

    tempo: float = 1.22
    pitch: float = 1.14
    crop: float = 0.7
    noise_share: float = 0.45
    noise_db: tuple[float, float] = (3.0, 30.0)
    echo_share: float = 0.25
    echo_s: tuple[float, float] = (0.15, 0.7)
    echo_db: tuple[float, float] = (-12.0, 3.0)
    colour_db: float = 6.0
    mask_frames: int = 20
    mask_bands: int = 10
    mixed_share: float = 0.3


class Augmentation:
    """Draws pictures (N, WINDOW_FRAMES, MEL_BANDS) of variants of clips, each time anew, from torch's generator."""

    def __init__(self, pictures: Pictures, strength: Strength) -> None:
        self.strength = strength
        self._voices = _Rows(pictures.decibels, pictures.starts)
        lengths = [len(noise) for noise in pictures.noises]
        self._noises = _Rows(np.concatenate(pictures.noises), np.concatenate(([0], np.cumsum(lengths))))

    def __call__(self, variants: Tensor) -> Tensor:
        """Return one picture of each variant (N)."""
        power, heard = self._placed(variants)
        power = _repitched(power, _factors(len(variants), self.strength.pitch)) * heard
        power = self._echoing(power) * heard
        power = (power + self._noise(power, heard)) * heard
        return self._masked(normalised(power * self._colour(len(variants)), heard))

    def mixed(self, pictures: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Lay some pictures over others, and their targets alike (mixup, Zhang et al. 2018)."""
        count = len(pictures)
        part = torch.distributions.Beta(0.4, 0.4).sample((count,)).to(pictures.device)
        share = torch.where(_chosen(count, self.strength.mixed_share), part, torch.ones_like(part))
        other = torch.randperm(count, device=pictures.device)
        wide, high = share[:, None, None], share[:, None]
        return wide * pictures + (1 - wide) * pictures[other], high * targets + (1 - high) * targets[other]

    def _placed(self, variants: Tensor) -> tuple[Tensor, Tensor]:
        """Power of a stretched part of each variant somewhere in the window, and where there is any (N, frames, 1)."""
        count, length = len(variants), self._voices.lengths[variants]
        tempo = _factors(count, self.strength.tempo)
        part = self.strength.crop + (1 - self.strength.crop) * _random(count)
        kept = torch.maximum(part * length / tempo, torch.clamp(length / tempo, max=SHORTEST_FRAMES))
        kept = torch.clamp(kept.floor(), min=1, max=WINDOW_FRAMES)
        start = _random(count) * torch.clamp(length - 1 - (kept - 1) * tempo, min=0)
        before = (_random(count) * (WINDOW_FRAMES - kept + 1)).floor()
        at = torch.arange(WINDOW_FRAMES, device=device())[None] - before[:, None]
        heard = (at >= 0) & (at < kept[:, None])
        decibels = self._voices.between(variants, start[:, None] + at * tempo[:, None])
        return _power(decibels) * heard[..., None], heard[..., None].float()

    def _echoing(self, power: Tensor) -> Tensor:
        """Add what a room gives back: power that dies away (frames of 20 ms are too long for single echoes)."""
        count = len(power)
        decay_s = _between(count, self.strength.echo_s)
        at_s = FRAME_S * torch.arange(1, ECHO_FRAMES, device=device())
        echo = 10.0 ** (-6.0 * at_s[None] / decay_s[:, None])
        level = 10.0 ** (_between(count, self.strength.echo_db) / 10.0) * _chosen(count, self.strength.echo_share)
        echo = echo / echo.sum(dim=1, keepdim=True) * level[:, None]
        kernel = torch.cat([torch.ones(count, 1, device=device()), echo], dim=1).flip(1)[:, None]
        bands = functional.pad(power.permute(2, 0, 1), (ECHO_FRAMES - 1, 0))
        return functional.conv1d(bands, kernel, groups=count).permute(1, 2, 0)

    def _noise(self, power: Tensor, heard: Tensor) -> Tensor:
        count = len(power)
        which = torch.randint(len(self._noises.lengths), (count,), device=device())
        length = self._noises.lengths[which]
        at = (_random(count) * length)[:, None].floor() + torch.arange(WINDOW_FRAMES, device=device())[None]
        noise = _power(self._noises.at(which, at % length[:, None]))
        ratio = 10.0 ** (-_between(count, self.strength.noise_db) / 10.0) * _chosen(count, self.strength.noise_share)
        speech = power.sum(dim=(1, 2)) / (heard.sum(dim=(1, 2)) * MEL_BANDS)
        return noise * (ratio * speech / noise.mean(dim=(1, 2)).clamp(min=1e-12))[:, None, None]

    def _colour(self, count: int) -> Tensor:
        knots = (2 * _random(count, 1, KNOTS) - 1) * _random(count, 1, 1) * self.strength.colour_db
        curve = functional.interpolate(knots, MEL_BANDS, mode="linear", align_corners=True)
        return _power(curve)

    def _masked(self, pictures: Tensor) -> Tensor:
        for axis, widest in ((1, self.strength.mask_frames),) * 2 + ((2, self.strength.mask_bands),) * 2:
            size = pictures.shape[axis]
            width = (_random(len(pictures), 1) * (widest + 1)).floor()
            start = (_random(len(pictures), 1) * (size - width)).floor()
            at = torch.arange(size, device=device())[None]
            kept = (at < start) | (at >= start + width)
            pictures = pictures * (kept[:, :, None] if axis == 1 else kept[:, None, :])
        return pictures


def normalised(power: Tensor, heard: Tensor) -> Tensor:
    """Do what `features.normalised` does, for mel power (N, frames, bands); 0 where `heard` (N, frames, 1) is 0."""
    total = torch.where(heard[..., 0] > 0, _decibels(power.sum(dim=2)), torch.full_like(heard[..., 0], -torch.inf))
    ordered = total.sort(dim=1, descending=True).values
    at = (1 - LOUD_PERCENTILE / 100) * (heard.sum(dim=(1, 2)) - 1)
    low, high = ordered.gather(1, at.floor().long()[:, None]), ordered.gather(1, at.ceil().long()[:, None])
    loud = torch.lerp(low, high, at.frac()[:, None])[..., None]
    return ((_decibels(power) - loud) / RANGE_DB + 1.0).clamp(0.0, HEADROOM) * heard


class _Rows:
    """Pictures of different lengths, one below the other."""

    def __init__(self, decibels: np.ndarray, starts: np.ndarray) -> None:
        self.decibels = torch.from_numpy(decibels).to(device())
        self.starts = torch.from_numpy(starts[:-1].astype(np.int64)).to(device())
        self.lengths = torch.from_numpy(np.diff(starts).astype(np.int64)).to(device())

    def at(self, which: Tensor, frames: Tensor) -> Tensor:
        """Return the frames (N, count) of the pictures `which` (N): (N, count, bands); the ends go on for ever."""
        inside = torch.minimum(frames.clamp(min=0).long(), self.lengths[which][:, None] - 1)
        return self.decibels[self.starts[which][:, None] + inside].float()

    def between(self, which: Tensor, frames: Tensor) -> Tensor:
        """Return what lies at fractional frames, in straight lines between whole ones."""
        return torch.lerp(self.at(which, frames.floor()), self.at(which, frames.floor() + 1), frames.frac()[..., None])


def _repitched(power: Tensor, factors: Tensor) -> Tensor:
    """Move every frequency of the pictures by a factor (N): pitch and the size of the mouth together."""
    mels = np.linspace(*features.hz_to_mel(np.array([features.LOWEST_HZ, features.HIGHEST_HZ])), MEL_BANDS + 2)
    centres_hz = torch.from_numpy(features.mel_to_hz(mels)[1:-1]).float().to(power.device)
    wanted = centres_hz[None] / factors[:, None]
    above = torch.searchsorted(centres_hz, wanted.contiguous()).clamp(1, MEL_BANDS - 1)
    low, high = centres_hz[above - 1], centres_hz[above]
    share = ((wanted - low) / (high - low)).clamp(0.0, 1.0)[:, None]
    index = above[:, None].expand(-1, power.shape[1], -1)
    return torch.lerp(power.gather(2, index - 1), power.gather(2, index), share.expand_as(power))


def _random(*shape: int) -> Tensor:
    return torch.rand(shape, device=device())


def _between(count: int, span: tuple[float, float]) -> Tensor:
    return span[0] + (span[1] - span[0]) * _random(count)


def _factors(count: int, largest: float) -> Tensor:
    return largest ** (2 * _random(count) - 1)


def _chosen(count: int, share: float) -> Tensor:
    return _random(count) < share


def _power(decibels: Tensor) -> Tensor:
    return torch.exp(decibels * (np.log(10.0) / 10.0))


def _decibels(power: Tensor) -> Tensor:
    return 10.0 * torch.log10(power.clamp(min=SMALLEST_POWER))
