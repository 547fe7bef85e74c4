"""Labelled moments of one's own face and voice, by which Attune learns how this person shows a feeling."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as Answer

from companion_web.doors import add_page, visitor
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.pages import go
from companion_web.pages import page as show
from companion_web.room import Room
from companion_web.telling import feelings
from companion_web.uploads import LARGEST_UPLOAD, Upload, all_uploaded
from device.commands import command
from device.ports import Judge
from device.signals import CALIBRATED, EMOTIONS, MOST_MOMENTS, AttuneError, Emotion, Estimate, Lesson, Modality, Moment

ANSWER_S: Final = 30.0
"""Seconds for one file to be judged: a minute of sound takes some 2, a slow board more."""
MOST_FILES: Final = 12
"""Files of one form: more would keep a person waiting for a minute."""
MOST_OF_FILE: Final = 5
"""Moments of one recording: more of the same minute are nearly the same."""


class LessonError(AttuneError):
    """What was sent cannot be learnt from."""


@dataclass(frozen=True)
class Views:
    """What the routes answer, about whoever asks and nobody else; what fails is said on the page."""

    room: Room
    judge: Judge

    def page(self) -> Response:
        return self._page()

    def teach(self) -> Response | Answer:
        """Learn from files; none of them is kept."""
        emotion, sense = request.form.get("emotion", ""), request.form.get("sense", "")
        if emotion not in EMOTIONS or sense not in CALIBRATED:
            return self._page(failed=_("Say which feeling it is, and whether it is your face or your voice."), code=400)
        try:
            files = all_uploaded("files", MOST_FILES)
            if not files:
                raise LessonError(_("Choose a picture or a recording first."))
            moments = [moment for file in files for moment in self._moments(file, emotion, sense)]
            self.room.put(Lesson(self.room.clock(), tuple(moments)))
        except (OverflowError, TimeoutError, CancelledError):
            return self._page(failed=_("Attune is busy; try again in a moment."), code=503)
        except AttuneError as error:
            return self._page(failed=str(error), code=400)
        number = len(moments)
        said = ngettext("%(num)d moment is learnt.", "%(num)d moments are learnt.", number) % {"num": number}
        return go("calibration.page", said=said)

    def label(self) -> Response | Answer:
        """Learn from what is sensed right now; only whoever said "I am here" can mean themselves."""
        if not self._is_here():
            return self._page(failed=_("Say first that you are here, so that Attune knows whom it sees."), code=409)
        return self._order("label", _("Attune learns it, if it saw or heard you in the last seconds."))

    def unlabel(self) -> Response | Answer:
        """Forget what one feeling looked or sounded like."""
        value = f"{request.form.get('label', '')} {visitor().name}"
        return self._order("unlabel", _("That is forgotten."), value)

    def forget(self) -> Response | Answer:
        return self._order("forget", _("All that was learnt of you is forgotten."), visitor().name)

    def _order(self, kind: str, said: str, value: str | None = None) -> Response | Answer:
        given = request.form.get("value", "") if value is None else value
        try:
            self.room.put(command(self.room.clock(), kind, given, visitor().name))
        except ValueError as error:
            return self._page(failed=str(error), code=400)
        except OverflowError:
            return self._page(failed=_("Attune is busy; try again in a moment."), code=503)
        return go("calibration.page", said=said)

    def _moments(self, file: Upload, emotion: Emotion, sense: Modality) -> list[Moment]:
        estimates = self.judge.judge(file.data, sense).result(ANSWER_S)
        if sense == "face" and len({estimate.who for estimate in estimates}) > 1:
            raise LessonError(_("There is more than one face in it: send one that shows you alone."))
        return moments_of(estimates, visitor().name, emotion)

    def _is_here(self) -> bool:
        return bool(visitor().name) and self.room.board.snapshot()["settings"].get("listener") == visitor().name

    def _page(self, failed: str = "", code: int = 200) -> Response:
        who = visitor().name  # asked here: the store's thread knows of no visitor
        counts = self.room.store.ask(lambda database: database.count_moments(who))
        return show(
            "calibration.html",
            failed=failed,
            code=code,
            counts=counts,
            senses=CALIBRATED,
            feelings=[(emotion, feelings()[emotion]) for emotion in EMOTIONS],
            most=MOST_MOMENTS,
            most_files=MOST_FILES,
            is_here=self._is_here(),
        )


def moments_of(estimates: Sequence[Estimate], who: str, emotion: Emotion) -> list[Moment]:
    """The most reliable estimates as moments of a person; raises LessonError where none can be learnt from."""
    usable = sorted((one for one in estimates if one.embedding), key=lambda one: -one.reliability)[:MOST_OF_FILE]
    if not usable:
        raise LessonError(_("The model of that sense cannot be calibrated."))
    return [Moment(who, emotion, one.modality, one.scores, one.embedding) for one in usable if one.embedding]


def section(room: Room) -> Blueprint:
    blueprint = Blueprint("calibration", __name__, url_prefix="/calibration")
    if room.judge is not None:
        views = Views(room, room.judge)
        add_page(blueprint, "", views.page, "listener")
        add_page(blueprint, "/teach", views.teach, "listener", ["POST"], largest_body=LARGEST_UPLOAD)
        for view in (views.label, views.unlabel, views.forget):
            add_page(blueprint, f"/{view.__name__}", view, "listener", ["POST"])
    return blueprint
