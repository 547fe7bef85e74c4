"""What a person may do to a server that runs alone: POST /fake/VERB?NAME=VALUE on a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from tests.fakes.spotify.clock import Clock
from tests.fakes.spotify.limits import LONG_WAIT_S
from tests.fakes.spotify.server import SpotifyServer
from tests.fakes.spotify.wire import Answer, Json, Request

Query = Mapping[str, str]

HELP = """\
GET  /fake                                what plays, devices, limits, the latest requests
POST /fake/down?how=503 (or refused)      an outage, until
POST /fake/up
POST /fake/quota?retry_after_s=52531      the developer's budget is spent
POST /fake/throttle?retry_after_s=4       the 30 s limit is reached
POST /fake/limits                         both are as new
POST /fake/premium?owner=no&listener=no   (or yes) who subscribes
POST /fake/revoke                         people removed the app
POST /fake/expire                         access tokens are an hour old
POST /fake/device?name=Kitchen            a device logs in, or in again with a new id
POST /fake/device-gone?name=Kitchen
POST /fake/consent?answer=ask             (or agree, cancel) what people say at /authorize
POST /fake/account?name=other             someone else, new if need be, is signed in at the browser
POST /fake/forward?seconds=60&days=0      time passes
"""


class Control:
    """Answers on the control port; `clock` is the one that the server goes by."""

    def __init__(self, server: SpotifyServer, clock: Clock) -> None:
        self._server, self._state, self._clock = server, server.state, clock
        self._verbs: Mapping[str, Callable[[Query], object]] = {
            "down": lambda query: server.go_down("refused" if query.get("how") == "refused" else "503"),
            "up": lambda _: server.come_up(),
            "quota": lambda query: self._state.limits.spend(float(query.get("retry_after_s", LONG_WAIT_S))),
            "throttle": lambda query: self._state.limits.throttle(float(query.get("retry_after_s", 4))),
            "limits": lambda _: self._state.limits.clear(),
            "premium": self._premium,
            "revoke": lambda _: self._state.revoke(),
            "expire": lambda _: self._state.expire_access(),
            "device": lambda query: self._state.add_device(query["name"]),
            "device-gone": lambda query: self._state.remove_device(query["name"]),
            "consent": self._consent,
            "account": self._account,
            "forward": lambda query: clock.forward(float(query.get("seconds", 0)), float(query.get("days", 0))),
        }

    def answer(self, request: Request) -> Answer:
        """What happened, or how to ask."""
        verb = request.path.removeprefix("/fake").strip("/")
        if request.method == "GET" and not verb:
            return Answer(200, self._told())
        if request.method != "POST" or verb not in self._verbs:
            return Answer(404, HELP)
        try:
            self._verbs[verb](request.query)
        except (KeyError, ValueError) as error:
            return Answer(400, f"{verb}: {error}\n\n{HELP}")
        return Answer(200, self._told())

    def _premium(self, query: Query) -> None:
        said = {who: query[who] == "yes" for who in ("owner", "listener") if who in query}
        self._state.set_premium(**said)

    def _consent(self, query: Query) -> None:
        match query["answer"]:
            case "agree" | "cancel" | "ask" as answer:
                self._state.accounts.consent = answer
            case other:
                raise ValueError(f"answer is agree, cancel or ask, not {other}")

    def _account(self, query: Query) -> None:
        with self._state.lock:
            if query["name"] not in self._state.accounts_by_id:
                self._state.add_account(query["name"])
            self._state.accounts.signed_in = query["name"]

    def _told(self) -> Json:
        state = self._state
        with state.lock:
            track, player = state.playing, state.player
            active = player.active
            return {
                "signed_in": state.account.id,
                "plays": track and f"{track.name} by {track.artist.name}, {player.position_ms // 1_000} s in",
                "active": active and active.name,
                "devices": {device.name: device.id for device in player.devices()},
                "left_today": state.limits.left_today,
                "owner_has_premium": state.owner_has_premium,
                "down": state.down,
                "requests": len(state.seen),
                "latest": [asdict(one) for one in state.seen[-10:]],
            }
