"""The tables, and how events become rows and rows events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import Row
from sqlalchemy.types import TypeDecorator

from device.signals import Context, Decision, Embedding, Moment, Mood, Reaction, Target, Track
from device.store.plays import Play

METADATA: Final = MetaData()


class Utc(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC without a zone: SQLite knows none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


ORDERED: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its code points, which is that of Python and SQLite."""


def _stamp() -> tuple[Column[Any], ...]:
    """Which run saw a row, at which of its monotonic seconds, and the wall time once it is known."""
    return (
        Column("id", Integer, primary_key=True),
        Column("run", String(16), nullable=False),
        Column("at", Float(53), nullable=False),
        Column("utc", Utc, index=True),
    )


MOODS: Final = Table(
    "moods",
    METADATA,
    *_stamp(),
    Column("emotion", String(16), nullable=False),
    Column("second", String(16)),
    Column("valence", Float(53), nullable=False),
    Column("arousal", Float(53), nullable=False),
    Column("confidence", Float(53), nullable=False),
    Column("people", Integer, nullable=False),
    Column("shares", JSON, nullable=False),
    Column("scores", JSON, nullable=False),
)

DECISIONS: Final = Table(
    "decisions",
    METADATA,
    *_stamp(),
    Column("emotion", String(16), nullable=False),
    Column("target", String(16), nullable=False),
    Column("valence", Float(53), nullable=False),
    Column("arousal", Float(53), nullable=False),
    Column("strategy", String(16), nullable=False),
    Column("volume_pct", Integer, nullable=False),
    Column("reason", Text, nullable=False),
)

REACTIONS: Final = Table(
    "reactions",
    METADATA,
    *_stamp(),
    Column("who", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("emotion", String(16), nullable=False),
    Column("strategy", String(16), nullable=False),
    Column("modality", String(16)),
    Column("recent", String(16), nullable=False),
    Column("local", String(40)),
    Column("uri", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False),
    Column("genre", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("valence", Float(53), nullable=False),
    Column("arousal", Float(53), nullable=False),
    Column("uncertainty", Float(53), nullable=False),
    Column("instrumental", Boolean, nullable=False),
)

PLAYS: Final = Table(
    "plays",
    METADATA,
    *_stamp(),
    Column("uri", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False),
    Column("genre", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("valence", Float(53), nullable=False),
    Column("arousal", Float(53), nullable=False),
    Column("heard_s", Float(53), nullable=False),
    Column("emotion", String(16), nullable=False),
    Column("strategy", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("chosen_by", String(16), nullable=False),
)

RUNS: Final = Table("runs", METADATA, Column("run", String(16), primary_key=True), Column("ended_before", Utc))

SETTINGS: Final = Table(
    "settings", METADATA, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False)
)

MOMENTS: Final = Table(
    "moments",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("who", String(64), nullable=False, index=True),
    Column("emotion", String(16), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("scores", JSON, nullable=False),
    Column("model", String(64), nullable=False),
    Column("vector", LargeBinary, nullable=False),
)

TRACKS: Final = Table(
    "tracks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("uri", ORDERED, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False),
    Column("album", Text, nullable=False),
    Column("genre", Text, nullable=False),
    Column("moods", JSON, nullable=False),
    Column("duration_s", Float(53), nullable=False),
    Column("valence", Float(53), nullable=False),
    Column("arousal", Float(53), nullable=False),
    Column("uncertainty", Float(53), nullable=False),
    Column("popularity", Float(53)),
    Column("instrumental", Boolean, nullable=False),
    Column("source", String(16), nullable=False, index=True),
    Column("why", Text, nullable=False),
    Column("song", String(16), nullable=False, index=True),
    Column("stamp", String(48), nullable=False),
    Column("scanned", String(64), nullable=False),
    Column("readings", JSON, nullable=False),
)
Index("ix_tracks_file", TRACKS.c.uri, sqlite_where=TRACKS.c.stamp != "", postgresql_where=TRACKS.c.stamp != "")

KEYS: Final = Table(
    "track_keys",
    METADATA,
    Column("key", String(96), primary_key=True),
    Column("shuffle", Integer, primary_key=True, autoincrement=False),
    Column("track", Integer, primary_key=True, autoincrement=False, index=True),
    sqlite_with_rowid=False,
)
"""What a track is found by, in an order that is random but stays: a range of it is a fair sample."""

ACCOUNTS: Final = Table(
    "accounts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("email", String(254), nullable=False),
    Column("hash", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created", Utc, nullable=False),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("account", String(64), nullable=False, index=True),
    Column("created", Utc, nullable=False),
    Column("seen", Utc, nullable=False),
    Column("expires", Utc, nullable=False),
    Column("device", String(64), nullable=False),
)

INVITATIONS: Final = Table(
    "invitations",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("account", String(64)),
    Column("expires", Utc, nullable=False),
)

EVENTS: Final = (MOODS, DECISIONS, PLAYS, REACTIONS)
"""The tables whose rows bear a time, and are erased when they are old."""


def row_of_mood(mood: Mood) -> dict[str, Any]:
    return {
        "at": mood.at,
        "utc": mood.utc,
        "emotion": mood.emotion,
        "second": mood.second,
        "valence": mood.valence,
        "arousal": mood.arousal,
        "confidence": mood.confidence,
        "people": mood.people,
        "shares": [list(share) for share in mood.shares],
        "scores": list(mood.scores),
    }


def mood_of_row(row: Row[Any]) -> Mood:
    return Mood(
        at=row.at,
        emotion=row.emotion,
        second=row.second,
        valence=row.valence,
        arousal=row.arousal,
        confidence=row.confidence,
        people=row.people,
        shares=tuple((modality, share) for modality, share in row.shares),
        scores=tuple(row.scores),
        sensed_at=row.at,
        utc=row.utc,
    )


def row_of_decision(decision: Decision) -> dict[str, Any]:
    return {
        "at": decision.at,
        "utc": decision.utc,
        "emotion": decision.mood.emotion,
        "target": decision.target.emotion,
        "valence": decision.target.valence,
        "arousal": decision.target.arousal,
        "strategy": decision.strategy,
        "volume_pct": decision.volume_pct,
        "reason": decision.reason,
    }


def decision_of_row(row: Row[Any]) -> Decision:
    """The decision; of its mood only the emotion was kept."""
    mood = Mood(row.at, row.emotion, utc=row.utc)
    target = Target(row.target, row.valence, row.arousal)
    return Decision(row.at, mood, target, row.strategy, row.volume_pct, row.reason, row.utc)


def row_of_play(play: Play) -> dict[str, Any]:
    track = play.track
    return {
        "at": play.at,
        "utc": play.utc,
        "uri": track.uri,
        "title": track.title,
        "artist": track.artist,
        "genre": track.genre,
        "source": track.source,
        "valence": track.valence,
        "arousal": track.arousal,
        "heard_s": play.heard_s,
        "emotion": play.emotion,
        "strategy": play.strategy,
        "reason": play.reason,
        "chosen_by": play.chosen_by,
    }


def play_of_row(row: Row[Any]) -> Play:
    """The entry, with what is kept of its track."""
    track = Track(
        row.uri, row.title, row.artist, row.genre, valence=row.valence, arousal=row.arousal, source=row.source
    )
    return Play(row.at, track, row.heard_s, row.emotion, row.strategy, row.reason, row.chosen_by, row.utc)


def row_of_moment(moment: Moment) -> dict[str, Any]:
    return {
        "who": moment.who,
        "emotion": moment.emotion,
        "modality": moment.modality,
        "scores": list(moment.scores),
        "model": moment.embedding.model,
        "vector": moment.embedding.vector,
    }


def moment_of_row(row: Row[Any]) -> Moment:
    angry, disgust, fear, happy, sad, surprise, neutral = row.scores
    scores = (angry, disgust, fear, happy, sad, surprise, neutral)
    return Moment(row.who, row.emotion, row.modality, scores, Embedding(row.model, row.vector))


def row_of_reaction(reaction: Reaction) -> dict[str, Any]:
    context, track = reaction.context, reaction.track
    return {
        "at": reaction.at,
        "utc": reaction.utc,
        "who": context.who,
        "kind": reaction.kind,
        "value": reaction.value,
        "emotion": context.emotion,
        "strategy": context.strategy,
        "modality": context.modality,
        "recent": context.recent,
        "local": context.local and context.local.isoformat(),
        "uri": track.uri,
        "title": track.title,
        "artist": track.artist,
        "genre": track.genre,
        "source": track.source,
        "valence": track.valence,
        "arousal": track.arousal,
        "uncertainty": track.uncertainty,
        "instrumental": track.instrumental,
    }


def reaction_of_row(row: Row[Any]) -> Reaction:
    """The reaction, with as much of its track as taste looks at."""
    track = Track(
        row.uri,
        row.title,
        row.artist,
        row.genre,
        valence=row.valence,
        arousal=row.arousal,
        uncertainty=row.uncertainty,
        source=row.source,
        instrumental=row.instrumental,
    )
    local = datetime.fromisoformat(row.local) if row.local else None
    context = Context(row.who, row.emotion, row.strategy, row.modality, row.recent, local)
    return Reaction(row.at, row.kind, row.value, track, context, row.utc)
