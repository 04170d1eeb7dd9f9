"""Serving the application below a path, on a site that it shares with other applications."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from config import is_prefix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def init_app(app: Flask, prefix: str) -> None:
    """Put every address of the application below the prefix. Without one, a trusted proxy may name it."""
    if prefix:
        app.config["APPLICATION_ROOT"] = prefix
    app.wsgi_app = BelowPrefix(app.wsgi_app, prefix)  # type: ignore[method-assign]  # the documented way


class BelowPrefix:
    """WSGI middleware that moves the prefix from a request's path to its script name.

    The path may come without it: some proxies take it off, and health checks ask the server itself. The script name
    that arrives here is `X-Forwarded-Prefix` of a trusted proxy; anything else that is no prefix is dropped.
    """

    def __init__(self, application: "WSGIApplication", prefix: str) -> None:
        self._application = application
        self._prefix = prefix

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path, named = environ["PATH_INFO"], environ.get("SCRIPT_NAME", "").rstrip("/")
        prefix = self._prefix or (named if is_prefix(named) else "")
        if path == prefix or path.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(prefix)
        environ["SCRIPT_NAME"] = prefix
        return self._application(environ, start_response)
