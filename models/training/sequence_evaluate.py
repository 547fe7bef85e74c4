"""Faces over time as a chapter of docs/models.md: what was trained for it, and the shipped network on such films."""

from __future__ import annotations

import json
from pathlib import Path

from device.config import Config
from device.inference.face import Judged
from device.inference.senses import open_face
from models.training import sequence_live, sequence_personal, sequence_report
from models.training.face_data import folder_of
from models.training.report import Findings


def evaluate(data: Path, models: Path, plots: Path) -> Findings:
    """Judge CK+ below `data` by the network in `models`; what needs a training is taken from models/face/sequence.json.

    Raises FileNotFoundError without that, TrainingError where a corpus is absent.
    """
    found = json.loads(_present(models / "face" / sequence_report.FOUND).read_text(encoding="utf-8"))
    path, data = open_face(Config(models=str(models))), folder_of(data)

    def look(gray: sequence_live.Gray) -> Judged:
        return path.judge_picture(gray, crop=True)[0]

    films = sequence_live.kept_back(data)
    own = {"the shipped network": sequence_live.own_heads(look, films, data)}
    tables = (
        *sequence_report.tables(found),
        sequence_live.compared(look, films),
        sequence_personal.table({**found["personal"], **own}),
    )
    return Findings("face over time", (), tables, sequence_report.draw(found, plots), {"training": found})


def _present(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{path} is absent: `make train-sequence`, then again with ARGS=--ship, writes it")
    return path
