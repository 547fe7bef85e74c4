"""What owners do beside the settings: the way to the catalogue and to the accounts, and what lyrics say."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, request

from companion_web import catalogue
from companion_web.doors import add_page
from companion_web.language import gettext as _
from companion_web.pages import page as show
from companion_web.room import Room
from companion_web.telling import feelings
from device.ports import JudgedLyrics
from device.signals import EMOTIONS, AttuneError

LONGEST_LYRICS: Final = 20_000
"""Characters: ten times a long song."""
LYRICS_BODY: Final = 256 * 1024
"""Bytes of a form with such lyrics, each sign of which may take twelve."""
ANSWER_S: Final = 30.0
"""Seconds for lyrics to be judged: with the models to be opened before some 3, on a slow board more."""


@dataclass(frozen=True)
class Lyrics:
    """What the routes about lyrics answer; what fails is said on the page."""

    ask: Callable[[str], Future[JudgedLyrics]]

    def lyrics(self) -> Response:
        return self._lyrics()

    def judge(self) -> Response:
        """What the words of a song say of it; they are kept nowhere."""
        words = request.form.get("words", "").strip()
        if not words:
            return self._lyrics(failed=_("Paste the words of a song first."), code=400)
        if len(words) > LONGEST_LYRICS:
            return self._lyrics(failed=_("That is too long for one song; paste one at a time."), code=400)
        try:
            judged = self.ask(words).result(ANSWER_S)
        except (TimeoutError, CancelledError):
            return self._lyrics(words, failed=_("That takes too long now; try again in a moment."), code=503)
        except OverflowError as error:
            return self._lyrics(words, failed=str(error), code=503)
        except AttuneError as error:
            return self._lyrics(words, failed=str(error), code=500)
        names = (feelings()[emotion] for emotion in EMOTIONS)
        scores = sorted(zip(names, judged.scores, strict=True), key=lambda pair: -pair[1])
        return self._lyrics(words, judged=judged, scores=scores)

    def _lyrics(self, words: str = "", failed: str = "", code: int = 200, **values: Any) -> Response:
        return show("admin_lyrics.html", failed=failed, code=code, words=words, longest=LONGEST_LYRICS, **values)


def page() -> Response:
    return show("admin.html")


def section(room: Room) -> Blueprint:
    blueprint = Blueprint("admin", __name__, url_prefix="/admin")
    add_page(blueprint, "", page, "owner")
    if room.lyrics is not None:
        views = Lyrics(room.lyrics)
        add_page(blueprint, "/lyrics", views.lyrics, "owner")
        add_page(blueprint, "/lyrics", views.judge, "owner", ["POST"], largest_body=LYRICS_BODY)
    if room.tracks is not None and room.editing is not None:
        catalogue.add_pages(blueprint, room.tracks, room.editing)
    return blueprint
