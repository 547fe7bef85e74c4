"""Fixtures for every folder of tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def demo_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo pieces, each cut to its first part, composed once for all tests."""
    from device.music.demo import compose
    from device.music.scores import pieces

    folder = tmp_path_factory.mktemp("demo-music")
    compose(folder, scores=[replace(piece, form=piece.form[:1]) for piece in pieces()])
    return folder
