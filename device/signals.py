"""The messages that flow through Attune: frozen values, stamped with the monotonic second at which they were sensed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.float32]

Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
Modality = Literal["face", "voice", "text", "body"]
Scores: TypeAlias = tuple[float, float, float, float, float, float, float]

EMOTIONS: Final[tuple[Emotion, ...]] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The order of every score vector, in files and on the wire."""

ROOM: Final = "room"
"""Whoever is here: the name of a listener who gave none."""
EVERYONE: Final = "everyone"
"""All listeners, where one could be named."""
EVERYTHING: Final = "everything"
"""All that ever happened, where a stretch of time could be named."""
CALIBRATED: Final[tuple[Modality, ...]] = ("face", "voice")
"""Senses that a listener can calibrate: their networks may give an embedding."""
MOST_MOMENTS: Final = 50
"""Labelled moments of one listener and sense that are kept; a newer one takes the oldest one's place."""

VALENCE_AROUSAL: Final[Mapping[Emotion, tuple[float, float]]] = MappingProxyType(
    {
        "angry": (-0.51, 0.59),
        "disgust": (-0.60, 0.35),
        "fear": (-0.64, 0.60),
        "happy": (0.81, 0.51),
        "sad": (-0.63, -0.27),
        "surprise": (0.40, 0.67),
        "neutral": (0.0, 0.0),
    }
)
"""Valence and arousal, each -1..1, of the emotion words (Russell & Mehrabian 1977, table 4; neutral is the origin)."""


class AttuneError(Exception):
    """Something that Attune foresees: the message says what is wrong and what to do about it."""


class ConfigError(AttuneError, ValueError):
    """A setting cannot be used."""


class SensorError(AttuneError, OSError):
    """A camera, microphone or recording cannot be read."""


class ModelError(AttuneError):
    """A model file is missing, altered or unusable."""


class PlayerError(AttuneError):
    """The player cannot be reached or refused a command."""


# -- raw ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One picture: RGB uint8, height x width x 3."""

    at: float
    pixels: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Mono samples, float32 in -1..1; `at` is the second of the first sample."""

    at: float
    samples: Samples
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words that a listener typed or sent."""

    at: float
    words: str
    listener: str = ROOM


@dataclass(frozen=True, slots=True)
class Beat:
    """A heart rate in beats per minute and the last intervals between beats in milliseconds."""

    at: float
    bpm: float
    rr_ms: tuple[float, ...] = ()


Raw: TypeAlias = Image | Sound | Sentence | Beat


# -- what a model judges -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """An aligned gray crop (uint8, 48 x 48) of a followed face; `box` is x, y, width, height in pixels.

    `second` is another cut of the same face, judged with the first, in a mirror. `sharpness` is the variance of the
    crop's Laplacian over its own; `turn` is 0 for a frontal head, 1 in profile; `score`, 0..1, is how sure the detector
    is of a face.
    """

    at: float
    pixels: Pixels
    box: tuple[float, float, float, float]
    track: str
    sharpness: float
    turn: float = 0.0
    second: Pixels | None = None
    score: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One stretch of speech, mono float32 in -1..1; `at` is the second of its end.

    `clarity`, 0..1, is how far it stands out of the room and of our own music.
    """

    at: float
    samples: Samples
    rate_hz: int
    clarity: float = 1.0


# -- what follows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector before a network's last layer, as float16 in little-endian bytes.

    `model` is the sha256 of the network's file: vectors of two networks cannot be compared.
    """

    model: str
    vector: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one model says of one person: calibrated scores over EMOTIONS (sum 1) and their reliability, 0..1.

    `embedding` is None where the network has no such output.
    """

    at: float
    modality: Modality
    scores: Scores
    reliability: float
    who: str = ROOM
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in which a listener said what they showed, and what the network made of it: no picture and no sound."""

    who: str
    emotion: Emotion
    modality: Modality
    scores: Scores
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class Label:
    """What all moments of one listener, emotion and sense have in common."""

    who: str
    emotion: Emotion
    modality: Modality

    def fits(self, moment: Moment) -> bool:
        """Whether a moment bears this label."""
        return (moment.who, moment.emotion, moment.modality) == (self.who, self.emotion, self.modality)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Moments of one listener that were labelled apart from what is sensed live."""

    at: float
    moments: tuple[Moment, ...]


Feeling = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "unclear", "absent"]


@dataclass(frozen=True, slots=True)
class Mood:
    """The mood of the room.

    `second` is named where two emotions are close; `confidence` is 0..1; `shares` is each modality's part (sum 1, empty
    when absent); `scores` are the fused scores; `sensed_at` is the newest `at` that contributed.
    """

    at: float
    emotion: Feeling
    second: Emotion | None = None
    valence: float = 0.0
    arousal: float = 0.0
    confidence: float = 0.0
    shares: tuple[tuple[Modality, float], ...] = ()
    scores: tuple[float, ...] = ()
    people: int = 0
    sensed_at: float = 0.0
    utc: datetime | None = None


Strategy = Literal["match", "calm", "lift"]
"""To what end music is chosen; device/strategies.py has the table of what each plays to which emotion."""
Aim = Literal["match", "calm", "lift", "auto"]
"""What people may set: a strategy, or that the listener's taste chooses one each time."""
GENERAL: Final = "general"
"""What they may set for one emotion instead: that the strategy for all counts again."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the music should be: an emotion whose genres fit, and a point of the valence-arousal plane (-1..1 each)."""

    emotion: Emotion
    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class Decision:
    """That the music should change, to what end, and why.

    `target` is where the music should lead; for the strategy "auto" it is that of "match". `who` listens (never
    published); `recent` is the feeling of the decision before; `zone` is the room's time zone.
    """

    at: float
    mood: Mood
    target: Target
    strategy: Aim
    volume_pct: int
    reason: str
    utc: datetime | None = None
    who: str = ROOM
    recent: Feeling = "absent"
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances under which music plays; `local` is the room's time, None while the clock is not trusted."""

    who: str
    emotion: Emotion
    strategy: Strategy
    modality: Modality | None = None
    recent: Feeling = "absent"
    local: datetime | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """A piece of music; valence and arousal are -1..1, `uncertainty` is their standard deviation.

    `instrumental` only where it is known that nobody sings in it. `popularity` is 0..100, None where it is not known.
    `why` tells in one sentence where its place in the plane comes from. `cover` is the https address of its sleeve,
    empty where its file may hold one.
    """

    uri: str
    title: str = ""
    artist: str = ""
    genre: str = ""
    moods: tuple[str, ...] = ()
    duration_s: float = 0.0
    valence: float = 0.0
    arousal: float = 0.0
    uncertainty: float = 1.0
    source: str = ""
    instrumental: bool = False
    popularity: float | None = None
    why: str = ""
    cover: str = ""

    def learnable(self) -> Track:
        """What may be learnt from: of Spotify's tracks only what we looked for, since their terms forbid the rest."""
        return Track("", genre=self.genre, source=self.source) if self.source == "spotify" else self


@dataclass(frozen=True, slots=True)
class Reading:
    """What one piece of evidence says of a track's place: valence and arousal, -1..1, and their standard deviation.

    `why` says what it rests on, in a few words; `source` is its kind: owner, list, mood, genre, sound or words.
    """

    valence: float
    arousal: float
    uncertainty: float
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What music is looked for: one target for each track to come, and the genres, the most wanted first."""

    at: float
    targets: tuple[Target, ...]
    genres: tuple[str, ...]
    utc: datetime | None = None


Chooser = Literal["attune", "listener"]


@dataclass(frozen=True, slots=True)
class Queue:
    """Tracks to play in this order, and why these; `context` is what they were chosen in, None where a person chose."""

    at: float
    tracks: tuple[Track, ...]
    reason: str
    volume_pct: int | None = None
    utc: datetime | None = None
    context: Context | None = None

    @property
    def chosen_by(self) -> Chooser:
        """Whose choice it is."""
        return "listener" if self.context is None else "attune"


@dataclass(frozen=True, slots=True)
class PlayerState:
    """What the player does; `chosen_by` is "listener" when the current track is not one that Attune chose.

    `elapsed_s` is how far into `track` the player was at `at`.
    """

    at: float
    status: Literal["playing", "paused", "stopped", "failed"]
    track: Track | None = None
    volume_pct: int = 0
    device: str = ""
    chosen_by: Chooser = "attune"
    utc: datetime | None = None
    elapsed_s: float = 0.0

    def is_in_track(self) -> bool:
        """Whether a track is under way, playing or paused."""
        return self.track is not None and self.status in ("playing", "paused")

    def goes_on(self, before: PlayerState | None) -> bool:
        """Whether this is the track of before, or as before none, and it was not begun anew or sought back."""
        if before is None:
            return False
        uris = [state.track.uri if state.track and state.is_in_track() else None for state in (before, self)]
        return uris[0] == uris[1] and self.elapsed_s >= before.elapsed_s


ReactionKind = Literal["like", "dislike", "finish", "skip", "choose", "louder", "quieter", "moved"]


@dataclass(frozen=True, slots=True)
class Reaction:
    """How a listener took a track, or how the mood moved under it; `value` is the reward, -1..1.

    Of a track that is Spotify's, `track` holds no more than our own genre and the source.
    """

    at: float
    kind: ReactionKind
    value: float
    track: Track
    context: Context
    utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time from `since`, which belongs to it, until `until`, which does not; None is open.

    As text it is two times of ISO 8601 with their zones and a slash between, or the word EVERYTHING.
    """

    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> Span:
        """The span of a text; raises ValueError with one line for the person who asked."""
        if text == EVERYTHING:
            return cls()
        try:
            since, until = (datetime.fromisoformat(part) for part in text.split("/"))
            if since.astimezone(UTC) < until.astimezone(UTC) and since.tzinfo and until.tzinfo:
                return cls(since, until)
        except (ValueError, OverflowError):
            pass
        raise ValueError(f"give {EVERYTHING}, or two times with their zones, the earlier first: <time>/<time>")

    def __str__(self) -> str:
        return f"{self.since.isoformat()}/{self.until.isoformat()}" if self.since and self.until else EVERYTHING

    def __contains__(self, utc: datetime) -> bool:
        return (self.since is None or self.since <= utc) and (self.until is None or utc < self.until)


Status = Literal["works", "degraded", "muted", "missing"]


ECHO_CANCELLED: Final = "echo cancelled"
"""Part of the name of a microphone that an echo canceller cleans of our own music."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a part of Attune is, in one sentence that says what to do."""

    at: float
    part: str
    status: Status
    message: str = ""
    utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that people changed while Attune runs; the store keeps it over a restart."""

    at: float
    key: str
    value: str
    utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """The wall clock, read in one place only; `synced` is False until the system trusts its clock."""

    at: float
    utc: datetime
    zone: str
    synced: bool


CommandKind = Literal[
    "pause",
    "resume",
    "next",
    "like",
    "dislike",
    "save",
    "volume",
    "camera",
    "microphone",
    "say",
    "strategy",
    "sense",
    "listener",
    "label",
    "unlabel",
    "forget",
    "erase",
    "consent",
    "set",
    "learn_from_everyone",
]


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked for.

    `value`: like and dislike the uri of a track that played, or empty for the one that plays; save the name of the new
    playlist; volume 0..100; camera and microphone "on", "off" or "off" and minutes; learn_from_everyone "on" or "off";
    say the words; strategy an Aim, or for one emotion "<emotion> <Aim>" or "<emotion> general"; sense "all" or a
    modality; listener who is alone here, or ROOM; label an emotion, or an emotion and a modality; unlabel an emotion, a
    modality and whose; forget whose moments and reactions, or EVERYONE; erase a Span; consent "camera" or
    "microphone" and "on" or "off"; set a setting as part.name=value; otherwise empty.
    """

    at: float
    kind: CommandKind
    value: str = ""
    who: str = ROOM


@dataclass(frozen=True, slots=True)
class Control:
    """What the brain tells a part below it to do."""

    target: Literal["camera", "microphone", "voice", "text", "player", "store"]
    action: str
    value: Any = None


Event: TypeAlias = Mood | Decision | Queue | PlayerState | Reaction | Health | Setting
Message: TypeAlias = Estimate | Tick | Command | PlayerState | Queue | Health | Lesson
