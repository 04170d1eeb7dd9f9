"""Error pages, and notices for htmx requests from a page that is already open."""

from flask import Flask, current_app, make_response, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
)
from werkzeug.wrappers import Response

from jobs.values import StoreAway
from webapp import messages
from webapp.rendering import fragments

READING = ("GET", "HEAD", "OPTIONS")


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, show)
    app.register_error_handler(Exception, show_unexpected)


def show(error: HTTPException) -> Response:
    if error.response is not None:
        return error.get_response()
    code = error.code or 500
    ours = error.description if error.description != type(error).description else None
    message = ours or messages.ERRORS.get(code) or str(type(error).description)
    response = make_response(_body(code, error.name.capitalize(), message), code)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    if isinstance(error, RequestedRangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.length}"
    return response


def show_unexpected(error: Exception) -> Response:
    current_app.logger.exception("unexpected error in %s %s", request.method, request.path, exc_info=error)
    if isinstance(error, OperationalError) and request.method not in READING:
        return show(ServiceUnavailable(messages.UNSAVED))
    if isinstance(error, StoreAway):
        return show(ServiceUnavailable(messages.STORE_AWAY))
    return show(InternalServerError())


def _body(code: int, name: str, message: str) -> str:
    if request.headers.get("HX-Request"):
        notice = render_template("_partials/notice.html", message=message)
        return fragments.partial("#notices", "innerHTML", notice)
    return render_template("error.html", code=code, name=name, message=message)
