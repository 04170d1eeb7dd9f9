"""Calls of the API that a signed-in person tries on its page.

A call is answered by the API itself, as if it had come with a token of all scopes for the person's account. No token is
made: the rights are those of the session that sends the form, for this one call.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote, urlencode

from flask import Response, current_app, g, request
from flask_login import current_user

from webapp.accounts.tokens import SCOPES as EVERY_SCOPE
from webapp.accounts.tokens import Caller, Token
from webapp.api import messages
from webapp.api.reference import JSON, Operation, Parameter
from webapp.current import API

BODY = "_body"
LONGEST_SHOWN = 100_000
SHOWN = ("Content-Type", "Content-Length", "ETag", "Location", "Link", "Retry-After", "Accept-Ranges")


@dataclass(frozen=True)
class Trial:
    """A person's input for a call, with messages by field if it is invalid, or else with the answer."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    page: str = ""


def tried(operation: Operation, values: Mapping[str, str]) -> Trial:
    """Send a call as it is filled in, and return the trial with its answer."""
    missing = {one.name: messages.MISSING for one in operation.fields if one.required and not values.get(one.name)}
    if missing:
        return Trial(values, missing)
    response = _answer(operation, {one: values[one.name] for one in operation.fields if values.get(one.name)}, values)
    try:
        return _shown(response, values)
    finally:
        response.close()


def _answer(operation: Operation, given: Mapping[Parameter, str], values: Mapping[str, str]) -> Response:
    path, query = operation.path, []
    for parameter, value in given.items():
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", quote(value, safe=""))
        elif parameter.place == "query":
            query.append((parameter.name, value))
    headers = {one.name: value for one, value in given.items() if one.place == "header"}
    asked = current_app.test_request_context(
        f"{API}{path}?{urlencode(query)}",
        base_url=request.root_url,
        method=operation.method,
        headers=headers,
        data=values.get(BODY, "").encode() if operation.body_type else None,
        content_type=JSON if operation.body_type else None,
    )
    account = current_user._get_current_object()
    token = Token(owner_id=account.id, scopes=list(EVERY_SCOPE), tasks=[])
    with current_app.app_context(), asked:
        g.caller = Caller(account, token)
        return current_app.full_dispatch_request()


def _shown(response: Response, values: Mapping[str, str]) -> Trial:
    status = f"{response.status_code} {HTTPStatus(response.status_code).phrase}"
    headers = tuple((name, response.headers[name]) for name in SHOWN if name in response.headers)
    if not response.is_json:
        is_empty = not response.is_streamed and not response.get_data()
        text = "" if is_empty else messages.NOT_SHOWN
        return Trial(values, status=status, headers=headers, text=text)
    whole = json.loads(response.get_data())
    text = json.dumps(whole, indent=2, ensure_ascii=False)
    text = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + messages.CUT
    page = whole.get("page", "") if isinstance(whole, dict) else ""
    return Trial(values, status=status, headers=headers, text=text, page=page)
