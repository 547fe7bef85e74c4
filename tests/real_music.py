"""Music that people made: the free music of a game, where Debian's package of it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDERS = sorted(Path("/usr/share/games/wesnoth").glob("*/data/core/music"))
FILES = sorted(FOLDERS[-1].glob("*.ogg")) if FOLDERS else []
"""Over 40 pieces of 5 s to 9 minutes, Ogg Vorbis with titles, artists and genres; GPL, nothing of it is kept here."""

needs_music = pytest.mark.skipif(len(FILES) < 40, reason="needs free music: apt install wesnoth-1.16-music")


def piece(name: str) -> Path:
    """A file by its name without ".ogg"."""
    return next(path for path in FILES if path.stem == name)
