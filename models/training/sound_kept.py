"""`python -m models.training.sound_kept --data FOLDER`: the shipped network on clips of artists that it never heard."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.inference.manifest import load_manifest
from device.music.sound import read_scales
from device.signals import ModelError
from models.training import metrics
from models.training.errors import TrainingError
from models.training.sound import answers, asked
from models.training.sound_data import HEADS, folder_of, read

MODELS: Final = Path(__file__).parents[1]


def measured(data: Path, models: Path) -> dict[str, Any]:
    """Accuracy, macro-F1, confusion and ECE of each head on the clips in `data`, by the file in `models`.

    `data` holds clips.parquet and mel.npz as the training corpora do; on those themselves the figures would flatter,
    for the network learnt from them. Raises TrainingError or ModelError.
    """
    specs = load_manifest(models)
    clips = read(folder_of(data))
    scales = read_scales(specs["sound_scales"].read())
    logits = asked(specs["sound"].path, scales(clips.statistics))
    everyone = np.ones(len(clips.heads), bool)
    found = {head: answers(clips, everyone, logits, head) for head in HEADS if clips.of(head).any()}
    temperatures = dict(zip(HEADS, specs["sound"].calibration["temperatures"], strict=True))
    return {
        head: told.summary() | {"ece": metrics.ece(metrics.softmax(told.logits, temperatures[head]), told.truth)}
        for head, told in found.items()
    }


def main(words: Sequence[str] | None = None) -> int:
    """Print what was measured, as JSON; 1 where the clips or the model cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m models.training.sound_kept", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="with clips.parquet and mel.npz")
    parser.add_argument("--models", type=Path, default=MODELS, metavar="FOLDER", help="the models (those that ship)")
    chosen = parser.parse_args(words)
    try:
        print(json.dumps(measured(chosen.data, chosen.models), indent=1))
    except (TrainingError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
