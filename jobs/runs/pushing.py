"""Push the jobs that wake workers for queued runs, and record in the row of a run that its job could not be pushed."""

import logging

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import events, lease, queue
from jobs.runs.backend import Backend
from jobs.runs.run import Run
from jobs.storage.database import utcnow

log = logging.getLogger(__name__)


def push(backend: Backend, *runs: Run) -> bool:
    """Push jobs for queued runs and return True, or False if Redis is unavailable: the sweeper pushes them later.

    A failed push is recorded in the row, so that the page can show it, and cleared when a later push succeeds.
    """
    try:
        queue.push(backend.queue, *[(run.id, run.attempt) for run in runs])
    except RedisError as error:
        log.warning("could not push run %d to Redis (%s); the sweeper will retry", runs[0].id, error)
        _note_push(backend, runs[0], failed=True)
        return False
    for run in runs:
        if run.push_failed_at is not None:
            _note_push(backend, run, failed=False)
    return True


def _note_push(backend: Backend, run: Run, failed: bool) -> None:
    try:
        change = lease.note_push(backend.database, run.id, run.attempt, failed)
    except SQLAlchemyError:
        log.warning("could not record the push of run %d in the database", run.id, exc_info=True)
        return
    if change:
        run.version, run.push_failed_at = change.version, utcnow() if failed else None
        if not failed:  # if Redis has just timed out, publishing would make the submitter wait again
            events.publish(backend.redis, change)
