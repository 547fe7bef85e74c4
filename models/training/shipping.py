"""Puts what a training made into models/: the files, and in manifest.toml their hash and what belongs to them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.training.errors import TrainingError
from models.training.loop import write_whole


def ship(
    models: Path, name: str, files: Sequence[Path], values: Mapping[str, Any], calibration: Mapping[str, Any]
) -> None:
    """Copy `files` into models/<name>/ and tell the manifest; the first file is the network, whose hash it keeps.

    `values` go into the table [name] and `calibration` into [name.calibration]; keys that they do not name stay.
    """
    manifest = models / "manifest.toml"
    text = with_values(manifest.read_text(encoding="utf-8"), name, {"sha256": _digest(files[0]), **values})
    text = with_values(text, f"{name}.calibration", calibration)
    for file in files:
        _copy(file, models / name / file.name)
    write_whole(manifest, lambda part: part.write_text(text, encoding="utf-8"))


def ship_beside(models: Path, name: str, file: Path, table: str) -> None:
    """Copy a file that belongs to a network into models/<name>/ and keep its hash in the manifest's [table]."""
    manifest = models / "manifest.toml"
    text = with_values(manifest.read_text(encoding="utf-8"), table, {"sha256": _digest(file)})
    _copy(file, models / name / file.name)
    write_whole(manifest, lambda part: part.write_text(text, encoding="utf-8"))


def with_values(manifest: str, table: str, values: Mapping[str, Any]) -> str:
    """Return the text of a manifest with these values in a table, each on a line; TrainingError without the table."""
    lines = manifest.splitlines()
    if f"[{table}]" not in lines:
        raise TrainingError(f"models/manifest.toml has no [{table}]: restore it by `git checkout models`")
    start = lines.index(f"[{table}]") + 1
    end = next((k for k in range(start, len(lines)) if lines[k].startswith("[")), len(lines))
    while end > start and not lines[end - 1].strip():
        end -= 1
    body = lines[start:end]
    for key, value in values.items():
        line = f"{key} = {json.dumps(value)}"  # JSON's strings, numbers and lists are TOML's, too
        place = next((k for k, old in enumerate(body) if old.split("=")[0].strip() == key), len(body))
        body[place : place + 1] = [line]
    return "\n".join([*lines[:start], *body, *lines[end:]]) + "\n"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda part: shutil.copyfile(source, part))
