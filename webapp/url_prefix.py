"""Serving the application below a path, on a site that it shares with other applications."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def init_app(app: Flask, prefix: str) -> None:
    """Put every address of the application below the prefix, and restrict the session cookie to it."""
    app.jinja_env.globals.update(url_prefix=prefix)
    if prefix:
        app.config["APPLICATION_ROOT"] = prefix
        app.wsgi_app = BelowPrefix(app.wsgi_app, prefix)  # type: ignore[method-assign]  # the documented way


class BelowPrefix:
    """WSGI middleware that moves the prefix from a request's path to its script name.

    The path may come without it: some proxies take it off, and health checks ask the server itself.
    """

    def __init__(self, application: "WSGIApplication", prefix: str) -> None:
        self._application = application
        self._prefix = prefix

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(self._prefix)
        environ["SCRIPT_NAME"] = self._prefix
        return self._application(environ, start_response)
