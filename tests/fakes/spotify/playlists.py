"""Endpoints for playlists, whose rows hold an `item` since February 2026."""

from __future__ import annotations

from tests.fakes.spotify.call import Call, checked, utc
from tests.fakes.spotify.shelf import AT_ONCE, Playlist, Row
from tests.fakes.spotify.wire import Answer, Json, refused


def mine(call: Call) -> Answer:
    return Answer(200, call.page(call.account.shelf.playlists, lambda one: described(call, one), 20, 50))


def create(call: Call) -> Answer:
    body = call.request.fields()
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise refused(400, "Missing required field: name")
    playlist = call.account.shelf.create(name, str(body.get("description") or ""), bool(body.get("public", True)))
    return Answer(201, described(call, playlist))


def read(call: Call, playlist_id: str) -> Answer:
    """Of another's playlist, the metadata alone (changelog of February 2026; python-spotify#767)."""
    playlist = _found(call, playlist_id)
    told = described(call, playlist)
    if playlist.owner == call.account.id:
        told["items"] = call.page(playlist.rows, lambda row: _row(call, row), AT_ONCE, AT_ONCE)
    else:
        del told["items"]
    return Answer(200, told)


def items(call: Call, playlist_id: str) -> Answer:
    playlist = _own(call, playlist_id)
    return Answer(200, call.page(playlist.rows, lambda row: _row(call, row), 20, 50))


def add(call: Call, playlist_id: str) -> Answer:
    """`uris` come as a bare list, under that name, or in the query."""
    playlist, body = _own(call, playlist_id), call.request.json()
    uris = body if isinstance(body, list) else body.get("uris") or call.request.query.get("uris", "").split(",")
    position = call.request.query.get("position") if isinstance(body, list) else body.get("position")
    if position is not None and not str(position).isdecimal():
        raise refused(400, "Invalid position")
    playlist.add(checked(uris), call.state.clock(), None if position is None else int(position))
    return Answer(201, {"snapshot_id": playlist.snapshot})


def replace(call: Call, playlist_id: str) -> Answer:
    playlist = _own(call, playlist_id)
    playlist.rows.clear()
    playlist.add(checked(call.request.fields().get("uris")), call.state.clock())
    return Answer(200, {"snapshot_id": playlist.snapshot})


def described(call: Call, playlist: Playlist) -> Json:
    """A playlist with the number of its rows."""
    owner = {"id": playlist.owner, "type": "user", "uri": f"spotify:user:{playlist.owner}"}
    return {
        "id": playlist.id,
        "name": playlist.name,
        "description": playlist.description,
        "type": "playlist",
        "uri": playlist.uri,
        "owner": owner,
        "public": playlist.public,
        "collaborative": False,
        "snapshot_id": playlist.snapshot,
        "images": [],
        "items": {"href": call.request.address(f"/v1/playlists/{playlist.id}/items"), "total": len(playlist.rows)},
    }


def _row(call: Call, row: Row) -> Json:
    """The item is null where the track has left the catalogue."""
    track = call.state.catalogue.track(row.uri)
    return {"added_at": utc(row.added_at), "is_local": False, "item": track and track.full()}


def _found(call: Call, playlist_id: str) -> Playlist:
    """Editorial playlists are not found, like those that do not exist."""
    playlist = call.state.playlist(playlist_id)
    if playlist is None:
        raise refused(404, "Resource not found")
    return playlist


def _own(call: Call, playlist_id: str) -> Playlist:
    playlist = _found(call, playlist_id)
    if playlist.owner != call.account.id:
        raise refused(403, "Forbidden")
    return playlist
