"""The runs that workers execute now, as administrators see them: the task, whose run, and since when."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.runs import Run, State
from webapp.accounts.users import Account


class AtWork(NamedTuple):
    run_id: int
    task: str
    owner_id: int
    email: str
    started_at: datetime | None


def by_worker(session: Session, limit: int) -> Mapping[str, AtWork]:
    """Return the run of each worker that has one, by the worker's name."""
    columns = select(Run.worker, Run.id, Run.task, Run.owner_id, Account.email, Run.started_at)
    running = columns.join(Account, Account.id == Run.owner_id).where(Run.state == State.RUNNING).limit(limit)
    return {
        str(row.worker): AtWork(row.id, row.task, row.owner_id, row.email, row.started_at)
        for row in session.execute(running)
    }
