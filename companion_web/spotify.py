"""The page of the owner's Spotify: connect an account, choose a speaker, see the budget; plain forms, no script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request

from companion_web.changes import ask_for
from companion_web.doors import add_page
from companion_web.language import gettext as _
from companion_web.pages import page as show
from companion_web.room import Room
from device.signals import AttuneError
from device.spotify import Session


@dataclass(frozen=True)
class Views:
    """What the routes answer; what fails is said on the page."""

    room: Room
    session: Session

    def page(self) -> Response:
        return self._page()

    def begin(self) -> Response:
        """A link for the person to open."""
        try:
            return self._page(link=self.session.begin(_field("client_id")))
        except AttuneError as error:
            return self._page(failed=str(error))

    def finish(self) -> Response:
        """The address that they paste back."""
        try:
            return self._page(said=self._connected(_field("pasted")))
        except AttuneError as error:
            return self._page(failed=str(error))

    def back(self) -> str:
        """Where Spotify leads a browser on this machine: the state of the attempt, good once, lets nobody else in."""
        try:
            said = self._connected(request.url)
        except AttuneError as error:
            said = str(error)
        return render_template("spotify_back.html", said=said)

    def speakers(self) -> Response:
        """Which speakers the account sees now."""
        try:
            return self._page(names=self.session.speakers())
        except AttuneError as error:
            return self._page(failed=str(error))

    def choose(self) -> Response:
        return self._after(lambda: self.session.choose(_field("speaker")), _("the speaker is chosen"))

    def wake(self) -> Response:
        return self._after(self.session.wake, _("it is tried again with the next music"))

    def use(self) -> Response:
        """Have Spotify be the player."""
        failed = ask_for(self.room, {"music.player": "spotify"})
        return self._page(said="" if failed else _("Spotify is the player now"), failed=failed)

    def forget(self) -> Response:
        return self._after(self.session.forget, _("the account is forgotten"))

    def _connected(self, address: str) -> str:
        return _("connected: %(account)s") % {"account": self.session.finish(address)}

    def _after(self, act: Callable[[], None], said: str) -> Response:
        try:
            act()
        except AttuneError as error:
            return self._page(failed=str(error))
        return self._page(said=said)

    def _page(self, said: str = "", failed: str = "", link: str = "", names: Sequence[str] | None = None) -> Response:
        status, is_used = self.session.status(), self.room.config().music.player == "spotify"
        return show("spotify.html", said=said, failed=failed, status=status, is_used=is_used, link=link, names=names)


def section(room: Room) -> Blueprint:
    """The page of Spotify; without routes where this Attune has none."""
    blueprint = Blueprint("spotify", __name__, url_prefix="/spotify")
    if room.spotify is None:
        return blueprint
    views = Views(room, room.spotify)
    add_page(blueprint, "", views.page, "owner")
    add_page(blueprint, "/back", views.back, "anyone")
    for view in (views.begin, views.finish, views.speakers, views.choose, views.wake, views.use, views.forget):
        add_page(blueprint, f"/{view.__name__}", view, "owner", methods=["POST"])
    return blueprint


def _field(name: str) -> str:
    return request.form.get(name, "")
