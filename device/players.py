"""Which player a room has: MPD, else a silent one, and with an account Spotify beside it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from device.clock import trusted_utc
from device.compose import music_folder
from device.config import Config, Spotify, runtime_folder, state_folder
from device.player.either import Either
from device.player.librespot import Librespot
from device.player.mpd import MpdPlayer
from device.player.receiver import address_of
from device.player.silent import SilentPlayer
from device.player.spotify import SpotifyPlayer
from device.player.spotify_speaker import LocalSpeaker, Speakers
from device.ports import Player
from device.signals import PlayerError, PlayerState
from device.spotify import Session

log = logging.getLogger(__name__)

Tell = Callable[[PlayerState], None]


def open_player(config: Config, session: Session | None, tell: Tell, again: Callable[[], None]) -> tuple[Player, str]:
    """The player of the settings, and where it is heard; raises PlayerError where the one that they name cannot be had.

    With Spotify, `again` is called when it fails, so that the last decision is carried out by the box's own music.
    """
    if session is None:
        return _open_local(config, tell)
    speakers = Speakers(session, _receiver(config.spotify), time.monotonic)
    either = Either(
        lambda theirs: SpotifyPlayer(speakers, session, theirs),
        lambda ours: _open_local(config, ours)[0],
        tell,
        again,
    )
    return either, "Spotify, and the music of this box where that cannot"


def advance(player: Player, at: float) -> None:
    """Let the time be `at` for a player that has none of its own: a silent one."""
    local = player.local if isinstance(player, Either) else player
    if isinstance(local, SilentPlayer):
        local.advance(at)


def _receiver(settings: Spotify) -> LocalSpeaker | None:
    address = address_of(settings)
    return LocalSpeaker(Librespot(address), settings.receiver_name) if address else None


def _open_local(config: Config, tell: Tell) -> tuple[Player, str]:
    if config.music.player != "silent":
        try:
            mpd = MpdPlayer(
                config.music,
                state_folder(config),
                music_folder(config),
                tell,
                runtime_folder=runtime_folder(),
                utc=trusted_utc,
            )
            return mpd, mpd.output_name
        except PlayerError as error:
            if config.music.player == "mpd":
                raise
            log.warning("player: %s; until then Attune says what it would play", error)
    return SilentPlayer(tell, time.monotonic), "silent: nothing is audible"
