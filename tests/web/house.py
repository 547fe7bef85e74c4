"""A whole page for the tests that walk through all of it: real parts, and a week of somebody's life in the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from companion_web import Room
from device.board import Board
from device.compose import rules_of
from device.config import Config, Music
from device.judge import JudgeDesk
from device.music.catalogue import keys_of, placed
from device.music.covers import Covers
from device.music.desk import MusicDesk
from device.music.editing import Editor
from device.music.lyrics import open_lyrics
from device.music.places import of_tags
from device.music.sources import Stock
from device.pipeline import Body, Desk, Worker, attend
from device.ports import Device, Vitals
from device.preview import Preview
from device.signals import EMOTIONS, VALENCE_AROUSAL, Emotion, Track
from device.store.catalogue import Entry, Tracks
from tests.fakes.spotify import SpotifyServer, State, standing
from tests.spotify.house import session
from tests.web import evening
from tests.web.days import live
from tests.web.rooms import NOW, SEEN_AT, room_in

NAMES: Final = (
    "Sunlit Kitchen",
    "Blue Harbour",
    "Paper Boats",
    "Slow Rain",
    "Evening Tram",
    "Wild Garden",
    "Attic Light",
)
ARTISTS: Final = ("Mira Lund", "The Quiet Hours", "Attune", "Okapi Club")
DAYS: Final = 7
CAMERA = Device("/dev/video0", "USB camera")
MICROPHONE = Device("USB audio", "USB audio")
VITALS = Vitals(51.5, "", 274.0, 21.4, 86_400.0, {})


@contextmanager
def furnished(folder: Path, **parts: Any) -> Iterator[Room]:
    """A room with every part there is, music to search, and a past; what is put is forgotten."""
    config = Config(music=Music(player="silent", seed=1))
    url = f"sqlite:///{folder / 'attune.db'}"
    fill(url)
    board = Board()
    for event in (*evening.events(), replace(evening.PLAYING, at=SEEN_AT - 23.0)):
        board.offer(event)
    with ExitStack() as house:
        server = house.enter_context(SpotifyServer(State(standing())))
        spotify = session(server, standing(), folder, client_id="")
        judge, lyrics = JudgeDesk(lambda: config), Desk[Any]()
        desk = MusicDesk(Stock(url, lambda: config.music, lambda: rules_of(config)[0]))
        bodies = {"judge": judge.work, "lyrics": attend(lambda: cache(lambda: open_lyrics(config)), lyrics)}
        for name, body in (bodies | desk.bodies).items():
            house.enter_context(working(name, body))
        given = {
            "board": board,
            "config": lambda: config,
            "judge": judge,
            "preview": Preview(lambda: SEEN_AT),
            "music": desk,
            "covers": Covers(folder),
            "tracks": lambda: Tracks(url, keys_of),
            "editing": Editor(url),
            "lyrics": lambda words: lyrics.ask(lambda opened: opened().judge(words)),
            "spotify": spotify,
            "cameras": lambda: [CAMERA],
            "microphones": lambda: [MICROPHONE],
            "vitals": lambda: VITALS,
        }
        room = house.enter_context(room_in(folder, **(given | parts)))
        tracks = [track_of(number, emotion) for number, emotion in enumerate(EMOTIONS)]
        live(room.store, NOW.replace(hour=0, minute=0) - timedelta(days=DAYS), NOW, tracks, seed=7)
        yield room


@contextmanager
def working(name: str, body: Body) -> Iterator[None]:
    """A worker that works as long as the block lasts."""
    worker = Worker(name, body, lambda health: None)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        worker.join(10.0)


def fill(url: str) -> None:
    """Tracks of every emotion in the catalogue."""
    tracks = Tracks(url, keys_of)
    tracks.put(entry(number) for number in range(120))
    tracks.close()


def entry(number: int) -> Entry:
    emotion = EMOTIONS[number % len(EMOTIONS)]
    genre = ("pop", "indie rock", "jazz", "ambient", "metal")[number % 5]
    track = track_of(number, emotion)
    kept = replace(track, genre=genre, source="folder" if number % 3 else "list")
    return placed(Entry(kept, "Evenings", "1-2" if number % 3 else "", readings=of_tags(genre, [emotion])))


def track_of(number: int, emotion: Emotion) -> Track:
    name = f"{NAMES[number % len(NAMES)]} {1 + number // len(NAMES)}"
    where = VALENCE_AROUSAL[emotion]
    uri = f"{emotion}/{number:03}.ogg"
    return Track(uri, name, ARTISTS[number % len(ARTISTS)], "pop", (emotion,), 180.0, *where, 0.3, source="folder")
