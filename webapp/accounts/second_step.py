"""Signing in with a second factor: between the password and the code, the cookie says whose code is awaited."""

import time

from flask import redirect, session, url_for
from werkzeug.wrappers import Response

from webapp.accounts import users
from webapp.accounts.users import Account
from webapp.current import backend

SECONDS = 10 * 60
KEY = "awaits_code"


def begin(user: Account, target: str) -> Response:
    """Note that the user has given the password, and lead to the form for the code."""
    session.clear()
    session[KEY] = [user.id, user.session_version, int(time.time())]
    return redirect(url_for("second_factor.code", next=target), 303)


def who() -> Account | None:
    """Return the user whose code is awaited, or None if the password was given too long ago, or was changed."""
    user_id, version, at = session.get(KEY) or (0, 0, 0)
    if time.time() - at > SECONDS:
        return None
    user = users.with_id(backend().database, user_id)
    return user if user and user.is_active and user.has_second_factor and user.session_version == version else None
