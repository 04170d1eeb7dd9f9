"""Authorisation of API requests: each view names the scope that it requires."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import request

from webapp.accounts import bearer
from webapp.accounts.second_factor_views import must_set_up
from webapp.accounts.tokens import Caller
from webapp.api import messages
from webapp.problems import refuse

P = ParamSpec("P")
R = TypeVar("R")


def needs(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Require a token with this scope."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(scope)
            return view(*args, **kwargs)

        return checked

    return decorate


def require(*scopes: str) -> None:
    """End the request with 403 unless the token has all of these scopes."""
    for scope in scopes:
        if not caller().may(scope):
            header = f'Bearer error="insufficient_scope", scope="{" ".join(scopes)}"'
            refuse(403, messages.NO_SCOPE.format(scope=scope), WWW_Authenticate=header)


def caller() -> Caller:
    """Return who calls, or end the request with 401."""
    found = bearer.caller()
    if found is None:
        sent = "Authorization" in request.headers
        refuse(401, messages.NOT_VALID if sent else messages.SIGN_IN, WWW_Authenticate="Bearer")
    if must_set_up():  # tokens from before REQUIRE_2FA was set wait for it, as their owner's pages do
        refuse(403, messages.SECOND_FACTOR_FIRST)
    return found
