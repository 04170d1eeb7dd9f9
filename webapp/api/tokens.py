"""Signing in by e-mail address and password, for a token that expires soon."""

from datetime import timedelta
from http import HTTPStatus

from flask import Response, jsonify, request

from webapp.accounts import auth, second_factors, throttle, tokens
from webapp.accounts.second_factor_views import is_required_of
from webapp.accounts.tokens import Grant, TooManyTokens
from webapp.accounts.users import Account
from webapp.api import messages
from webapp.api.blueprint import bp
from webapp.api.body import json_object, pointer
from webapp.current import backend
from webapp.problems import refuse

LIFETIME = timedelta(hours=1)
CREDENTIALS = ("email", "password")
CODE = "code"
NAME = "Signed in with a password"


@bp.post("/tokens", endpoint="tokens")
def sign_in() -> Response:
    """Return a token with all scopes that expires after an hour. With two-factor sign-in, `code` is needed, too."""
    email, password, code = _credentials()
    try:
        account = auth.with_credentials(email, password)
        _check_second_factor(account, code)
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


def _check_second_factor(account: Account, code: str) -> None:
    """Refuse an account whose second factor is missing or whose code is wrong, throttling guesses."""
    if not account.has_second_factor:
        if is_required_of(account):
            refuse(403, messages.SECOND_FACTOR_FIRST)
        return
    if not code:
        refuse(422, messages.INVALID, {"/code": messages.CODE_MISSING})
    attempt = throttle.begin_code_attempt(backend().database, account, auth.place())
    if attempt is None:
        auth.log.warning("code refused, too many attempts: %r from %s", account.email, request.remote_addr)
        raise auth.Refused(HTTPStatus.TOO_MANY_REQUESTS, auth.TOO_MANY)
    if not second_factors.accepts(backend(), account, code):
        auth.log.warning("wrong code: %r from %s", account.email, request.remote_addr)
        refuse(422, messages.INVALID, {"/code": messages.WRONG_CODE})
    throttle.clear_failures(backend().database, attempt)


def _credentials() -> tuple[str, str, str]:
    body = json_object()
    wrong = {f"/{name}": messages.FILL_IN for name in CREDENTIALS if not isinstance(body.get(name), str)}
    wrong |= {pointer(name): messages.UNKNOWN for name in body if name not in (*CREDENTIALS, CODE)}
    if not isinstance(body.get(CODE, ""), str):
        wrong["/code"] = messages.CODE_MISSING
    if wrong:
        refuse(422, messages.INVALID, wrong)
    return body["email"], body["password"], body.get(CODE, "")
