"""Live pages: push every change of a run to the open pages of its owner."""

from flask import Flask

from jobs.runs import Backend
from webapp.live.endpoint import bp
from webapp.live.hub import Hub


def init_app(app: Flask, backend: Backend) -> None:
    app.extensions["hub"] = Hub(app, backend)
    app.register_blueprint(bp)
