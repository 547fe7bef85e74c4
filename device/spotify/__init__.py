"""The owner's Spotify: their consent, a gate for every request, and what becomes of a refusal."""

from device.spotify.errors import NoDeviceError, PointlessError, SignInError, SpotifyError
from device.spotify.items import track_of
from device.spotify.pictures import fetch_picture
from device.spotify.session import Session, Status

__all__ = [
    "NoDeviceError",
    "PointlessError",
    "Session",
    "SignInError",
    "SpotifyError",
    "Status",
    "fetch_picture",
    "track_of",
]
