"""The catalogue of music as owners see it: they find, edit, add and delete tracks, and take lists in and out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import chain, islice
from typing import Any, Final, TypeVar

from flask import Blueprint, Response, abort, request
from werkzeug.wrappers import Response as Answer

from companion_web.doors import add_page
from companion_web.language import gettext as _
from companion_web.language import ngettext
from companion_web.pages import go
from companion_web.pages import page as show
from device.ports import Editing, Taken
from device.signals import EMOTIONS, AttuneError, Reading
from device.store.catalogue import Entry, Page, Sought, Tracks

T = TypeVar("T")

SHOWN: Final = 50
"""Tracks on one page."""
LARGEST_LIST: Final = 8 * 1024 * 1024
"""Bytes of a list that is taken in here, in memory: some 100,000 tracks, 15 s on two x86 cores."""
MOST_DELETED: Final = 5_000
"""Tracks that one press deletes: a second."""
DELETE_BODY: Final = 512 * 1024
"""Bytes that the uris of a page take: 500 signs each at most, which a form may write as twelve bytes each."""
TRACK_BODY: Final = 64 * 1024
"""Bytes of a form with the five texts and the uri of a track, at 500 signs each."""
LINES: Final = 500
"""Of a list that goes out, in one piece: 100 kB."""
KINDS: Final[Mapping[str, str]] = {"csv": "text/csv", "json": "application/json"}
OWNER: Final = "owner"
"""The source of a reading that an owner gave."""
FIELDS: Final = ("name", "artist", "album", "genre", "mood", "valence", "arousal", "popularity")


@dataclass(frozen=True)
class Views:
    """What the routes answer; what fails is said on the page."""

    opened: Callable[[], Tracks]
    editing: Editing

    # -- looking -------------------------------------------------------------------------------------------------------

    def catalogue(self) -> Response:
        """One page of what is sought, all of it by the address, so that it can be kept and gone back to."""
        return self._catalogue(*self._ask(lambda tracks: (_page_of(tracks), tracks.count())))

    def track(self) -> Response:
        return self._track(self._known(request.args.get("uri", "")))

    def new(self) -> Response:
        return show("admin_track.html", entry=None, row=_given(request.args), emotions=EMOTIONS)

    def give(self, kind: str) -> Response:
        """The whole catalogue as a list, as it is read."""
        if kind not in KINDS:
            abort(404, _("Lists are CSV or JSON."))
        lines = self.editing.give(kind)
        first = "".join(islice(lines, LINES))  # a database that cannot be read is told before the list begins
        rest = iter(lambda: "".join(islice(lines, LINES)), "")
        name = f'attachment; filename="attune-tracks.{kind}"'
        return Response(chain([first], rest), mimetype=KINDS[kind], headers={"Content-Disposition": name})

    # -- changing ------------------------------------------------------------------------------------------------------

    def change(self) -> Response | Answer:
        entry = self._known(request.form.get("uri", ""))
        row = _given(request.form)
        if request.form.get("seen") != seal(entry):
            told = _("This track has changed since you opened it. Look at it again before you save.")
            return self._track(entry, failed=told, code=409)
        try:
            self.editing.change(entry.track.uri, row)
        except AttuneError as error:
            return self._track(entry, row, failed=str(error), code=400)
        return go("admin.track", said=_("Saved."), uri=entry.track.uri)

    def add(self) -> Response | Answer:
        row = _given(request.form) | {"uri": request.form.get("uri", "").strip()}
        try:
            uri = self.editing.add(row)
        except AttuneError as error:
            return show("admin_track.html", failed=str(error), code=400, entry=None, row=row, emotions=EMOTIONS)
        return go("admin.track", said=_("Added."), uri=uri)

    def delete(self) -> Response | Answer:
        """Ask first; delete what was chosen, or what is sought, once somebody is sure."""
        sought = _sought(request.form)
        everything = "all" in request.form
        uris = self._ask(lambda tracks: tracks.matching(sought, MOST_DELETED)) if everything else _chosen()
        if "sure" not in request.form and uris:
            some = self._ask(lambda tracks: tracks.get(uris[:5]))
            tracks = [entry.track for entry in some.values()]
            chosen = [] if everything else uris
            return show("admin_delete.html", number=len(uris), some=tracks, uris=chosen, sought=_told(sought))
        self._ask(lambda tracks: tracks.remove(uris))
        said = ngettext("%(num)d track is deleted.", "%(num)d tracks are deleted.", len(uris)) % {"num": len(uris)}
        return go("admin.catalogue", said=said if uris else "", failed="" if uris else _("Choose tracks first."))

    def take(self) -> Response:
        """Take a list in, from memory."""
        file = request.files.get("list")
        data = file.stream.read() if file else b""
        if not data:
            return self._after_list(failed=_("Choose a file first: CSV or JSON, with a column name or uri."))
        try:
            return self._after_list(taken=self.editing.take(BytesIO(data), _("The list")))
        except AttuneError as error:
            return self._after_list(failed=str(error))

    # ------------------------------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Tracks], T]) -> T:
        with closing(self.opened()) as tracks:
            return question(tracks)

    def _known(self, uri: str) -> Entry:
        entry = self._ask(lambda tracks: tracks.get([uri])).get(uri)
        if entry is None:
            abort(404, _("There is no such track in the catalogue any more."))
        return entry

    def _after_list(self, failed: str = "", taken: Taken | None = None) -> Response:
        """The first page after a list was taken or refused."""
        found, counts = self._ask(lambda tracks: (tracks.page(Sought(), SHOWN), tracks.count()))
        return self._catalogue(found, counts, failed, taken)

    def _catalogue(
        self, found: Page, counts: Mapping[str, int], failed: str = "", taken: Taken | None = None
    ) -> Response:
        return show(
            "admin_catalogue.html",
            failed=failed,
            code=400 if failed else 200,
            found=found,
            counts=counts,
            sought=_told(_sought(request.args)),
            taken=taken,
            most_deleted=MOST_DELETED,
            largest_mb=LARGEST_LIST >> 20,
            emotions=EMOTIONS,
            named=named,
        )

    def _track(self, entry: Entry, row: Mapping[str, str] | None = None, failed: str = "", code: int = 200) -> Response:
        return show(
            "admin_track.html",
            failed=failed,
            code=code,
            entry=entry,
            row=row or row_of(entry),
            seen=seal(entry),
            emotions=EMOTIONS,
            named=named,
        )


def add_pages(blueprint: Blueprint, opened: Callable[[], Tracks], editing: Editing) -> None:
    """Add the catalogue to the owners' section."""
    views = Views(opened, editing)
    add_page(blueprint, "/catalogue", views.catalogue, "owner")
    add_page(blueprint, "/catalogue/track", views.track, "owner")
    add_page(blueprint, "/catalogue/track", views.change, "owner", ["POST"], largest_body=TRACK_BODY)
    add_page(blueprint, "/catalogue/new", views.new, "owner")
    add_page(blueprint, "/catalogue/new", views.add, "owner", ["POST"], largest_body=TRACK_BODY)
    add_page(blueprint, "/catalogue/delete", views.delete, "owner", ["POST"], largest_body=DELETE_BODY)
    add_page(blueprint, "/catalogue/import", views.take, "owner", ["POST"], largest_body=LARGEST_LIST)
    add_page(blueprint, "/catalogue/attune-tracks.<kind>", views.give, "owner")


def row_of(entry: Entry) -> dict[str, str]:
    """What the form of a track shows: the place only where an owner gave it."""
    track, owned = entry.track, owners(entry)
    return {
        "name": track.title,
        "artist": track.artist,
        "album": entry.album,
        "genre": track.genre,
        "mood": "; ".join(track.moods),
        "valence": f"{owned.valence:g}" if owned else "",
        "arousal": f"{owned.arousal:g}" if owned else "",
        "popularity": "" if track.popularity is None else f"{track.popularity:g}",
    }


def owners(entry: Entry) -> Reading | None:
    """What an owner said of the track's place."""
    return next((reading for reading in entry.readings if reading.source == OWNER), None)


def named(source: str) -> str:
    """Where a track comes from, in words."""
    names = {
        "folder": _("music folder"),
        "list": _("a list"),
        "owner": _("added by hand"),
        "spotify": "Spotify",
        "broken": _("cannot be played"),
        "gone": _("file not there now"),
    }
    return names.get(source, source)


def seal(entry: Entry) -> str:
    """The same for an entry that has not changed: of two owners the second sees what the first one did."""
    return hashlib.blake2b(repr(entry).encode(), digest_size=12).hexdigest()


def _page_of(tracks: Tracks) -> Page:
    return tracks.page(_sought(request.args), SHOWN, below=_number("below"), above=_number("above"))


def _number(name: str) -> int | None:
    """A number of a row in the address, None for none; whoever makes one up gets some page."""
    number = request.args.get(name, type=int)
    return None if number is None else max(0, min(number, _MOST))


_MOST: Final = 1 << 62


def _sought(given: Mapping[str, Any]) -> Sought:
    return Sought(**{name: str(given.get(name, "")).strip()[:100] for name in Sought.__dataclass_fields__})


def _told(sought: Sought) -> dict[str, str]:
    """What is sought, as an address or a form tells it again."""
    return {name: words for name, words in asdict(sought).items() if words}


def _given(form: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(form.get(name, "")).strip() for name in FIELDS}


def _chosen() -> list[str]:
    return list(dict.fromkeys(request.form.getlist("chosen")))[:MOST_DELETED]
