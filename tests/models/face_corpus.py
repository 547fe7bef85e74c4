"""A small made-up face corpus in the form of the real ones: each class is a bar of its own slant."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.inference.crop import CROP_PX
from models.training.face_data import VOTES

Row = tuple[str, int, int, Sequence[int]]  # split, label, dup_group, ten votes


def picture(label: int, seed: int) -> NDArray[np.uint8]:
    """A gray bar whose slant tells the class."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(*[np.linspace(-1, 1, CROP_PX)] * 2)
    turn = np.pi * label / 7
    bar = np.abs(across * np.cos(turn) + down * np.sin(turn)) < 0.3
    return np.clip(np.where(bar, 190, 60) + rng.normal(0, 5, bar.shape), 0, 255).astype(np.uint8)


def write_fer(folder: Path, rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Write folder/fer2013 with a picture for each row and return the pictures."""
    import cv2

    target = folder / "fer2013"
    target.mkdir()
    tiles = np.zeros((-(-len(rows) // 100) * 100, CROP_PX, CROP_PX), np.uint8)
    tiles[: len(rows)] = [picture(label, number) for number, (_, label, _, _) in enumerate(rows)]
    sheet = tiles.reshape(-1, 100, CROP_PX, CROP_PX).swapaxes(1, 2).reshape(-1, 100 * CROP_PX)
    cv2.imwrite(str(target / "sheet0.webp"), sheet, [cv2.IMWRITE_WEBP_QUALITY, 93])
    with (target / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "split", "label", "dup_group", *VOTES])
        table.writerows(
            [number, split, label, group, *votes] for number, (split, label, group, votes) in enumerate(rows)
        )
    return tiles[: len(rows)]


def write_ckplus(folder: Path, subjects: int) -> None:
    """Write folder/ckplus48.npz: each subject shows each of the eight labels once; its number stands in pixel 0, 0."""
    labels, people = np.tile(np.arange(8), subjects), np.repeat(np.arange(subjects), 8)
    images = np.stack([picture(label, number) for number, label in enumerate(labels)])
    images[:, 0, 0] = people
    names = np.array([f"S{number:03}" for number in people])
    np.savez(folder / "ckplus48.npz", images=images, label=labels, subject=names, sequence=labels, frame=labels)


def votes_for(label: int) -> list[int]:
    """Nine votes for a label and one for unknown."""
    return [9 * (number == label) + (name == "unknown") for number, name in enumerate(VOTES)]
