"""The one gate through which every request to Spotify goes: consent, daily budget, rests, and what refusals mean."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from device.config import Spotify
from device.signals import Status as Condition
from device.spotify import ledger as ledgers
from device.spotify import signin
from device.spotify.errors import NoDeviceError, PointlessError, SignInError, SpotifyError
from device.spotify.kept import Grant, Kept, Safe
from device.spotify.ledger import LONGEST_REST, Ledger

log = logging.getLogger(__name__)

T = TypeVar("T")

THROTTLED: Final = timedelta(seconds=30)
"""Rest after a 429 that names none: Spotify counts requests over 30 s (its guide on rate limits)."""

FIRST_AWAY: Final = timedelta(seconds=30)
LONGEST_AWAY: Final = timedelta(minutes=15)
"""Rests while Spotify is down double from the first to the longest: a day without it costs about 100 attempts."""

NOT_ALLOWED: Final = timedelta(minutes=15)
"""Rest after a refusal that only people can mend; `wake` ends it."""


@dataclass(frozen=True)
class Status:
    """What people want to know; dates are UTC."""

    client_id: str
    redirect: str
    speaker: str
    account: str
    consented: date | None
    reconnect_by: date | None
    requests_today: int
    requests_per_day: int
    condition: Condition
    message: str
    """How it is, and what to do."""


class Session:
    """The owner's Spotify; for use by any thread, one request at a time.

    `ask` never sleeps: while Spotify rests it raises SpotifyError at once. `now` gives the UTC time, `clock` monotonic
    seconds. What is kept lies in `folder`.
    """

    def __init__(
        self,
        settings: Spotify,
        folder: Path,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.now = now
        self._clock = clock
        self._folder = folder
        self._safe = Safe(folder)
        self._lock = threading.RLock()
        self._unsaved: Ledger | None = None
        self._away = FIRST_AWAY
        self._attempt: signin.Attempt | None = None
        self._client: Any = None

    # -- connecting an account -----------------------------------------------------------------------------------------

    def begin(self, client_id: str = "") -> str:
        """The address that a person opens to agree; the client id is kept. Raises SignInError."""
        chosen = client_id.strip() or self._client_id(self._safe.get())
        self._attempt = signin.begin(self.settings, chosen, self._clock())
        if client_id.strip():
            self._safe.put(msgspec.structs.replace(self._safe.get(), client_id=chosen))
        return self._attempt.address

    def finish(self, pasted: str) -> str:
        """Connect the account that agreed; who it is. Raises SignInError or SpotifyError, saying what to do.

        `pasted` is the address to which Spotify led. An attempt is good once.
        """
        attempt = self._attempt
        code = self._spent(signin.code_of, pasted, attempt, self._clock())
        with self._lock:
            grant = signin.exchange(attempt, code, self.now())  # type: ignore[arg-type]  # code_of refuses None
            self._safe.put(msgspec.structs.replace(self._safe.get(), grant=grant, ended=""))
            self.wake()
            name = self.ask(_name)
            kept = self._safe.get()
            if kept.grant:
                self._safe.put(msgspec.structs.replace(kept, grant=msgspec.structs.replace(kept.grant, account=name)))
        log.info("spotify: connected; reconnect by %s", grant.reconnect_by.date())
        return name

    def _spent(self, code_of: Callable[..., str], pasted: str, attempt: signin.Attempt | None, at: float) -> str:
        """The code; a state that came back is used up, whatever came with it."""
        try:
            code = code_of(pasted, attempt, at)
        except SignInError:
            if attempt is not None and attempt.state in pasted:
                self._attempt = None
            raise
        self._attempt = None
        return code

    def forget(self) -> None:
        """Delete all that is kept of the account, as Spotify's terms ask when people disconnect."""
        with self._lock:
            kept = self._safe.get()
            self._safe.put(msgspec.structs.replace(kept, grant=None, ended=""))
            self._attempt = None

    def choose(self, speaker: str) -> None:
        """Keep which speaker is to play; empty for the one of the settings."""
        self._safe.put(msgspec.structs.replace(self._safe.get(), speaker=speaker.strip()))

    def speakers(self) -> list[str]:
        """Names of the speakers that the account sees now; one request. Raises SpotifyError."""
        return self.ask(lambda api: [str(device["name"]) for device in api.devices()["devices"]], urgent=True)

    @property
    def speaker(self) -> str:
        """Name of the speaker that was chosen, empty for any."""
        return self._safe.get().speaker or self.settings.speaker

    # -- requests ------------------------------------------------------------------------------------------------------

    def ask(self, order: Callable[[Any], T], urgent: bool = False) -> T:
        """What Spotify answers to one request, made by `order` with a spotipy client.

        One that is `urgent`, such as a pause, is made though the day's budget is spent.
        Raises SpotifyError, saying what to do: NoDeviceError and PointlessError for what only this order met.
        """
        with self._lock:
            self.check(urgent)
            try:
                return self._sent(order, self._fresh(self._grant()))
            except _RefusedTokenError:  # the clock was wrong, or the token was withdrawn
                fresh = self._refreshed(self._grant())
            try:
                return self._sent(order, fresh)
            except _RefusedTokenError as error:
                raise self._forbidden("Spotify does not take its own token: connect the account again") from error

    def check(self, urgent: bool = False) -> None:
        """Raises SpotifyError where Spotify cannot be asked now; makes no request."""
        if closed := self._closed(self._ledger(), self.now(), urgent):
            raise SpotifyError(closed)
        self._grant()
        signin.need_spotipy()

    def rest(self, seconds: float, why: str) -> None:
        """Ask nothing for a while, for a reason that people can mend: a speaker that is not there."""
        with self._lock:
            if not self._ledger().resting(self.now()):
                self._rest(self._ledger(), self.now() + timedelta(seconds=seconds), why, final=False)

    def wake(self) -> None:
        """End a rest, unless Spotify itself or the budget asked for it."""
        with self._lock:
            ledger = self._ledger()
            if ledger.rest_until is not None and not ledger.final:
                self._save(ledger.awake())

    def status(self) -> Status:
        """How it is; makes no request."""
        kept, now = self._safe.get(), self.now()
        grant, ledger = kept.grant, self._ledger()
        condition, message = self._condition(kept, ledger, now)
        return Status(
            client_id=self._client_id(kept),
            redirect=self.settings.redirect,
            speaker=self.speaker,
            account=(grant.account or "connected") if grant else "",
            consented=grant.consented_at.date() if grant else None,
            reconnect_by=grant.reconnect_by.date() if grant else None,
            requests_today=ledger.today(now),
            requests_per_day=self.settings.requests_per_day,
            condition=condition,
            message=message,
        )

    def _condition(self, kept: Kept, ledger: Ledger, now: datetime) -> tuple[Condition, str]:
        if kept.grant is None:
            return "missing", self._unconnected(kept)
        if closed := self._closed(ledger, now):
            return "degraded", closed
        by = f"{kept.grant.reconnect_by:%d %B %Y}"
        if kept.grant.consented_at > now + timedelta(days=1):
            return (
                "works",
                f"connected on {kept.grant.consented_at:%d %B %Y}, which is yet to come: is the clock right?",
            )
        if now >= kept.grant.reconnect_by:
            return "degraded", f"connect the account again: the consent ended on {by}, unless this clock is wrong"
        if now >= kept.grant.warned_from:
            return "degraded", f"reconnect by {by}: Spotify ends every consent after six months"
        return "works", f"reconnect by {by}"

    def _closed(self, ledger: Ledger, now: datetime, urgent: bool = False) -> str:
        """Why Spotify may not be asked now, empty where it may."""
        if ledger.resting(now):
            return _rests(ledger)
        if ledger.today(now) >= self.settings.requests_per_day and not urgent:
            spent = f"all {self.settings.requests_per_day} requests of the day are made"
            return f"Spotify is not asked until 00:00 UTC: {spent} ([spotify] requests_per_day)"
        return ""

    def _unconnected(self, kept: Kept) -> str:
        how = "open Spotify on the page, or run `attune spotify connect`"
        if kept.ended:
            return f"{kept.ended}: {how}"
        if not self._client_id(kept):
            return f"Spotify is not set up: {how}; docs/spotify.md begins with the app that it needs"
        return f"no account is connected: {how}"

    def _client_id(self, kept: Kept) -> str:
        return kept.client_id or self.settings.client_id

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _grant(self) -> Grant:
        kept = self._safe.get()
        if kept.grant is None:
            raise SpotifyError(self._unconnected(kept))
        return kept.grant

    def _fresh(self, grant: Grant) -> Grant:
        return grant if signin.is_fresh(grant, self.now()) else self._refreshed(grant)

    def _refreshed(self, grant: Grant) -> Grant:
        try:
            fresh = signin.refresh(self.settings, grant, self.now())
        except SignInError as error:
            self._safe.put(msgspec.structs.replace(self._safe.get(), grant=None, ended=str(error)))
            raise SpotifyError(str(error)) from error
        except SpotifyError as error:
            self._is_away(str(error))
            raise
        self._safe.put(msgspec.structs.replace(self._safe.get(), grant=fresh))
        return fresh

    # -- the request and its refusals ----------------------------------------------------------------------------------

    def _sent(self, order: Callable[[Any], T], grant: Grant) -> T:
        self._save(self._ledger().spend(self.now()))
        with self._refusals():
            answer = order(self._api(grant))
        self._away = FIRST_AWAY
        return answer

    def _api(self, grant: Grant) -> Any:
        import spotipy

        if self._client is None:
            # No retries: spotipy would sleep through a Retry-After of hours. An empty list would mean its default one.
            self._client = spotipy.Spotify(retries=0, status_forcelist=(599,), requests_timeout=signin.TIMEOUT_S)
            self._client.prefix = self.settings.api
        self._client.set_auth(grant.access_token)
        return self._client

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        import requests
        import spotipy

        try:
            yield
        except spotipy.SpotifyException as error:
            raise self._refused(error) from error
        except (requests.RequestException, KeyError, TypeError, ValueError) as error:
            self._is_away(signin.away(error))
            raise SpotifyError(signin.away(error)) from error

    def _refused(self, error: Any) -> Exception:
        status, said = int(error.http_status), str(error.msg).rpartition(":\n ")[2]
        match status, error.reason:
            case 401, _:
                return _RefusedTokenError(said)
            case 429, _:
                return self._throttled(error)
            case 404, _:
                return NoDeviceError(f"Spotify finds nothing to play on, or nothing to play ({said})")
            case 403, "PREMIUM_REQUIRED":
                return self._forbidden("this account has no Premium, without which Spotify lets nothing be played")
            case 403, "VOLUME_CONTROL_DISALLOW":
                return PointlessError("the volume of this speaker cannot be set from here")
            case 403, _ if "Restriction violated" in said:
                return PointlessError("Spotify would not do this now")
            case 403, _ if "premium" in said.lower():
                return self._forbidden(
                    "the owner of the app has no Premium: Spotify answers again some hours after it was renewed"
                )
            case 403, _ if "registered" in said or "dashboard" in said:
                return self._forbidden(
                    "this account is not among the users of the app: add it at developer.spotify.com/dashboard, "
                    "or connect another"
                )
            case 403, _ if "scope" in said:
                return self._forbidden("the consent does not cover this: connect the account again")
            case _ if status >= 500:
                message = f"Spotify is out of order ({status}); it is tried again by itself"
                self._is_away(message)
                return SpotifyError(message)
        return SpotifyError(f"Spotify refuses ({status}): {said}")

    def _throttled(self, error: Any) -> SpotifyError:
        try:
            asked = timedelta(seconds=float(error.headers.get("Retry-After", "")))
        except ValueError:
            asked = THROTTLED
        why = (
            "the requests that it grants are used up" if error.reason == "QUOTA_EXCEEDED" else "it was asked too often"
        )
        self._rest(self._ledger(), self.now() + min(asked, LONGEST_REST), why)
        return SpotifyError(_rests(self._ledger()))

    def _forbidden(self, why: str) -> SpotifyError:
        self._rest(self._ledger(), self.now() + NOT_ALLOWED, why, final=False)
        return SpotifyError(why)

    def _is_away(self, why: str) -> None:
        self._rest(self._ledger(), self.now() + self._away, why, final=False)
        self._away = min(LONGEST_AWAY, 2 * self._away)

    # -- the ledger ----------------------------------------------------------------------------------------------------

    def _rest(self, ledger: Ledger, until: datetime, why: str, final: bool = True) -> None:
        self._save(ledger.rest(until, why, final))

    def _ledger(self) -> Ledger:
        return self._unsaved or ledgers.load(self._folder)

    def _save(self, ledger: Ledger) -> None:
        try:
            ledgers.save(self._folder, ledger)
            self._unsaved = None
        except SpotifyError as error:
            if self._unsaved is None:
                log.warning("spotify: %s; until then a restart forgets the requests of today", error)
            self._unsaved = ledger


class _RefusedTokenError(SpotifyError):
    """401: the access token is not taken."""


def _name(api: Any) -> str:
    """How Spotify shows the account; their id where they gave no name."""
    me = api.me()
    return str(me.get("display_name") or me["id"])


def _rests(ledger: Ledger) -> str:
    return f"Spotify is not asked until {ledger.rest_until:%H:%M} UTC: {ledger.why}"
