"""Error pages, and notices for htmx requests from a page that is already open."""

import contextlib

import gevent
from flask import Flask, current_app, make_response, render_template, request
from redis.exceptions import RedisError
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
    TooManyRequests,
)
from werkzeug.wrappers import Response

from jobs.runs import Gone, NotAllowed, TooManyRuns
from jobs.storage import AWAY
from jobs.values import StoreAway
from webapp import messages
from webapp.current import is_from_a_program
from webapp.problems import problem
from webapp.rendering import fragments

READING = ("GET", "HEAD", "OPTIONS")
RETRY_SECONDS = 10
HEARD_OUT_BYTES, HEARD_OUT_SECONDS, CHUNK_BYTES = 32 * 1024 * 1024, 20, 64 * 1024
BACKGROUND = ("live.changes", "tasks.check")  # requests that nobody made: they show no notice


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, show)
    app.register_error_handler(TooManyRuns, show_too_many)
    app.register_error_handler(NotAllowed, show_not_allowed)
    app.register_error_handler(Gone, lambda _error: show(NotFound(messages.ACCOUNT_GONE)))
    app.register_error_handler(Exception, show_unexpected)


def show(error: HTTPException) -> Response:
    if error.response is not None:
        return error.get_response()
    code = error.code or 500
    ours = error.description if error.description != type(error).description else None
    message = ours or messages.ERRORS.get(code) or str(type(error).description)
    name = error.name.capitalize()
    if is_from_a_program():
        _hear_out()
        unknown = isinstance(error, NotFound) and error is request.routing_exception
        response = problem(code, name, messages.NO_ADDRESS if unknown else message, error)
    else:
        response = make_response(_body(code, name, message), code)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    if isinstance(error, RequestedRangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.length}"
    return response


def show_too_many(error: TooManyRuns) -> Response:
    response = show(TooManyRequests(str(error)))
    response.headers["Retry-After"] = str(error.seconds)
    return response


def show_not_allowed(error: NotAllowed) -> Response:
    return show(Forbidden(messages.VIEWERS_RUN_NOTHING) if error.sees else NotFound())


def _hear_out() -> None:
    """Read the rest of a request that is refused, within limits.

    The web server closes the connection of one that is still being sent, which resets it, and most programs would
    report that instead of the response.
    """
    if not request.environ.get("wsgi.input_terminated"):
        return  # reading beyond the end would block
    left, body = HEARD_OUT_BYTES, request.environ["wsgi.input"]
    with contextlib.suppress(TimeoutError, OSError), gevent.Timeout(HEARD_OUT_SECONDS, TimeoutError()):
        while left > 0 and (chunk := body.read(CHUNK_BYTES)):
            left -= len(chunk)
            gevent.sleep(0)  # with a fast sender, reads never block


def show_unexpected(error: Exception) -> Response:
    if (message := _unavailable(error)) is None:
        current_app.logger.exception("unexpected error in %s %s", request.method, _path(), exc_info=error)
        return show(InternalServerError())
    reason = getattr(error, "orig", None) or error
    current_app.logger.warning("%s %s: %s: %s", request.method, _path(), type(reason).__name__, reason)
    response = show(ServiceUnavailable(message))
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _path() -> str:
    """Return the request's path for the log, of a link the rule alone, because its secret is in it."""
    return str(request.url_rule) if request.blueprint == "links" else request.path


def _unavailable(error: Exception) -> str | None:
    """Return the message for an error of something that is unavailable for now; None for any other error."""
    if isinstance(error, AWAY):
        return messages.DATABASE_AWAY if request.method in READING else messages.UNSAVED
    if isinstance(error, StoreAway):
        return messages.STORE_AWAY
    return messages.REDIS_AWAY if isinstance(error, RedisError) else None


def _body(code: int, name: str, message: str) -> str:
    if request.endpoint in BACKGROUND:
        return ""
    if request.headers.get("HX-Request"):
        notice = render_template("_partials/notice.html", message=message)
        return fragments.partial("#notices", "innerHTML", notice)
    return render_template("error.html", code=code, name=name, message=message)
