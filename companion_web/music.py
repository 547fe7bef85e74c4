"""Music: what is queued, a search whose results play when they are tapped, and what plays to which mood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_args

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from companion_web.changes import ask, ask_for
from companion_web.doors import add_page, visitor
from companion_web.language import gettext as _
from companion_web.pages import go
from companion_web.pages import page as show
from companion_web.room import Room
from companion_web.telling import digest_of, title_of
from device.commands import command
from device.music.genres import genres_for
from device.ports import Found
from device.signals import EMOTIONS, GENERAL, ROOM, Aim, AttuneError, ConfigError, Emotion, Queue, Track

T = TypeVar("T")

CHOSEN: Final = "chosen by you"
"""Why a queue plays that somebody tapped; it names nobody."""
MOST: Final = 30
"""Tracks that a search shows."""
LONGEST: Final = 100
"""Signs that are searched."""
ANSWER_S: Final = 4.0
"""Seconds that a page waits for an answer; a search takes 1.5 where Spotify is slow, and some milliseconds else."""


@dataclass(frozen=True)
class Views:
    """What the routes answer; what fails is said on the page."""

    room: Room

    # -- what is queued, and searching ---------------------------------------------------------------------------------

    def page(self) -> Response:
        words = " ".join(request.args.get("q", "").split())[:LONGEST]
        found, failed = self._searched(words)
        return show("music.html", failed=failed, words=words, found=found, longest=LONGEST, **self._queued())

    def queue(self) -> Response:
        """The list of what is queued, for a script; empty (204) where nothing changed since the version that it has."""
        queued = self._queued()
        version = str(queued["version"])
        if request.args.get("version") == version:
            return Response(status=204)
        return Response(render_template("music_queue.html", **queued), headers={"X-Attune-Version": version})

    def play(self) -> Answer:
        """Play what was tapped: a track, or what is queued from a track on."""
        given = _given()
        uri, words = str(given.get("uri", "")), str(given.get("q", ""))
        try:
            tracks = self._queued_from(uri) if given.get("whence") == "queue" else self._known(uri)
            if not tracks:
                return _told("music.page", failed=_("this track is not there any more; search again"), q=words)
            self.room.put(Queue(self.room.clock(), tracks, CHOSEN))
        except (AttuneError, OverflowError, Late) as error:
            return _told("music.page", failed=_why(error), q=words)
        title = title_of(tracks[0].title, tracks[0].uri)
        return _told("music.page", said=_("%(title)s plays now") % {"title": title}, q=words)

    def save(self) -> Answer:
        """Keep what is queued as a playlist of the player's."""
        try:
            order = command(self.room.clock(), "save", str(_given().get("name", "")), visitor().name or ROOM)
            self.room.put(order)
        except (ValueError, OverflowError) as error:
            return _told("music.page", failed=str(error))
        return _told("music.page", said=_("“%(name)s” is being saved") % {"name": order.value})

    def _searched(self, words: str) -> tuple[Found | None, str]:
        if not words:
            return None, ""
        try:
            return self._answer(lambda: self._desk().search(words, MOST)), ""
        except (AttuneError, OverflowError, Late) as error:
            return None, _why(error)

    def _known(self, uri: str) -> tuple[Track, ...]:
        return tuple(self._answer(lambda: self._desk().find([uri])))

    def _desk(self) -> Any:
        if self.room.music is None:
            raise AttuneError(_("this Attune has no music to look into"))
        return self.room.music

    def _answer(self, ask: Callable[[], Future[T]]) -> T:
        """Raises what the desk raises, and Late."""
        return ask().result(ANSWER_S)

    def _queued(self) -> dict[str, Any]:
        version = self.room.board.version  # that of before: what comes meanwhile is told by the next look
        queue, player = self.room.board.music()
        return {"queue": queue, "player": player, "version": version, "title_of": title_of, "cover_of": cover_of}

    def _queued_from(self, uri: str) -> tuple[Track, ...]:
        queue, _player = self.room.board.music()
        tracks = queue.tracks if queue else ()
        return next((tracks[place:] for place, track in enumerate(tracks) if track.uri == uri), ())

    # -- what plays to which mood --------------------------------------------------------------------------------------

    def moods(self) -> Response:
        settings = self.room.config()
        return show(
            "music_moods.html",
            emotions=[(emotion, feelings()[emotion]) for emotion in EMOTIONS],
            aims=aims(),
            general=GENERAL,
            strategy=settings.policy.strategy,
            strategies=settings.policy.strategies,
            genres=self._genres(),
            usual={emotion: _row(emotion) for emotion in EMOTIONS},
        )

    def strategies(self) -> Answer:
        """Set the strategy for all moods and that of single ones, as far as they are others than now."""
        given = _given()
        for name, now in self._strategies().items():
            aim = str(given.get(name, now))
            order, key = (aim, "strategy") if name == "all" else (f"{name} {aim}", f"strategy.{name}")
            if aim != now and (failed := ask(self.room, "strategy", order, key, aim)):
                return _told("music.moods", failed=failed)
        return _told("music.moods", said=_("kept"))

    def genres(self) -> Answer:
        """Set the genres of moods, as far as they are others than now; those of `reset` are the usual ones again."""
        given, now = _given(), self._genres()
        typed = {emotion: " ".join(str(given.get(emotion, now[emotion])).split()) for emotion in EMOTIONS}
        texts = {emotion: text for emotion, text in typed.items() if _row(emotion, text) != now[emotion]}
        if reset := given.get("reset"):
            texts = {emotion: "" for emotion in EMOTIONS if reset in (emotion, "all")}
        try:
            failed = ask_for(self.room, {f"music.genres.{emotion}": text for emotion, text in texts.items()})
        except ConfigError as error:
            failed = str(error)
        return _told("music.moods", failed=failed) if failed else _told("music.moods", said=_("kept"))

    def _strategies(self) -> dict[str, str]:
        policy = self.room.config().policy
        return {"all": policy.strategy} | {emotion: policy.strategies.get(emotion, GENERAL) for emotion in EMOTIONS}

    def _genres(self) -> dict[Emotion, str]:
        chosen = self.room.config().music.genres
        return {emotion: ", ".join(genres_for(emotion, chosen)) for emotion in EMOTIONS}


def section(room: Room) -> Blueprint:
    """The pages of music."""
    views, blueprint = Views(room), Blueprint("music", __name__, url_prefix="/music")
    add_page(blueprint, "", views.page, "guest")
    add_page(blueprint, "/queue", views.queue, "guest")
    add_page(blueprint, "/play", views.play, "guest", methods=["POST"])
    add_page(blueprint, "/save", views.save, "listener", methods=["POST"])
    add_page(blueprint, "/moods", views.moods, "listener")
    add_page(blueprint, "/strategies", views.strategies, "listener", methods=["POST"])
    add_page(blueprint, "/genres", views.genres, "owner", methods=["POST"])
    return blueprint


def cover_of(track: Track) -> str:
    """The address of the picture of a track that is queued."""
    return url_for("now.cover", digest=digest_of(track.uri))


def feelings() -> dict[Emotion, str]:
    """How people say that they feel so."""
    return {
        "angry": _("When I am angry"),
        "disgust": _("When I am disgusted"),
        "fear": _("When I am afraid"),
        "happy": _("When I am happy"),
        "sad": _("When I am sad"),
        "surprise": _("When I am surprised"),
        "neutral": _("When I am calm"),
    }


def aims() -> list[tuple[Aim, str]]:
    """What music may be for, in words."""
    words: dict[Aim, str] = {
        "match": _("match it"),
        "calm": _("calm me"),
        "lift": _("lift me"),
        "auto": _("what I like best"),
    }
    return [(aim, words[aim]) for aim in get_args(Aim)]


def _given() -> Mapping[str, Any]:
    """What a script or a form sent."""
    body = request.get_json(silent=True) if request.is_json else None
    return body if isinstance(body, dict) else request.form


def _told(endpoint: str, said: str = "", failed: str = "", **values: str) -> Answer:
    """To a script what was done, or 400 with what failed; to a browser the page on which it stands."""
    if request.is_json:
        answer = jsonify(said=said) if not failed else jsonify(error=failed)
        answer.status_code = 400 if failed else 200
        return answer
    return go(endpoint, said=said, failed=failed, **{name: value for name, value in values.items() if value})


def _why(error: Exception) -> str:
    return str(error) if not isinstance(error, Late) else _("that takes longer than it should; try again in a moment")


def _row(emotion: Emotion, text: str = "") -> str:
    """The genres of an emotion as they count where somebody typed that; the usual ones for nothing."""
    return ", ".join(genres_for(emotion, {emotion: [genre for genre in text.split(",") if genre.strip()]}))
