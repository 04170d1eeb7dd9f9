"""Health endpoints: liveness at /healthz and readiness at /readyz."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import alive
from webapp import messages
from webapp.current import backend

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Return the status of each dependency: 200 if all are available, otherwise 503."""
    database = _database()
    # A database that is away is not asked twice: it may take many seconds not to answer.
    parts = {"database": database, "redis": _redis(), "worker": database and _worker()}
    ready = all(parts.values())
    statuses = {name: "ok" if available else "missing" for name, available in parts.items()}
    advice = (
        {} if ready else {"advice": [messages.NOT_READY[name] for name, available in parts.items() if not available]}
    )
    return jsonify(status="ready" if ready else "not ready", **statuses, **advice), 200 if ready else 503


def _database() -> bool:
    def query() -> bool:
        with backend().database.read() as session:
            return bool(session.scalar(text("SELECT 1")))

    return _succeeds(query, SQLAlchemyError)


def _redis() -> bool:
    return _succeeds(lambda: bool(backend().redis.ping()), RedisError)


def _worker() -> bool:
    return _succeeds(lambda: alive(backend().database) > 0, SQLAlchemyError)


def _succeeds(check: Callable[[], bool], failure: type[Exception]) -> bool:
    try:
        return check()
    except failure:
        return False
