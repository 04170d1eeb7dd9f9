"""What a worker does with one run: claim it, have its task called, record how it ended."""

import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from jobs import events, lease
from jobs.backend import Backend
from jobs.lease import LEASE_SECONDS, RENEW_SECONDS, Change
from jobs.outcome import Failure, Outcome, Success
from jobs.runs import Run

log = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1.0

Report = Callable[[float | None, str], None]
Execute = Callable[[Run, Report], Outcome]


def attend(backend: Backend, run_id: int, worker: str, execute: Execute) -> None:
    """See a run through, if it still waits; a run that somebody else has is left alone.

    `execute` calls the task, wherever that is, and passes its progress on to the function it is given.
    """
    run = lease.claim(backend.database, run_id, worker)
    if run is None:
        log.info("run %d does not wait any more", run_id)
        return
    events.publish(backend.redis, Change(run.id, run.owner_id, run.version))

    def report(fraction: float | None, note: str) -> None:
        try:
            change = lease.report(backend.database, run, fraction, note)
        except SQLAlchemyError:
            log.warning("the progress of run %d could not be recorded; it goes on", run_id, exc_info=True)
            return
        if change:
            events.publish(backend.redis, change)

    outcome = execute(run, report)
    if change := _record_patiently(backend, run, outcome):
        events.publish(backend.redis, change)
    else:
        log.warning("run %d was taken over by another worker; its outcome here is dropped", run_id)


def _record_patiently(backend: Backend, run: Run, outcome: Outcome) -> Change | None:
    """Record an outcome, also when the database is away for a while: the lease tells how long that is worth it."""
    deadline = time.monotonic() + LEASE_SECONDS - RENEW_SECONDS
    while True:
        try:
            return _record(backend, run, outcome)
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            log.warning("the outcome of run %d could not be recorded yet", run.id, exc_info=True)
            time.sleep(RECORD_AGAIN_SECONDS)


def _record(backend: Backend, run: Run, outcome: Outcome) -> Change | None:
    if isinstance(outcome, Success):
        return lease.succeed(backend.database, run, outcome.result)
    return lease.fail(backend.database, run, outcome)


def warm_up(backend: Backend) -> None:
    """Compile the statements of a run's life, by changing a run that cannot exist."""
    nobody = Run(id=0, lease_token="")
    lease.claim(backend.database, nobody.id, "")
    lease.report(backend.database, nobody, None, "")
    lease.succeed(backend.database, nobody, None)
    lease.fail(backend.database, nobody, Failure("", ""))
