"""The backend of the current application, and whether a request is from a program."""

from typing import cast

from flask import Flask, current_app, request

from jobs.runs import Backend

API = "/api/v1"
MCP = "/api/mcp"
DOCS = "/api/docs"


def is_for_api() -> bool:
    """Return whether the request is for the API or its tools, where cookies mean nothing and errors are JSON."""
    return request.path in (API, MCP) or request.path.startswith(f"{API}/")


def is_from_a_program() -> bool:
    """Return whether errors are answered as JSON: under `/api`, but not on the page that describes it to people."""
    path = f"{request.path}/"
    return path.startswith("/api/") and not path.startswith(f"{DOCS}/")


def put_backend(app: Flask, backend: Backend) -> None:
    app.extensions["dumbwaiter"] = backend


def backend_of(app: Flask) -> Backend:
    return cast(Backend, app.extensions["dumbwaiter"])


def backend() -> Backend:
    return backend_of(current_app)
