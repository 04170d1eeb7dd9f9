"""rq-dashboard, for administrators only."""

import rq_dashboard
from flask import Flask, abort, request
from rq.serializers import JSONSerializer
from rq_dashboard.web import config as dashboard_config

from webapp.auth import require_admin
from webapp.current import backend
from webapp.security import DASHBOARD


def init_app(app: Flask) -> None:
    """Mount the dashboard behind our own door: it has none, and one of its GET addresses changes the queue."""
    app.config["RQ_DASHBOARD_REDIS_URL"] = backend_url(app)
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = False
    dashboard_config.serializer = JSONSerializer
    blueprint = rq_dashboard.blueprint
    with app.app_context():
        app.redis_conn = backend().redis  # type: ignore[attr-defined]
    app.before_request(guard)
    app.register_blueprint(blueprint, url_prefix=DASHBOARD.rstrip("/"))


def backend_url(app: Flask) -> list[str]:
    with app.app_context():
        return [backend().settings.redis]


def guard() -> None:
    if request.blueprint != "rq_dashboard":
        return
    require_admin()
    if request.endpoint == "rq_dashboard.requeue_all" and request.method != "POST":
        abort(405)
