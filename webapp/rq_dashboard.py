"""rq-dashboard, mounted for administrators only."""

import logging
from collections.abc import Mapping
from typing import Any

import rq_dashboard
import rq_dashboard.web
from flask import Flask, abort, request
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import as_text, str_to_date
from rq.worker import BaseWorker, Worker
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response

from jobs.runs import WakeUp
from jobs.storage import AWAY
from webapp import errors, messages
from webapp.accounts.auth import require_admin
from webapp.current import backend
from webapp.security import DASHBOARD

log = logging.getLogger(__name__)

SHOWN = "this application's Redis"  # shown instead of the URL, which may contain a password
MOMENTS = ("created_at", "enqueued_at", "started_at", "ended_at")


class ShownJob(WakeUp):
    """A job as the dashboard shows and changes it: read as JSON, and without what is damaged."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:
        super().__init__(id, connection, JSONSerializer)

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        super().restore(raw_data)
        for name in MOMENTS:
            setattr(self, name, _moment(raw_data.get(name.encode())))

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:
        """Return nothing: our jobs have no metadata."""
        return {}

    def get_call_string(self) -> str:
        return str(self.description)

    @property
    def dependency_ids(self) -> list[str]:
        """Nothing: our jobs depend on no others."""
        return []

    def latest_result(self, timeout: int = 0) -> Result | None:
        try:
            return super().latest_result(timeout)
        except Exception:
            log.debug("the dashboard leaves out a damaged result of %s", self.id, exc_info=True)
            return None


def _moment(text: bytes | None) -> Any:
    try:
        return str_to_date(text) if text else None
    except ValueError:
        return None


class ShownQueue(Queue):
    """A queue whose jobs are read as JSON."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "serializer": JSONSerializer, "job_class": ShownJob})

    @classmethod
    def all(cls, *_arguments: Any, **options: Any) -> list[Queue]:
        """Return the queues that are really there: what names no queue is left out."""
        keys = [as_text(key) for key in options["connection"].smembers(cls.redis_queues_keys) if key.isascii()]
        prefix = cls.redis_queue_namespace_prefix
        return [cls.from_queue_key(key, options["connection"]) for key in keys if key.startswith(prefix)]


class ShownWorker(Worker):
    """A worker whose job is read as JSON."""

    @classmethod
    def all(cls, *arguments: Any, **options: Any) -> list[BaseWorker]:
        ours = {"serializer": JSONSerializer, "job_class": ShownJob, "queue_class": ShownQueue}
        return super().all(*arguments, **{**options, **ours})


def requeue_job(job_id: str, connection: Redis) -> Job:
    return ShownJob.fetch(job_id, connection=connection).requeue()


def init_app(app: Flask) -> None:
    """Mount the dashboard behind an administrator check, because it has no access control of its own.

    One of its GET routes changes the queue, so `guard` requires POST there. It would also open connections for every
    request and unpickle jobs, which is code execution for whoever can write to Redis. So it is given the application's
    connection, and classes that read JSON whatever it asks of them.
    """
    app.config["RQ_DASHBOARD_REDIS_URL"] = [SHOWN]
    replacements: Mapping[str, object] = {
        "Job": ShownJob,
        "Queue": ShownQueue,
        "Worker": ShownWorker,
        "requeue_job": requeue_job,
        "from_url": lambda _url, **_options: (None, backend().redis),
    }
    vars(rq_dashboard.web).update(replacements)
    rq_dashboard.web.config.serializer = JSONSerializer
    with app.app_context():
        app.redis_conn = backend().redis  # type: ignore[attr-defined]  # the dashboard reads it from here
    app.before_request(guard)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix=DASHBOARD.rstrip("/"))


@rq_dashboard.blueprint.errorhandler(Exception)  # type: ignore[untyped-decorator]  # it has no types
def show_unknown(error: Exception) -> Response:
    """Answer 404 for addresses of nothing and for values in Redis that nobody can read, which the dashboard trips on.

    A Redis or a database that is away is told as elsewhere.
    """
    if isinstance(error, HTTPException):
        return errors.show(error)
    if isinstance(error, AWAY) or (isinstance(error, RedisError) and not isinstance(error, ResponseError)):
        return errors.show_unexpected(error)
    if not isinstance(error, (NoSuchJobError, InvalidJobOperation)):
        log.warning("the dashboard cannot show %s: %s: %s", request.path, type(error).__name__, error)
    return errors.show(NotFound(messages.NO_JOB))


def guard() -> None:
    if request.blueprint != "rq_dashboard":
        return
    require_admin()
    if request.endpoint == "rq_dashboard.requeue_all" and request.method != "POST":
        abort(405)
    if (request.view_args or {}).get("instance_number", 0) != 0:
        abort(404)
