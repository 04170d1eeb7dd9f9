"""Sign-ins by a provider that a browser has begun, in its session's cookie."""

import secrets
import time
from typing import NamedTuple

from flask import session, url_for

from config import Settings
from webapp.accounts.provider import Flow

LONGEST_SECONDS = 900
MOST_AT_ONCE = 4  # tabs; a cookie has 4 KB
LONGEST_TARGET = 400
KEY = "flows"
CONFIRMED_AT = "confirmed_at"
CONFIRMED_SECONDS = 300


class Begun(NamedTuple):
    """A sign-in that has begun, where it leads, and for an account that is signed in already, that account's id."""

    flow: Flow
    target: str
    owner_id: int
    purpose: str
    at: float


def begin(settings: Settings, target: str, owner_id: int = 0, purpose: str = "log in") -> Flow:
    """Remember the beginning of a sign-in. It has three random values: state, nonce and the verifier of the code."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    others = session.get(KEY, {})
    latest = sorted(others, key=lambda one: float(others[one][0]))[1 - MOST_AT_ONCE :]
    begun = [time.time(), nonce, verifier, target if len(target) <= LONGEST_TARGET else "", owner_id, purpose]
    session[KEY] = {**{one: others[one] for one in latest}, state: begun}
    return Flow(state, nonce, verifier, _redirect_uri(settings))


def end(settings: Settings, state: str) -> Begun | None:
    """Forget a sign-in and return it, or None if this browser has not begun it, or has ended it, or too long ago."""
    begun = session.get(KEY, {}).get(state)
    if begun is None:
        return None
    session[KEY] = {one: other for one, other in session[KEY].items() if one != state}
    at, nonce, verifier, target, owner_id, purpose = begun
    if not 0 <= time.time() - at <= LONGEST_SECONDS:
        return None
    return Begun(Flow(state, nonce, verifier, _redirect_uri(settings)), target, owner_id, purpose, at)


def confirm() -> None:
    """Note in the session that its person, who has no password, has just shown at the provider who they are."""
    session[CONFIRMED_AT] = time.time()


def is_confirmed() -> bool:
    at: float = session.get(CONFIRMED_AT, 0.0)
    return 0 <= time.time() - at < CONFIRMED_SECONDS


def _redirect_uri(settings: Settings) -> str:
    if settings.public_url:
        return f"{settings.public_url}{url_for('sso.finish')}"
    return url_for("sso.finish", _external=True)
