"""What can be wrong with Spotify."""

from __future__ import annotations

from device.signals import AttuneError, PlayerError


class SpotifyError(PlayerError):
    """Spotify cannot be asked now, or refuses."""


class NoDeviceError(SpotifyError):
    """The speaker is not there, or nothing plays on it."""


class PointlessError(SpotifyError):
    """What was asked for is so already: a pause while nothing plays."""


class SignInError(AttuneError):
    """An attempt to connect an account failed."""
