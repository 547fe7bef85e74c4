"""A made-up Spotify whose clock moves when a test says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.spotify import Clock, SpotifyServer, State, standing
from tests.fakes.spotify.catalogue import Catalogue, made_up


@pytest.fixture
def clock() -> Clock:
    return standing()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return made_up()


@pytest.fixture
def server(clock: Clock, catalogue: Catalogue) -> Iterator[SpotifyServer]:
    with SpotifyServer(State(clock, catalogue)) as running:
        yield running
