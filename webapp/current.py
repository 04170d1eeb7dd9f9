"""The backend of the current application, and whether a request is from a program."""

from typing import cast

from flask import Flask, current_app, request

from jobs.runs import Backend

API = "/api/v1"
MCP = "/api/mcp"


def is_for_api() -> bool:
    """Return whether the request is for the API or its tools, where cookies mean nothing and errors are JSON."""
    return request.path in (API, MCP) or request.path.startswith(f"{API}/")


def is_from_a_program() -> bool:
    """Return whether errors are answered as JSON: under `/api`, where the description and the client are, too."""
    return f"{request.path}/".startswith("/api/")


def put_backend(app: Flask, backend: Backend) -> None:
    app.extensions["dumbwaiter"] = backend


def backend_of(app: Flask) -> Backend:
    return cast(Backend, app.extensions["dumbwaiter"])


def backend() -> Backend:
    return backend_of(current_app)
