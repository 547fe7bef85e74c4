"""The steps of connecting an account: the address to open, and the address that comes back (PKCE, RFC 7636)."""

from __future__ import annotations

import hmac
import importlib.util
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from device.config import Spotify
from device.spotify.errors import SignInError, SpotifyError
from device.spotify.kept import Grant

SCOPES: Final = (
    "user-read-playback-state user-modify-playback-state playlist-read-private playlist-modify-private"
    " playlist-modify-public"
)
"""To see and command speakers, to read the owner's playlists per mood, and to keep a queue as one."""

OPEN_S: Final = 600
"""Seconds within which the address must come back: Spotify's codes last as long."""

TIMEOUT_S: Final = 10

LEAST_LIFE: Final = timedelta(seconds=60)
"""An access token that lasts no longer is renewed before it is used."""


@dataclass(frozen=True)
class Attempt:
    """An address that was given out to be opened: its state and verifier are good once, until `ends_at` (seconds)."""

    client_id: str
    state: str
    ends_at: float
    manager: Any
    address: str


def begin(settings: Spotify, client_id: str, at: float) -> Attempt:
    """A new attempt at a monotonic second; raises SignInError without a client id."""
    if not re.fullmatch(r"[0-9a-zA-Z]{10,64}", client_id):
        raise SignInError(
            "Spotify needs the client ID of an app of yours, letters and digits: make one at "
            "developer.spotify.com/dashboard (docs/spotify.md, step 1)"
        )
    need_spotipy()
    manager = _manager(settings, client_id)
    state = secrets.token_urlsafe(24)
    return Attempt(client_id, state, at + OPEN_S, manager, manager.get_authorize_url(state=state))


def code_of(pasted: str, attempt: Attempt | None, at: float) -> str:
    """The code in the address that came back; raises SignInError where it is not that of this attempt, or too late."""
    told = _told(pasted)
    if "state" not in told or not ("code" in told or "error" in told):
        raise SignInError(
            "this is not the address that Spotify led to: copy all of it from the browser's address bar, even where "
            "the page itself could not be shown; it holds code= and state="
        )
    if attempt is None or at > attempt.ends_at:
        raise SignInError("the link was opened too long ago, or used already: open a new one")
    if not hmac.compare_digest(told["state"].encode(), attempt.state.encode()):
        raise SignInError("this address belongs to another attempt: open the newest link and paste what it leads to")
    if "error" in told:
        raise SignInError(f"Spotify was not allowed ({told['error']}): open a new link and agree")
    return told["code"]


def exchange(attempt: Attempt, code: str, now: datetime) -> Grant:
    """The consent that a code stands for; raises SignInError, or SpotifyError where Spotify cannot be reached."""
    import requests
    import spotipy

    try:
        attempt.manager.get_access_token(code, check_cache=False)  # else an old token could win over the new code
    except spotipy.SpotifyOauthError as error:
        raise SignInError(f"Spotify refuses the code ({reason_of(error)}): open a new link") from error
    except (requests.RequestException, KeyError, ValueError) as error:
        raise SpotifyError(away(error)) from error
    token = attempt.manager.cache_handler.get_cached_token()
    return renewed(Grant(attempt.client_id, now, "", "", now), token, now)


def refresh(settings: Spotify, grant: Grant, now: datetime) -> Grant:
    """The consent with a new access token.

    Raises SignInError where the consent has ended (invalid_grant), SpotifyError where Spotify cannot be reached.
    """
    import requests
    import spotipy

    try:
        token = _manager(settings, grant.client_id).refresh_access_token(grant.refresh_token)
    except spotipy.SpotifyOauthError as error:
        if error.error in ("invalid_grant", "invalid_client"):
            raise SignInError(
                f"Spotify has ended the consent of {grant.consented_at:%d %B %Y} ({reason_of(error)}); "
                "connect the account again"
            ) from error
        raise SpotifyError(away(error)) from error
    except (requests.RequestException, KeyError, ValueError) as error:
        raise SpotifyError(away(error)) from error
    return renewed(grant, token, now)


def renewed(grant: Grant, token: Mapping[str, Any], now: datetime) -> Grant:
    """The consent with the tokens of an answer; its own refresh token where that brings none."""
    return Grant(
        client_id=grant.client_id,
        consented_at=grant.consented_at,
        access_token=str(token["access_token"]),
        refresh_token=str(token.get("refresh_token") or grant.refresh_token),
        expires_at=now + timedelta(seconds=int(token["expires_in"])),
        account=grant.account,
    )


def is_fresh(grant: Grant, now: datetime) -> bool:
    """Whether the access token can still be used, as far as this machine's clock tells; Spotify's answer decides."""
    return grant.expires_at - now > LEAST_LIFE


def need_spotipy() -> None:
    """Raises SpotifyError where the library is not installed; does not import it."""
    if importlib.util.find_spec("spotipy") is None:
        raise SpotifyError("spotipy is not installed; `make setup` installs it, or pip install 'attune[spotify]'")


def away(error: Exception) -> str:
    """Why Spotify cannot be reached, and what to do."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "Spotify's certificate is not valid here: is the clock of this machine right?"
    if isinstance(error, requests.Timeout):
        return f"Spotify did not answer within {TIMEOUT_S} s; it is tried again by itself"
    if isinstance(error, requests.ConnectionError):
        return "Spotify cannot be reached: is this machine connected to the internet? It is tried again by itself"
    return f"Spotify answers what cannot be understood ({type(error).__name__}); it is tried again by itself"


def reason_of(error: Any) -> str:
    return str(error.error_description or error.error)


def _told(pasted: str) -> dict[str, str]:
    """Names and values in a pasted address, or in the part after its question mark."""
    text = pasted.strip().strip("<>\"'")
    query = urlsplit(text).query if "?" in text else text
    return {name: values[0] for name, values in parse_qs(query).items()}


def _manager(settings: Spotify, client_id: str) -> Any:
    import spotipy
    from spotipy.cache_handler import MemoryCacheHandler

    logging.getLogger("spotipy").setLevel(logging.CRITICAL)  # its errors are ours to tell, and its notes hold tokens
    manager = spotipy.SpotifyPKCE(
        client_id=client_id,
        redirect_uri=settings.redirect,
        scope=SCOPES,
        requests_timeout=TIMEOUT_S,
        open_browser=False,
        cache_handler=MemoryCacheHandler(),
    )
    manager.OAUTH_AUTHORIZE_URL = f"{settings.accounts}authorize"
    manager.OAUTH_TOKEN_URL = f"{settings.accounts}api/token"
    return manager
