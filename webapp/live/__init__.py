"""Live pages: push every change of a run to the open pages of its owner, and to programs that wait for it."""

from typing import cast

from flask import Flask, current_app

from jobs.runs import Backend
from webapp.live.endpoint import bp
from webapp.live.held_connection import HeldConnection
from webapp.live.hub import Hub, TooManyPages
from webapp.live.watchers import Sleeper, Watcher, outdated, refused

__all__ = ["HeldConnection", "Sleeper", "TooManyPages", "Watcher", "current_hub", "init_app", "outdated", "refused"]


def init_app(app: Flask, backend: Backend) -> None:
    app.extensions["hub"] = Hub(app, backend)
    app.register_blueprint(bp)


def current_hub() -> Hub:
    """Return the hub of this process."""
    return cast(Hub, current_app.extensions["hub"])
