"""Access to the backend of the current application."""

from typing import cast

from flask import Flask, current_app

from jobs.runs import Backend


def put_backend(app: Flask, backend: Backend) -> None:
    app.extensions["dumbwaiter"] = backend


def backend_of(app: Flask) -> Backend:
    return cast(Backend, app.extensions["dumbwaiter"])


def backend() -> Backend:
    return backend_of(current_app)
