"""The page of the owner's Spotify: connect an account, choose a speaker, see the budget; plain forms, no script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Flask, Response, render_template, request

from companion_web import guard
from device.signals import AttuneError
from device.spotify import Session


@dataclass(frozen=True)
class Views:
    """What the routes answer; what fails is said on the page."""

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
            return self._page(said=f"connected: {self.session.finish(_field('pasted'))}")
        except AttuneError as error:
            return self._page(failed=str(error))

    def back(self) -> str:
        """Where Spotify leads a browser on this machine: the state of the attempt, good once, lets nobody else in."""
        try:
            said = f"connected: {self.session.finish(request.url)}"
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
        return self._after(lambda: self.session.choose(_field("speaker")), "the speaker is chosen")

    def wake(self) -> Response:
        return self._after(self.session.wake, "it is tried again with the next music")

    def forget(self) -> Response:
        return self._after(self.session.forget, "the account is forgotten")

    def _after(self, act: Callable[[], None], said: str) -> Response:
        try:
            act()
        except AttuneError as error:
            return self._page(failed=str(error))
        return self._page(said=said)

    def _page(self, said: str = "", failed: str = "", link: str = "", names: Sequence[str] | None = None) -> Response:
        shown = render_template(
            "spotify.html",
            token=guard.token(),
            status=self.session.status(),
            said=said,
            failed=failed,
            link=link,
            names=names,
        )
        # Under no-referrer a browser sends the forms of a page with "Origin: null", as it would those of a stranger.
        return Response(shown, headers={"Referrer-Policy": "same-origin"})


def add_routes(app: Flask, session: Session) -> None:
    """Serve the page of Spotify under /spotify."""
    views = Views(session)
    app.add_url_rule("/spotify", "spotify", views.page)
    app.add_url_rule("/spotify/back", "spotify_back", views.back)
    for view in (views.begin, views.finish, views.speakers, views.choose, views.wake, views.forget):
        app.add_url_rule(f"/spotify/{view.__name__}", f"spotify_{view.__name__}", view, methods=["POST"])


def _field(name: str) -> str:
    return request.form.get(name, "")
