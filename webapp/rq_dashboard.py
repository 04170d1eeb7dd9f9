"""rq-dashboard, mounted for administrators only."""

from typing import Any

import rq_dashboard
import rq_dashboard.web
from flask import Flask, abort, request
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker, Worker
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from webapp import errors, messages
from webapp.accounts.auth import require_admin
from webapp.current import backend
from webapp.security import DASHBOARD

SHOWN = "this application's Redis"  # shown instead of the URL, which may contain a password


class JsonWorker(Worker):
    """The dashboard's worker class, which reads jobs as JSON and never unpickles them."""

    @classmethod
    def all(cls, *arguments: Any, **options: Any) -> list[BaseWorker]:
        return super().all(*arguments, **{**options, "serializer": JSONSerializer})


def init_app(app: Flask) -> None:
    """Mount the dashboard behind an administrator check, because it has no access control of its own.

    One of its GET routes changes the queue, so `guard` requires POST there. It would also open connections for every
    request and unpickle jobs, so it is given the application's connection and the JSON serializer.
    """
    app.config["RQ_DASHBOARD_REDIS_URL"] = [SHOWN]
    rq_dashboard.web.config.serializer = JSONSerializer
    rq_dashboard.web.Worker = JsonWorker
    rq_dashboard.web.from_url = lambda _url, **_options: (None, backend().redis)
    with app.app_context():
        app.redis_conn = backend().redis  # type: ignore[attr-defined]  # the dashboard reads it from here
    app.before_request(guard)
    for error in (NoSuchJobError, InvalidJobOperation):
        app.register_error_handler(error, show_missing)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix=DASHBOARD.rstrip("/"))


def show_missing(_error: Exception) -> Response:
    return errors.show(NotFound(messages.NO_JOB))


def guard() -> None:
    if request.blueprint != "rq_dashboard":
        return
    require_admin()
    if request.endpoint == "rq_dashboard.requeue_all" and request.method != "POST":
        abort(405)
    if (request.view_args or {}).get("instance_number", 0) != 0:
        abort(404)
