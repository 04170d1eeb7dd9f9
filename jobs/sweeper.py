"""Heals what was lost between the database and Redis: a turn every few seconds, harmless to repeat."""

from datetime import timedelta

from redis.exceptions import RedisError
from sqlalchemy import select

from jobs import events, lease
from jobs.backend import Backend
from jobs.db import utcnow
from jobs.queue import job_id
from jobs.runs import Run, State
from jobs.submit import push

SWEEP_SECONDS = 5
WAITS_FOR_SECONDS = 5
MOST_LOSSES = 3
MOST_PUSHES = 1000


def sweep(backend: Backend) -> None:
    """End the leases that ran out, and push the queued runs of which Redis knows nothing."""
    events.publish(backend.redis, *lease.expire(backend.database, MOST_LOSSES))
    try:
        known = set(backend.queue.get_job_ids())
    except RedisError:
        return  # Redis is away; the runs wait in the database
    for run in _waiting(backend):
        if job_id(run.id, run.attempt) not in known and not push(backend, run):
            return


def _waiting(backend: Backend) -> list[Run]:
    old = utcnow() - timedelta(seconds=WAITS_FOR_SECONDS)
    query = select(Run).where(Run.state == State.QUEUED, Run.queued_at < old).order_by(Run.id).limit(MOST_PUSHES)
    with backend.database.read() as session:
        return list(session.scalars(query))
