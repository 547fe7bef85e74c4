"""Families of synthetic listeners with hidden tastes, fixed before the learner was tuned, to measure it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.music.genres import GENRES, place
from device.signals import EMOTIONS, ROOM, VALENCE_AROUSAL, Track

Values: TypeAlias = NDArray[np.float64]

STRATEGIES: Final = ("match", "calm", "lift")
SENSES: Final = ("face", "voice", "text")
TABLE: Final[tuple[str, ...]] = tuple(genre for emotion in EMOTIONS for genre in GENRES[emotion])
"""Every genre of the mood table: the genres of the simulated library."""
LIVELY: Final = ("rock", "metal", "punk", "pop", "dance", "indie", "electronic")
QUIET: Final = ("ambient", "chill", "acoustic", "piano", "classical", "jazz")
UNSUNG: Final = frozenset({"ambient", "piano", "classical", "jazz"})

MOOD_SHARES: Final = (0.10, 0.05, 0.05, 0.25, 0.15, 0.10, 0.30)
"""How often each of EMOTIONS is the mood of a simulated room."""
SENSE_SHARES: Final = (0.5, 0.3, 0.2)
HOURS: Final = (6, 23)
"""First and last hour of the day in which music plays, local time."""
A_DAY: Final = 20
"""Decisions a day."""
FIRST_DAY: Final = datetime(2026, 1, 5)
"""A Monday; all times are the room's."""

TRACKS_OF_A_GENRE: Final = 8
ARTISTS_OF_A_GENRE: Final = 4
TRACK_SPREAD: Final = 0.35
"""Standard deviation, per axis, of a track's place about its genre's."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a decision finds: the mood of the room, the one before, the sense that told it, and the room's time."""

    emotion: int
    recent: int
    sense: int
    local: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """A taste as the listener has it and nobody sees it: the terms of a sum, clipped to -1..1.

    `liking` is that of any music; `table` is added to the genres that the mood table names for the mood; `genres` (one
    each of TABLE), `strategies` (EMOTIONS x STRATEGIES), `hours` (24 x TABLE) and `quirks` (one a track) to what they
    say; `pull` times -1..1 for how near a track is to `wanted` (EMOTIONS x 2, a place of the plane); `desk` to music
    that nobody sings where the mood was read from words.
    """

    liking: float
    table: float
    genres: Values
    strategies: Values
    hours: Values
    quirks: Values
    wanted: Values
    pull: float
    desk: float


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody who listens: a taste, from the middle of the simulation on perhaps another one, and how they react.

    `candour`, 0..1, is how much of what they feel they show by pressing something; `random`, 0..1, is the share of
    their reactions that mean nothing.
    """

    name: str
    taste: Hidden
    later: Hidden | None = None
    candour: float = 1.0
    random: float = 0.0

    def taste_at(self, progress: float) -> Hidden:
        """The taste at a point of the simulation, 0..1."""
        return self.later if self.later is not None and progress >= 0.5 else self.taste


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """Who lives with one Attune: all listen `together` and nobody says who, or one at a time who says so."""

    people: tuple[Person, ...]
    together: bool = False

    def listening(self, rng: np.random.Generator) -> tuple[str, tuple[Person, ...]]:
        """Who is said to listen (ROOM where nobody says), and who does."""
        if self.together:
            return ROOM, self.people
        person = self.people[rng.integers(len(self.people))]
        return person.name, (person,)


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """The simulated tracks, and what of them the hidden tastes look at: one entry a track."""

    tracks: tuple[Track, ...]
    genre: NDArray[np.intp]
    places: Values
    unsung: NDArray[np.bool_]


def library() -> Library:
    """Eight tracks by four artists of each genre of the table, scattered about its place; always the same."""
    rng = np.random.default_rng(0)
    tracks = tuple(_track(genre, number, rng) for genre in TABLE for number in range(TRACKS_OF_A_GENRE))
    return Library(
        tracks,
        np.repeat(np.arange(len(TABLE)), TRACKS_OF_A_GENRE),
        np.array([(track.valence, track.arousal) for track in tracks]),
        np.array([track.instrumental for track in tracks]),
    )


def _track(genre: str, number: int, rng: np.random.Generator) -> Track:
    valence, arousal, _ = place(genre, ())
    here = np.clip(rng.normal((valence, arousal), TRACK_SPREAD), -1.0, 1.0)
    return Track(
        uri=f"simulated:{genre}:{number}",
        title=f"{genre} {number}",
        artist=f"{genre} artist {number % ARTISTS_OF_A_GENRE}",
        genre=genre,
        valence=float(here[0]),
        arousal=float(here[1]),
        uncertainty=0.25,
        source="simulated",
        instrumental=genre in UNSUNG,
    )


def scenes(count: int, rng: np.random.Generator) -> Iterator[Scene]:
    """The scenes of `count` decisions, A_DAY a day, in the order of time."""
    recent = EMOTIONS.index("neutral")
    for day in range(-(-count // A_DAY)):
        today = min(A_DAY, count - day * A_DAY)
        minutes = np.sort(rng.integers(HOURS[0] * 60, HOURS[1] * 60, today))
        for minute in minutes:
            emotion = int(rng.choice(len(EMOTIONS), p=MOOD_SHARES))
            sense = int(rng.choice(len(SENSES), p=SENSE_SHARES))
            yield Scene(emotion, recent, sense, FIRST_DAY + timedelta(days=day, minutes=int(minute)))
            recent = emotion


_FITS: Final = np.array([[genre in GENRES[emotion] for genre in TABLE] for emotion in EMOTIONS], np.float64)
_OWN_PLACES: Final = np.array([VALENCE_AROUSAL[emotion] for emotion in EMOTIONS])


def pleasure(taste: Hidden, scene: Scene, music: Library) -> Values:
    """What a listener would feel at each track under each strategy, STRATEGIES x tracks, -1..1."""
    of_genres = taste.liking + taste.table * _FITS[scene.emotion] + taste.genres + taste.hours[scene.local.hour]
    distance = np.hypot(*(music.places - taste.wanted[scene.emotion]).T)
    of_tracks = of_genres[music.genre] + taste.quirks + taste.pull * np.clip(1.0 - distance, -1.0, 1.0)
    if SENSES[scene.sense] == "text":
        of_tracks = of_tracks + taste.desk * music.unsung
    clipped: Values = np.clip(of_tracks + taste.strategies[scene.emotion][:, None], -1.0, 1.0)
    return clipped


def reactions(person: Person, feels: Values, played: int, rng: np.random.Generator) -> list[tuple[str, int]]:
    """What a listener does when a track is played: kinds of reaction, each with the track that it means.

    `feels` is their pleasure at each track. Who dislikes a track skips it, seldom says so, and now and then puts on one
    that they love; who likes it may say so or turn it up; else it plays to its end, or another mood cuts it short
    (nothing).
    """
    good, bad = max(feels[played], 0.0), max(-feels[played], 0.0)
    if rng.random() < person.random:
        return [(("like", "dislike", "skip", "finish")[rng.integers(4)], played)]
    chance = rng.random()
    for kind, share in (
        ("dislike", 0.15 * bad * person.candour),
        ("skip", (0.05 + 0.60 * bad) * person.candour),
        ("quieter", 0.05 * bad * person.candour),
        ("like", 0.30 * good * person.candour),
        ("louder", 0.05 * good * person.candour),
        ("finish", 0.6),
    ):
        if chance < share:
            return [(kind, played), *_another(kind, feels, rng)]
        chance -= share
    return []


def _another(kind: str, feels: Values, rng: np.random.Generator) -> list[tuple[str, int]]:
    """One time in ten, who skips a track chooses one of the three that they would enjoy most now."""
    if kind != "skip" or rng.random() >= 0.1:
        return []
    return [("choose", int(np.argsort(feels)[-1 - rng.integers(3)]))]


# -- tastes ------------------------------------------------------------------------------------------------------------


def _plain(rng: np.random.Generator) -> Hidden:
    """Somebody without a leaning: what is common to all, which is small."""
    return Hidden(
        liking=0.0,
        table=0.0,
        genres=rng.normal(0.0, 0.1, len(TABLE)),
        strategies=np.zeros((len(EMOTIONS), len(STRATEGIES))),
        hours=np.zeros((24, len(TABLE))),
        quirks=rng.normal(0.0, 0.15, len(TABLE) * TRACKS_OF_A_GENRE),
        wanted=_OWN_PLACES,
        pull=0.1,
        desk=float(rng.uniform(0.0, 0.2)),
    )


def _matching(weight: float) -> Values:
    """Strategies where music that matches the mood is liked `weight` better than any other."""
    return np.tile([weight if name == "match" else 0.0 for name in STRATEGIES], (len(EMOTIONS), 1))


def _favouring(genres: Sequence[str], weight: float) -> Values:
    return np.array([weight if genre in genres else 0.0 for genre in TABLE])


def _conventional(rng: np.random.Generator) -> Hidden:
    return replace(_plain(rng), liking=-0.3, table=0.8, strategies=_matching(0.1))


def _genre_lover(rng: np.random.Generator) -> Hidden:
    loved = rng.choice(TABLE, 2, replace=False)
    plain = _plain(rng)
    return replace(plain, liking=-0.2, table=0.1, genres=plain.genres + _favouring(list(loved), 0.8))


def _contrary(rng: np.random.Generator) -> Hidden:
    return replace(_plain(rng), liking=0.25, table=-0.8, strategies=_matching(-0.1), pull=-0.1)


def _by_the_clock(rng: np.random.Generator) -> Hidden:
    """Lively until an hour of the late afternoon, quiet from then on."""
    turn = int(rng.integers(16, 20))
    hours = np.array([_favouring(LIVELY if hour < turn else QUIET, 0.7) for hour in range(24)])
    return replace(_plain(rng), liking=-0.3, table=0.2, hours=hours)


def _mood_mender(rng: np.random.Generator) -> Hidden:
    """Wants calm music when angry, disgusted or afraid, brighter music when sad or neutral, and else what fits."""
    names: list[str] = list(EMOTIONS)
    wanted, strategies = _OWN_PLACES.copy(), _matching(0.0)
    for emotion, name, spot in (
        *((emotion, "calm", (0.3, -0.5)) for emotion in ("angry", "disgust", "fear")),
        *((emotion, "lift", (0.7, 0.4)) for emotion in ("sad", "neutral")),
    ):
        row = names.index(emotion)
        wanted[row] = spot
        strategies[row, STRATEGIES.index(name)] = 0.3
    return replace(_plain(rng), table=0.1, wanted=wanted, strategies=strategies, pull=0.5)


def _ordinary(rng: np.random.Generator) -> Hidden:
    """Half of the table's opinion and half of their own."""
    return replace(
        _plain(rng), liking=-0.1, table=0.4, genres=rng.normal(0.0, 0.35, len(TABLE)), strategies=_matching(0.1)
    )


def _indifferent(rng: np.random.Generator) -> Hidden:
    plain = _plain(rng)
    return replace(
        plain, liking=0.2, genres=0.2 * plain.genres, quirks=0.2 * plain.quirks, pull=0.02, desk=0.1 * plain.desk
    )


# -- families ----------------------------------------------------------------------------------------------------------


def _alone(taste: Callable[[np.random.Generator], Hidden]) -> Callable[[np.random.Generator], Home]:
    return lambda rng: Home((Person("ada", taste(rng)),))


def _drifting(rng: np.random.Generator) -> Home:
    return Home((Person("ada", _genre_lover(rng), later=_genre_lover(rng)),))


def _noisy(rng: np.random.Generator) -> Home:
    return Home((Person("ada", _ordinary(rng), random=0.2),))


def _rarely_reacting(rng: np.random.Generator) -> Home:
    return Home((Person("ada", _ordinary(rng), candour=0.1),))


def _opposites(rng: np.random.Generator) -> Home:
    one = _genre_lover(rng)
    other = replace(_plain(rng), liking=one.liking, genres=-one.genres - 2.0 * one.liking, table=one.table)
    return Home((Person("ada", one), Person("ben", other)), together=True)


def _house(rng: np.random.Generator) -> Home:
    """Four who share half of their taste's weight and more, and each have a little of their own."""
    shared = _genre_lover(rng)
    names = ("ada", "ben", "cleo", "dan")
    own = {name: rng.normal(0.0, 0.15, len(TABLE)) for name in names}
    return Home(tuple(Person(name, replace(shared, genres=shared.genres + own[name])) for name in names))


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of listener: in words, and how one of them is drawn."""

    says: str
    draw: Callable[[np.random.Generator], Home]


FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "conventional": Family("likes what the mood table names for the mood, and little else", _alone(_conventional)),
        "genre lover": Family("loves two genres in every mood", _alone(_genre_lover)),
        "contrary": Family("dislikes what the table names, and music that matches the mood", _alone(_contrary)),
        "time of day": Family("lively music by day, quiet music from the late afternoon on", _alone(_by_the_clock)),
        "mood mender": Family("wants calm when angry or afraid, brightness when sad", _alone(_mood_mender)),
        "ordinary": Family("half the table's opinion, half their own", _alone(_ordinary)),
        "drifting": Family("loves two genres, and from the middle on two others", _drifting),
        "indifferent": Family("hardly cares what plays", _alone(_indifferent)),
        "noisy": Family("ordinary, but one reaction in five is random", _noisy),
        "rarely reacting": Family("ordinary, but lets nine of ten things that they would press pass", _rarely_reacting),
        "two opposites": Family(
            "two in one room, one loves what the other dislikes; nobody says who reacts", _opposites
        ),
        "like-minded house": Family("four named listeners who share most of their taste", _house),
    }
)
"""The families; their order is part of the seeds."""


def homes(family: str, count: int, seed: int) -> tuple[Home, ...]:
    """`count` homes of a family; equal arguments give equal homes, and a larger `count` only adds some."""
    number = list(FAMILIES).index(family)
    return tuple(FAMILIES[family].draw(np.random.default_rng((seed, number, one))) for one in range(count))
