"""Endpoints under /me/player."""

from __future__ import annotations

from tests.fakes.spotify.call import Call, checked
from tests.fakes.spotify.catalogue import Track
from tests.fakes.spotify.player import device_json
from tests.fakes.spotify.wire import NOTHING, Answer, Json, refused, whole

DAY_MS = 86_400_000


def read(call: Call) -> Answer:
    """204 while no device is active."""
    player = call.account.player
    device = player.active
    if device is None:
        return NOTHING
    more = {
        "device": device_json(device, active=True),
        "repeat_state": player.repeat,
        "shuffle_state": player.shuffle,
        "smart_shuffle": False,
    }
    return Answer(200, more | _what_plays(call))


def _what_plays(call: Call) -> Json:
    player = call.account.player
    track, uri = player.current, player.context_uri
    return {
        "timestamp": round(call.state.clock() * 1_000),
        "context": None if uri is None else {"type": uri.split(":")[1], "uri": uri, "external_urls": {}},
        "progress_ms": None if track is None else player.position_ms,
        "item": None if track is None else track.full(),
        "currently_playing_type": "unknown" if track is None else "track",
        "is_playing": player.playing is not None,
        "actions": {"disallows": {}},
    }


def devices(call: Call) -> Answer:
    player = call.account.player
    active = player.active
    return Answer(200, {"devices": [device_json(device, device is active) for device in player.devices()]})


def queue(call: Call) -> Answer:
    player = call.account.player
    track = player.current if player.active else None
    rows = player.upcoming()[:20] if track else []
    return Answer(200, {"currently_playing": track and track.full(), "queue": [row.full() for row in rows]})


def enqueue(call: Call) -> Answer:
    uri = call.request.query.get("uri")
    if uri is None:
        raise refused(400, "Required parameter uri missing")
    call.account.player.enqueue(_device(call), _known(call, [uri])[0])
    return NOTHING


def transfer(call: Call) -> Answer:
    body = call.request.fields()
    wanted = body.get("device_ids")
    if not isinstance(wanted, list) or not wanted:
        raise refused(400, "Missing required field: device_ids")
    if len(wanted) > 1:
        raise refused(400, "Can only specify one device")
    call.account.player.transfer(str(wanted[0]), body.get("play"))
    return NOTHING


def play(call: Call) -> Answer:
    """Play `uris`, or `context_uri`, from `offset` and `position_ms` on; with neither, go on."""
    body = call.request.fields()
    player, device = call.account.player, _device(call)
    position_ms = body.get("position_ms")
    if position_ms is not None and not (isinstance(position_ms, int) and position_ms >= 0):
        raise refused(400, "Invalid position_ms")
    uri = body.get("context_uri")
    if uri is None and "uris" not in body:
        player.resume(device, position_ms)
        return NOTHING
    if uri is not None and "uris" in body:
        raise refused(400, "Can't have offset for context type: both uris and context_uri were given")
    tracks = _known(call, body["uris"]) if uri is None else call.state.tracks_of(str(uri))
    if not tracks:
        raise refused(404, "Resource not found")
    player.play(device, tracks, uri, _first(body.get("offset"), tracks), position_ms or 0)
    return NOTHING


def _first(offset: object, tracks: list[Track] | tuple[Track, ...]) -> int:
    """Which of `tracks` an offset means: by position or by address."""
    match offset:
        case None:
            return 0
        case {"position": int(place)} if 0 <= place < len(tracks):
            return place
        case {"uri": str(uri)}:
            return next((place for place, track in enumerate(tracks) if track.uri == uri), 0)
        case _:
            raise refused(400, "Invalid offset")


def _known(call: Call, uris: object) -> list[Track]:
    """The tracks that still exist; those that were taken out of the catalogue are passed over."""
    if not uris:
        raise refused(400, "Invalid uris")
    tracks = [track for uri in checked(uris) if (track := call.state.catalogue.track(uri)) is not None]
    if not tracks:
        raise refused(404, "Resource not found")
    return tracks


def pause(call: Call) -> Answer:
    call.account.player.pause(_device(call))
    return NOTHING


def next_track(call: Call) -> Answer:
    call.account.player.next(_device(call))
    return NOTHING


def previous(call: Call) -> Answer:
    call.account.player.previous(_device(call))
    return NOTHING


def seek(call: Call) -> Answer:
    call.account.player.seek(_device(call), _number(call, "position_ms", DAY_MS))
    return NOTHING


def volume(call: Call) -> Answer:
    call.account.player.set_volume(_device(call), _number(call, "volume_percent", 100))
    return NOTHING


def shuffle(call: Call) -> Answer:
    on = {"true": True, "false": False}.get(call.request.query.get("state", ""))
    if on is None:
        raise refused(400, "Invalid state")
    call.account.player.set_shuffle(_device(call), on)
    return NOTHING


def repeat(call: Call) -> Answer:
    match call.request.query.get("state"):
        case "off" | "context" | "track" as wanted:
            call.account.player.set_repeat(_device(call), wanted)
        case _:
            raise refused(400, "Invalid repeat state")
    return NOTHING


def _device(call: Call) -> str | None:
    return call.request.query.get("device_id")


def _number(call: Call, name: str, highest: int) -> int:
    text = call.request.query.get(name)
    if text is None:
        raise refused(400, f"Required parameter {name} missing")
    return whole(text, 0, 0, highest, f"Invalid {name}")
