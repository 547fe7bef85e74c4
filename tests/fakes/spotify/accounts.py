"""The accounts service: consent by PKCE, codes, and the tokens that come of them."""

from __future__ import annotations

import base64
import calendar
import hashlib
import html
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes.spotify.wire import Answer, Json, RefusedError, Request, oauth_refused, refused

ACCESS_S: Final = 3_600
CODE_S: Final = 600.0
REFRESH_MONTHS: Final = 6
"""A refresh token's life from the consent on, however often it is used (Spotify's blog, 2026-06-18)."""

SCOPES: Final = frozenset(
    {
        "ugc-image-upload",
        "user-read-playback-state",
        "user-modify-playback-state",
        "user-read-currently-playing",
        "app-remote-control",
        "streaming",
        "playlist-read-private",
        "playlist-read-collaborative",
        "playlist-modify-private",
        "playlist-modify-public",
        "user-follow-modify",
        "user-follow-read",
        "user-read-playback-position",
        "user-top-read",
        "user-read-recently-played",
        "user-library-modify",
        "user-library-read",
        "user-read-email",
        "user-read-private",
    }
)

Consent = Literal["agree", "cancel", "ask"]


@dataclass(frozen=True)
class App:
    """An entry of the developer's dashboard; no redirect listed means any that the rules allow."""

    client_id: str
    redirects: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Code:
    client_id: str
    redirect: str
    challenge: str
    scope: str
    account: str
    issued_at: float


@dataclass(frozen=True)
class Grant:
    """One consent of one account, of which refresh and access tokens come."""

    client_id: str
    account: str
    scope: str
    consented_at: float


@dataclass(frozen=True)
class Access:
    grant: Grant
    expires_at: float

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.grant.scope.split())


@dataclass
class Accounts:
    """Who may log in and what was given out. `consent` is what the person at the browser does, as `signed_in`."""

    clock: Callable[[], float]
    signed_in: str
    apps: dict[str, App] = field(default_factory=dict)
    consent: Consent = "agree"
    rotates: bool = False
    """Whether a refresh brings a new refresh token, which ends the old one. Today it usually does not."""
    _codes: dict[str, _Code] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _revoked: set[str] = field(default_factory=set)
    _access: dict[str, Access] = field(default_factory=dict)

    def authorize(self, request: Request) -> Answer:
        """GET /authorize: back to the app with a code or an error, or a page that says what the app did wrong."""
        query = request.query
        redirect = self._checked_redirect(query)
        if query.get("response_type") != "code":
            # The implicit grant ended on 27 November 2025.
            return self._back(redirect, query, error="unsupported_response_type")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise _page("code_challenge_method must be S256")
        if not SCOPES.issuperset(query.get("scope", "").split()):
            raise _page("INVALID_SCOPE: Invalid scope")
        answer = query.get("fake_answer", self.consent)
        if answer == "ask":
            return Answer(200, self._question(query))
        if answer != "agree":
            return self._back(redirect, query, error="access_denied")
        code = secrets.token_urlsafe(48)
        self._codes[code] = _Code(
            query["client_id"], redirect, query["code_challenge"], query.get("scope", ""), self.signed_in, self.clock()
        )
        return self._back(redirect, query, code=code)

    def token(self, request: Request) -> Answer:
        """POST /api/token: tokens for a code and its verifier, or a new access token for a refresh token."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if form.get("client_id") not in self.apps:
            raise oauth_refused("invalid_client", "Invalid client")
        match form.get("grant_type"):
            case "authorization_code":
                return Answer(200, self._exchange(form))
            case "refresh_token":
                return Answer(200, self._renew(form))
            case None:
                raise oauth_refused("unsupported_grant_type", "grant_type parameter is missing")
            case _:
                # An app that has no secret, which is what PKCE is for, may ask for no others.
                raise oauth_refused("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    def check(self, authorization: str) -> Access:
        """The access that a request's header stands for; 400 or 401 where it stands for none."""
        if not authorization:
            raise refused(401, "No token provided")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise refused(400, "Only valid bearer authentication supported")
        access = self._access.get(token)
        if access is None:
            raise refused(401, "Invalid access token")
        if self.clock() >= access.expires_at:
            raise refused(401, "The access token expired")
        return access

    def log_in(self, scope: str = " ".join(sorted(SCOPES)), client_id: str | None = None) -> Json:
        """What the token endpoint would answer after a consent, without a browser; for tests of something else."""
        return self._tokens(Grant(client_id or next(iter(self.apps)), self.signed_in, scope, self.clock()))

    def revoke(self) -> None:
        """People removed the app from their accounts: no refresh works; access tokens still run out by themselves."""
        self._revoked.update(self._refresh)

    def expire_access(self) -> None:
        """End the hour of all access tokens."""
        self._access = {token: replace(access, expires_at=self.clock()) for token, access in self._access.items()}

    def _exchange(self, form: Mapping[str, str]) -> Json:
        # A code is spent by the attempt, so that it cannot be tried with another verifier.
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != form["client_id"]:
            raise oauth_refused("invalid_grant", "Invalid authorization code")
        if self.clock() - code.issued_at > CODE_S:
            raise oauth_refused("invalid_grant", "Authorization code expired")
        if form.get("redirect_uri") != code.redirect:
            raise oauth_refused("invalid_grant", "Invalid redirect URI")
        if not form.get("code_verifier"):
            raise oauth_refused("invalid_request", "code_verifier required")
        if challenge_of(form["code_verifier"]) != code.challenge:
            raise oauth_refused("invalid_grant", "code_verifier was incorrect")
        return self._tokens(Grant(code.client_id, code.account, code.scope, self.clock()))

    def _renew(self, form: Mapping[str, str]) -> Json:
        token = form.get("refresh_token", "")
        grant = self._refresh.get(token)
        if grant is None:
            raise oauth_refused("invalid_grant", "Invalid refresh token")
        if token in self._revoked:
            raise oauth_refused("invalid_grant", "Refresh token revoked")
        if self.clock() >= after_months(grant.consented_at, REFRESH_MONTHS):
            raise oauth_refused("invalid_grant", "Refresh token expired")
        if grant.client_id != form["client_id"]:
            raise oauth_refused("invalid_client", "Invalid client")
        if not self.rotates:
            return self._access_token(grant)
        self._revoked.add(token)
        return self._tokens(grant)

    def _tokens(self, grant: Grant) -> Json:
        refresh = secrets.token_urlsafe(96)
        self._refresh[refresh] = grant
        return self._access_token(grant) | {"refresh_token": refresh}

    def _access_token(self, grant: Grant) -> Json:
        token = secrets.token_urlsafe(96)
        self._access[token] = Access(grant, self.clock() + ACCESS_S)
        return {"access_token": token, "token_type": "Bearer", "expires_in": ACCESS_S, "scope": grant.scope}

    def _checked_redirect(self, query: Mapping[str, str]) -> str:
        app = self.apps.get(query.get("client_id", ""))
        if app is None:
            raise _page("INVALID_CLIENT: Invalid client")
        redirect = query.get("redirect_uri", "")
        try:
            known = not app.redirects or any(_same(redirect, listed) for listed in app.redirects)
            allowed = allowed_redirect(redirect)
        except ValueError:  # "http://[::1" and the like
            known = allowed = False
        if not redirect or not known:
            raise _page("INVALID_CLIENT: Invalid redirect URI")
        if not allowed:
            raise _page("INVALID_CLIENT: Insecure redirect URI")
        return redirect

    def _back(self, redirect: str, query: Mapping[str, str], **told: str) -> Answer:
        if "state" in query:
            told["state"] = query["state"]
        joint = "&" if urlsplit(redirect).query else "?"
        return Answer(302, "", {"Location": f"{redirect}{joint}{urlencode(told)}"})

    def _question(self, query: Mapping[str, str]) -> str:
        links = (
            f'<p><a href="/authorize?{html.escape(urlencode({**query, "fake_answer": answer}))}">{text}</a></p>'
            for answer, text in (("agree", "Agree"), ("cancel", "Cancel"))
        )
        who, scope = html.escape(self.signed_in), html.escape(query.get("scope", ""))
        return f"<!doctype html><title>A made-up Spotify</title><p>You are {who}.<p>Asked for: {scope}{''.join(links)}"


def allowed_redirect(redirect: str) -> bool:
    """The rules since 27 November 2025: https, a scheme of the app's own, or http to a loopback address by number.

    `localhost` is refused with https too (Rigellute/spotify-tui#1155).
    """
    parts = urlsplit(redirect)
    if not parts.scheme or parts.hostname == "localhost":
        return False
    return parts.scheme != "http" or parts.hostname in ("127.0.0.1", "::1")


def challenge_of(verifier: str) -> str:
    """RFC 7636's S256: the hash as base 64 for addresses, without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def after_months(at: float, months: int) -> float:
    """The same day of the month and time `months` later, or that month's last day."""
    then = datetime.fromtimestamp(at, UTC)
    years, month = divmod(then.month - 1 + months, 12)
    year, month = then.year + years, month + 1
    return then.replace(year=year, month=month, day=min(then.day, calendar.monthrange(year, month)[1])).timestamp()


def _same(redirect: str, listed: str) -> bool:
    """Equal, or a loopback address that is listed without a port and used with one."""
    asked, known = urlsplit(redirect), urlsplit(listed)
    if known.hostname in ("127.0.0.1", "::1") and known.port is None:
        return (asked.scheme, asked.hostname, asked.path) == (known.scheme, known.hostname, known.path)
    return redirect == listed


def _page(text: str) -> RefusedError:
    """What people see in the browser: the app is not told."""
    return RefusedError(Answer(400, text))
