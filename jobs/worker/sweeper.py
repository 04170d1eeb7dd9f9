"""Repair inconsistencies between the database, Redis and the workers every few seconds. Sweeps are idempotent."""

import contextlib
import itertools
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError, ResponseError
from sqlalchemy import ColumnElement, select

from jobs.authoring.task import TaskSummary
from jobs.runs import (
    bulk_pieces,
    caps,
    deliveries,
    events,
    following,
    lease,
    limits,
    mails,
    pauses,
    predictions,
    turns,
    uploads,
)
from jobs.runs.backend import Backend
from jobs.runs.checkpoints import CheckpointCleanup
from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.lease import CLOCKS_DIFFER_SECONDS, Change
from jobs.runs.pushing import push
from jobs.runs.queue import forget, job_id, length, push_again, taken, waiting
from jobs.runs.retention_walk import RetentionWalk
from jobs.runs.run import ENDED, NEVER, Run, State, in_states
from jobs.runs.run_text import Indexing
from jobs.storage.database import utcnow
from jobs.worker.leader import Leadership

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
TURN_SECONDS = 1.0
WAITS_FOR_SECONDS = 3
MOST_PUSHES = 1000
PUSHES_AT_ONCE = 100
TO_PUSH = (Run.id, Run.attempt, Run.version, Run.queued_at, Run.push_failed_at, Run.task, Run.limit_key)


class Sweeper:
    """One candidate among many sweepers: only the leader sweeps, and another takes over if the leader disappears."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._leadership = Leadership(backend.database, "sweeper")
        self._watch = Watch(backend.settings.lease_seconds)
        self._checkpoints = CheckpointCleanup(backend.database)
        self._files = FileCleanup(backend.database, backend.files.objects)
        self._indexing = Indexing(backend.database)
        self._retention = RetentionWalk(backend)
        self._next = 0.0
        self.has_to_send = False
        """True if this is the leader and its last sweep found mails or messages to webhooks that are due."""

    def learn(self, tasks: Mapping[str, TaskSummary]) -> None:
        """Note the tasks of this machine's workers, whose limits say which runs could start."""
        self._backend = replace(self._backend, tasks=tasks)

    def turn(self) -> None:
        """Sweep if it is due and this is the leader; between sweeps, push runs that have become due."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SWEEP_SECONDS
            self.sweep()
        elif self._leadership.held:
            self._wake_due(Run.due_at <= utcnow())
            revive(self._backend, following.let_follow(self._backend, TURN_SECONDS))
            bulk_pieces.turn(self._backend)

    def sweep(self) -> None:
        """Run every repair and cleanup, if this is the leader."""
        self.has_to_send = False
        if not self._leadership.hold():
            return
        unrenewed = self._watch.unrenewed(lease.leases(self._backend.database))
        revive(self._backend, lease.expire(self._backend.database, unrenewed))
        self._checkpoints.sweep()
        is_retried = Run.due_at.is_distinct_from(Run.scheduled_for) & (Run.due_at < NEVER)
        future = utcnow() + timedelta(seconds=CLOCKS_DIFFER_SECONDS)
        self._wake_due((Run.due_at <= utcnow()) | (is_retried & (Run.queued_at > future)))
        revive(self._backend, following.let_follow(self._backend, TURN_SECONDS))
        turns.refresh(self._backend.database)
        predictions.note(self._backend.database)
        self._push_what_redis_does_not_know()
        self._forget_jobs_of_ended_runs()
        uploads.forget(self._backend.database)
        deliveries.forget(self._backend.database)
        self.has_to_send = deliveries.are_due(self._backend.database) or mails.are_due(self._backend.database)
        self._retention.sweep()
        self._files.sweep()
        self._indexing.sweep()

    def leave(self) -> None:
        """Give up the leadership so that another sweeper can take over."""
        self._leadership.give_up()

    def _push_what_redis_does_not_know(self) -> None:
        queue, rows = self._backend.queue, self._waiting()
        try:
            # Any job wakes a worker for any run, so enough of them are enough.
            lacking = len(rows) - length(queue)
            # The whole queue may be long, so it is read only if jobs are missing.
            known = waiting(queue) if lacking > 0 else set()
        except ResponseError as error:
            advice = "If it holds no list, delete it: the queue is rebuilt from the database."
            log.error("could not read the key %s in Redis (%s). %s", queue.key, error, advice)
            return
        except RedisError:
            return  # Redis is unavailable; the runs stay queued in the database
        missing = (row for row in rows if job_id(row.id, row.attempt) not in known)
        self._push([_run(row) for row in itertools.islice(missing, max(0, lacking))])

    def _forget_jobs_of_ended_runs(self) -> None:
        """Delete jobs of runs that ended while Redis was unavailable; RQ would mark them failed after a minute."""
        with contextlib.suppress(RedisError):
            if not (jobs := taken(self._backend.queue)):
                return
            with self._backend.database.read() as session:
                ended = in_states(session, list(jobs.values())[:MOST_PUSHES], ENDED)
            forget(self._backend.queue, [job for job, run_id in jobs.items() if run_id in ended])

    def _push(self, runs: Sequence[Run]) -> None:
        """Push runs for up to TURN_SECONDS. If more may be left, make the next turn sweep again."""
        deadline = time.monotonic() + TURN_SECONDS
        more = len(runs) == MOST_PUSHES
        for start in range(0, len(runs), PUSHES_AT_ONCE):
            if not push(self._backend, *runs[start : start + PUSHES_AT_ONCE]):
                return
            if time.monotonic() > deadline:
                more = True
                break
        if more:
            self._next = 0.0

    def _waiting(self) -> list[Any]:
        """Return what it takes to push the runs that may start and have waited longest."""
        now = utcnow()
        # Skip runs that were queued just now: the process that queued them is pushing them.
        old = (Run.queued_at < now - timedelta(seconds=WAITS_FOR_SECONDS)) | (Run.queued_at > now)
        waits = select(*TO_PUSH).where(Run.state == State.QUEUED, Run.due_at.is_(None), old)
        with self._backend.database.read() as session:
            if pauses.listed(session):
                waits = waits.where(pauses.not_paused())
            running = limits.taken(session.connection(), limits.limits_of(self._backend.tasks))
            if running.full:
                keys = [key[0] for _task, *key in running.full if key]
                waits = waits.where(Run.task.not_in([task for task, *key in running.full if not key]))
                waits = waits.where(Run.limit_key.is_(None) | Run.limit_key.not_in(keys))
            if full := limits.full_owners(session, caps.running_by_role(self._backend.settings)):
                waits = waits.where(Run.owner_id.not_in(full))
            oldest = waits.order_by(Run.due_at, Run.queued_at, Run.id).limit(MOST_PUSHES)
            return running.startable(session.execute(oldest))

    def _wake_due(self, is_due: ColumnElement[bool]) -> None:
        """Queue postponed runs that are due.

        A queue time in the future means that the clock was set back since. A retry then need not wait longer; a run
        that was scheduled still starts at its time.
        """
        postponed = select(Run.id).where(Run.state == State.QUEUED, Run.due_at.is_not(None), is_due)
        deadline = time.monotonic() + TURN_SECONDS
        while time.monotonic() < deadline:
            with self._backend.database.read() as session:
                due = session.scalars(postponed.order_by(Run.due_at).limit(PUSHES_AT_ONCE)).all()
            revive(self._backend, lease.become_due(self._backend.database, due) if due else ())
            if len(due) < PUSHES_AT_ONCE:
                break


def _run(row: Any) -> Run:
    """Return a run with the columns of TO_PUSH alone."""
    return Run(**row._mapping)


class Watch:
    """A detector of leases that are no longer renewed.

    If a lease has not changed for its full duration, measured by this process's monotonic clock, its worker is lost.
    Wall clocks are not compared, so clock jumps and differences between machines have no effect.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._seen: dict[tuple[int, str, datetime], float] = {}

    def unrenewed(self, leases: dict[int, tuple[str, datetime]]) -> dict[int, tuple[str, datetime]]:
        """Return the leases, by run id, that have not changed for a full lease duration."""
        now = time.monotonic()
        self._seen = {key: self._seen.get(key, now) for key in ((run, *held) for run, held in leases.items())}
        late = {run for (run, _, _), since in self._seen.items() if now - since >= self._lease_seconds}
        return {run: leases[run] for run in late}


def revive(backend: Backend, changes: Iterable[Change]) -> None:
    """Publish changes to runs that have left their worker, and push those that are queued again."""
    taken = list(changes)
    if not taken:
        return
    events.publish(backend.redis, *taken)
    with backend.database.read() as session:
        queued = in_states(session, [change.run_id for change in taken], {State.QUEUED})
        waits = select(*TO_PUSH).where(Run.id.in_(queued), Run.due_at.is_(None))
        runs = list(map(_run, session.execute(waits)))
        by_role = caps.running_by_role(backend.settings)
        freed = limits.waiting_for_any(session, [change.run_id for change in taken], by_role)
    for start in range(0, len(runs), PUSHES_AT_ONCE):
        if not push(backend, *runs[start : start + PUSHES_AT_ONCE]):
            return
    with contextlib.suppress(RedisError):  # the sweeper pushes what is lacking
        push_again(backend.queue, freed)
