"""The account that a request's bearer token stands for.

Only the Authorization header counts for the API. A session cookie does not, so pages of other sites cannot make a
browser call the API for its user. A token in a URL would be kept in logs and histories, so it is not read there.
"""

from typing import cast

from flask import g, request

from webapp.accounts import tokens
from webapp.accounts.tokens import Caller
from webapp.current import backend


def caller() -> Caller | None:
    """Return the caller of this request, or None without a valid token. The database is read once for each request."""
    if "caller" not in g:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer"
        g.caller = tokens.caller_with(backend().database, secret.strip()) if is_bearer else None
    return cast("Caller | None", g.caller)
