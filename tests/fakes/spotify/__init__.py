"""A made-up Spotify that keeps to the Web API's and the accounts service's rules of 2026, errors included."""

from tests.fakes.spotify.clock import Clock, standing
from tests.fakes.spotify.server import SpotifyServer
from tests.fakes.spotify.state import CLIENT_ID, State

__all__ = ["CLIENT_ID", "Clock", "SpotifyServer", "State", "standing"]
