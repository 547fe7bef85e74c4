"""Fixtures for every folder of tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("attune", deadline=None)  # timings never decide a test
settings.load_profile("attune")


@pytest.fixture(scope="session")
def demo_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo pieces, each cut to its first part, composed once for all tests."""
    from device.music.demo import compose
    from device.music.scores import pieces

    folder = tmp_path_factory.mktemp("demo-music")
    compose(folder, scores=[replace(piece, form=piece.form[:1]) for piece in pieces()])
    return folder
