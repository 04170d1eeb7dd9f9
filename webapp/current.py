"""What the running application carries with it."""

from typing import cast

from flask import Flask, current_app

from jobs import Backend


def put_backend(app: Flask, backend: Backend) -> None:
    app.extensions["dumbwaiter"] = backend


def backend() -> Backend:
    return cast(Backend, current_app.extensions["dumbwaiter"])
