"""Errors of the API as `application/problem+json` (RFC 9457), with a JSON pointer to each parameter that is wrong."""

import json
from collections.abc import Mapping
from typing import NoReturn

from flask import Response
from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """An error with a status of its own. `pointers` has a message for each wrong part of the body, by JSON pointer."""

    def __init__(
        self,
        code: int,
        detail: str,
        pointers: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.pointers = pointers or {}
        self.headers = headers or {}


def refuse(code: int, detail: str, pointers: Mapping[str, str] | None = None, **headers: str) -> NoReturn:
    """End the request with a problem. Names of headers are written with underscores."""
    raise Problem(code, detail, pointers, {name.replace("_", "-"): value for name, value in headers.items()})


def problem(code: int, name: str, message: str, error: HTTPException | None = None) -> Response:
    """Return the response for an error."""
    body: dict[str, object] = {"type": "about:blank", "title": name, "status": code, "detail": message}
    if isinstance(error, Problem) and error.pointers:
        body["errors"] = [{"pointer": pointer, "detail": text} for pointer, text in error.pointers.items()]
    response = Response(json.dumps(body, ensure_ascii=False), code, mimetype=MEDIA_TYPE)
    if isinstance(error, Problem):
        response.headers.update(error.headers)
    return response
