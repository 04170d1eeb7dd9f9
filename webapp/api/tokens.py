"""Signing in by e-mail address and password, for a token that expires soon."""

from datetime import timedelta
from http import HTTPStatus

from flask import Response, jsonify

from webapp.accounts import auth, throttle, tokens
from webapp.accounts.tokens import Grant, TooManyTokens
from webapp.api import messages
from webapp.api.blueprint import bp
from webapp.api.body import json_object, pointer
from webapp.current import backend
from webapp.problems import refuse

LIFETIME = timedelta(hours=1)
CREDENTIALS = ("email", "password")
NAME = "Signed in with a password"


@bp.post("/tokens", endpoint="tokens")
def sign_in() -> Response:
    """Return a token with all scopes that expires after an hour."""
    email, password = _credentials()
    try:
        account = auth.with_credentials(email, password)
        throttle.note_place(backend().database, account.id, auth.place())
        token, secret = tokens.create(backend().database, account.id, Grant(NAME, lifetime=LIFETIME), replaces=True)
    except auth.Refused as refused:
        if refused.status == HTTPStatus.TOO_MANY_REQUESTS:
            refuse(429, str(refused), Retry_After=str(throttle.WINDOW_SECONDS))
        refuse(refused.status, str(refused))
    except TooManyTokens:
        refuse(409, messages.TOO_MANY_TOKENS.format(most=tokens.MOST_TOKENS))
    assert token.expires_at is not None
    response = jsonify(token=secret, expires_at=token.expires_at.isoformat())
    response.status_code = HTTPStatus.CREATED
    return response


def _credentials() -> tuple[str, str]:
    body = json_object()
    wrong = {f"/{name}": messages.FILL_IN for name in CREDENTIALS if not isinstance(body.get(name), str)}
    wrong |= {pointer(name): messages.UNKNOWN for name in body if name not in CREDENTIALS}
    if wrong:
        refuse(422, messages.INVALID, wrong)
    return body["email"], body["password"]
