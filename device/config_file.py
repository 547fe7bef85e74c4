"""Writes settings as TOML, each with the sentence that explains it."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from device import config as settings
from device.config import Config
from device.signals import ConfigError


def render(config: Config, commented: bool = False) -> str:
    """The settings as TOML; `commented` puts a # before each, so that the file changes nothing until it is edited."""
    docs = _docs()
    values = msgspec.to_builtins(config)
    top = {name: value for name, value in values.items() if not isinstance(value, dict)}
    lines = _table("Config", top, docs, commented)
    for name, value in values.items():
        if isinstance(value, dict):
            kind = type(getattr(config, name)).__name__
            lines += ["", f"[{name}]  # {docs[kind, '']}", *_table(kind, value, docs, commented)]
    return "\n".join(lines) + "\n"


def write(path: Path) -> None:
    """Write a file of all defaults, commented out; raises ConfigError where one is there already or cannot be."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(render(Config(), commented=True))
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; remove it or name another file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; name another file") from error


def _table(kind: str, values: dict[str, Any], docs: dict[tuple[str, str], str], commented: bool) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        lines.append(f"# {docs[kind, name]}")
        lines.append(f"{'# ' if commented else ''}{name} = {_toml(value)}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _docs() -> dict[tuple[str, str], str]:
    """The first line under each class and each of its settings in config.py, by (class, setting)."""
    docs: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(settings)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        docs[node.name, ""] = ast.get_docstring(node) or ""
        for item, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                docs[node.name, item.target.id] = _text(after)
    return docs


def _text(node: ast.stmt) -> str:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return str(node.value.value) if is_text else ""  # type: ignore[attr-defined]
