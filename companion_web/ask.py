"""Say it, show it, sing it: how one person feels, what music that means, told to them alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as Reply

from companion_web.answers import LASTS_S, Answer, Answers
from companion_web.doors import add_page, visitor
from companion_web.language import gettext as _
from companion_web.login import signed_in
from companion_web.music import CHOSEN
from companion_web.pages import go
from companion_web.pages import page as show
from companion_web.room import Room
from companion_web.telling import senses, title_of
from companion_web.telling_answers import problem, tell
from companion_web.uploads import LARGEST_UPLOAD, UploadError, uploaded
from device.commands import LONGEST_SENTENCE, command
from device.fusion import summary, told_together
from device.signals import ROOM, AttuneError, Estimate, Image, Modality, Mood, Queue

LOOK_S: Final = 5.0
"""Seconds in which a camera gives its next picture: it gives five a second."""
JUDGED_S: Final = 20.0
"""Seconds in which one thing is judged; on a Pi 4 a minute of speech takes some five."""
MUSIC_S: Final = 5.0
ANY: Final = "any"
"""The track to play that nobody chose."""
SENSES: Final[tuple[Modality, ...]] = ("face", "voice", "text")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a sense is to judge; nobody misses the answer to a `spare` one where there is another."""

    sense: Modality
    media: bytes | Image | str
    spare: bool = False


class BusyError(AttuneError):
    """Nobody answers in time."""


class NothingError(AttuneError):
    """There was nothing to judge in what was sent."""


@dataclass(frozen=True)
class Views:
    """What the routes answer."""

    room: Room
    answers: Answers

    def page(self) -> Response:
        return self._page()

    def ask(self) -> Response | Reply:
        """Judge what the form holds; whatever was sent is let go with the request, only the answer is kept."""
        try:
            self.answers.keep(signed_in().get_id(), self._answer(list(self._questions())))
        except UploadError as error:
            return self._page(str(error), 415)
        except NothingError as error:
            return self._page(str(error), 422)
        except (BusyError, OverflowError) as error:
            return self._page(str(error), 503)
        return go("ask.page", _anchor="answer")

    def play(self) -> Response | Reply:
        """Play one of the tracks of the answer."""
        answer = self.answers.get(signed_in().get_id())
        tracks = answer.queue.tracks if answer and answer.queue else ()
        chosen = request.form.get("track", ANY)
        if not tracks or not (chosen == ANY or (chosen.isascii() and chosen.isdigit() and int(chosen) < len(tracks))):
            return self._page(_("That answer is forgotten by now; ask again."), 410)
        track = secrets.choice(tracks) if chosen == ANY else tracks[int(chosen)]
        queue = Queue(self.room.clock(), (track,), CHOSEN)
        return self._put([queue], _("%(title)s plays now") % {"title": title_of(track.title, track.uri)})

    def count(self) -> Response | Reply:
        """Have the answer count for the room, once."""
        answer = self.answers.get(signed_in().get_id())
        if answer is None:
            return self._page(_("That answer is forgotten by now; ask again."), 410)
        if answer.counted:
            return go("ask.page", said=_("It counts for the room already."), _anchor="answer")
        now = self.room.clock()
        estimates = [replace(estimate, at=now, who=ROOM) for estimate in answer.estimates]
        told = self._put(estimates, _("It counts for the room, like a look or a word."))
        if told.status_code < 400:
            self.answers.keep(signed_in().get_id(), replace(answer, counted=True))
        return told

    def forget(self) -> Reply:
        """Forget the answer before its time."""
        self.answers.forget(signed_in().get_id())
        return go("ask.page", said=_("Forgotten."))

    # -- from a form to an answer --------------------------------------------------------------------------------------

    def _questions(self) -> Iterator[Question]:
        """What the form holds, for each sense that it asks for."""
        asked = request.form.getlist("sense") or SENSES
        yield from (question for question in self._held() if question.sense in asked)

    def _held(self) -> Iterator[Question]:
        if "look" in request.form:
            yield Question("face", self._look())
        if shown := uploaded("shown"):
            yield Question("face", shown.data)
            if shown.content == "recording":
                yield Question("voice", shown.data, spare=True)
        if sung := uploaded("sung"):
            yield Question("voice", sung.data)
        if words := request.form.get("words", "").strip():
            yield Question("text", _sentence(words))

    def _look(self) -> Image:
        if self.room.preview is None:
            raise NothingError(_("Attune has no camera here."))
        try:
            return _awaited(self.room.preview.look(), LOOK_S)
        except BusyError:
            raise NothingError(_("The camera gave no picture in time; see Settings.")) from None
        except AttuneError as error:
            raise NothingError(problem(str(error))) from None

    def _answer(self, questions: list[Question]) -> Answer:
        if not questions:
            raise NothingError(_("Say, show or sing something first, and tick its sense."))
        found, problems = self._judged(questions)
        if not found:
            raise NothingError(" ".join(problems))
        now = self.room.clock()
        estimates = tuple(replace(summary(judged), at=now) for judged in found.values())
        mood = replace(told_together(estimates, now), utc=self.room.utc())
        queue, missing = self._music(mood)
        faces = len({estimate.who for estimate in found.get("face", ())})
        return Answer(now, estimates, mood, queue, faces, (*problems, *missing))

    def _judged(self, questions: list[Question]) -> tuple[dict[Modality, list[Estimate]], list[str]]:
        """What each sense says, and what could not be judged; one question after the other, for others ask, too."""
        if self.room.judge is None:
            raise BusyError(_("Attune judges nothing here."))
        found: dict[Modality, list[Estimate]] = {}
        problems: list[str] = []
        for asked in questions:
            try:
                judged = _awaited(self.room.judge.judge(asked.media, asked.sense), JUDGED_S)
                found[asked.sense] = [*found.get(asked.sense, []), *judged]
            except BusyError:
                raise
            except AttuneError as error:
                if not (asked.spare and found):
                    problems.append(f"{senses()[asked.sense]}: {problem(str(error))}.")
        return found, problems

    def _music(self, mood: Mood) -> tuple[Queue | None, list[str]]:
        if self.room.music is None:
            return None, []
        try:
            return _awaited(self.room.music.suggest(mood, visitor().name or ROOM), MUSIC_S), []
        except (AttuneError, OverflowError) as error:
            return None, [str(error)]

    # -- what is told --------------------------------------------------------------------------------------------------

    def _page(self, failed: str = "", code: int = 200) -> Response:
        answer = self.answers.get(signed_in().get_id())
        camera = self.room.board.snapshot()["health"].get("camera", {}).get("status", "")
        return show(
            "ask.html",
            failed=failed,
            code=code,
            longest=LONGEST_SENTENCE,
            largest=LARGEST_UPLOAD,
            camera=camera if self.room.preview else "missing",
            answer=answer,
            told=tell(answer) if answer else None,
            minutes=round(LASTS_S / 60),
        )

    def _put(self, messages: list[Any], said: str) -> Response | Reply:
        try:
            for message in messages:
                self.room.put(message)
        except OverflowError as error:
            return self._page(str(error), 503)
        return go("ask.page", said=said, _anchor="answer")


def section(room: Room) -> Blueprint:
    """The room of the page in which people ask how they feel."""
    views, blueprint = Views(room, Answers(room.clock)), Blueprint("ask", __name__, url_prefix="/feel")
    add_page(blueprint, "", views.page, "guest")
    add_page(blueprint, "", views.ask, "guest", methods=["POST"], largest_body=LARGEST_UPLOAD)
    add_page(blueprint, "/play", views.play, "guest", methods=["POST"])
    add_page(blueprint, "/count", views.count, "guest", methods=["POST"])
    add_page(blueprint, "/forget", views.forget, "guest", methods=["POST"])
    return blueprint


def _sentence(words: str) -> str:
    try:
        return command(0.0, "say", words).value
    except ValueError as error:
        raise NothingError(str(error)) from None


def _awaited(answer: Future[T], limit_s: float) -> T:
    """What is answered in time; raises BusyError where nothing is."""
    try:
        return answer.result(limit_s)
    except (TimeoutError, CancelledError):
        answer.cancel()
        raise BusyError(_("Attune has much to do; try again in a moment.")) from None
