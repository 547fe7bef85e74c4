"""The list of model files: where each lies, its hash, its shapes, its calibration and its terms."""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from device.signals import ModelError


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the manifest; `path` is set when the manifest is read."""

    file: str
    """Path below the models folder, inside `package`, or, where `url` is given, below the state folder."""
    sha256: str
    runtime: Literal["litert", "onnx", "data"]
    licence: str
    package: str = ""
    """Installed package that carries the file; it is never imported."""
    url: str = ""
    """Where set-up fetches an optional file from."""
    optional: bool = False
    input_shape: tuple[int, ...] = ()
    input_dtype: str = ""
    output_shape: tuple[int, ...] = ()
    embedding: int = 0
    """Width of the second output, the vector before the last layer; 0 where there is none."""
    labels: tuple[str, ...] = ()
    parameters: int = 0
    calibration: Mapping[str, Any] = msgspec.field(default_factory=dict)
    name: str = ""
    path: Path = Path()

    def read(self) -> bytes:
        """The verified file; raises ModelError where it is missing or altered."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.name}: {self.path}: {error.strerror}; {self._remedy()}") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(f"{self.name}: {self.path}: altered (its sha256 is not the manifest's); {self._remedy()}")
        return data

    def _remedy(self) -> str:
        if self.url:
            return "`make setup` fetches it where the internet is there"
        if self.package:
            return "`make setup` installs it again"
        return "restore it by `git checkout models` or reinstall attune"


def load_manifest(models: Path, state: Path | None = None) -> dict[str, ModelSpec]:
    """Specs by name from models/manifest.toml; raises ModelError when it cannot be used."""
    path = models / "manifest.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _spec(name, table, models, state) for name, table in tables.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: cannot be read: {error}; set `models` to the folder that comes with attune"
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ModelError(f"{path}: {error}; restore it by `git checkout models` or reinstall attune") from error


def _spec(name: str, table: dict[str, Any], models: Path, state: Path | None) -> ModelSpec:
    spec = msgspec.convert(table, ModelSpec)
    return msgspec.structs.replace(spec, name=name, path=_folder(spec, models, state) / spec.file)


def _folder(spec: ModelSpec, models: Path, state: Path | None) -> Path:
    if spec.package:
        found = importlib.util.find_spec(spec.package)
        return Path(next(iter(found.submodule_search_locations or ()), "")) if found else Path(spec.package)
    return state if spec.url and state is not None else models
