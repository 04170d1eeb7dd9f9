"""Runs that do for another submission: one that waits or runs with the same parameters, or a result that is kept.

Both are found by a digest, and only among the runs of the same owner. A unique index on it keeps two submissions at the
same time from both being accepted.
"""

import hashlib
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from jobs.authoring.code_version import code_version
from jobs.authoring.same_runs import digest
from jobs.authoring.task import Task
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow

# Written out, because the databases use an index of some rows only for a condition that they can read.
LIVE = text("runs.state IN ('queued', 'running') AND runs.unique_key IS NOT NULL")


class Existing(StrEnum):
    """The reason why a submission has led to a run that was there before it."""

    KEY = "key"
    UNIQUE = "unique"
    REUSE = "reuse"


class Submitted(NamedTuple):
    """The run that a submission has led to, and why if that is not a new one."""

    run: Run
    existing: Existing | None = None


def mark(run: Run, task: Task, parameters: BaseModel) -> None:
    """Note by what another submission finds a new run, if its task wants that."""
    if not (task.unique or task.reuse) or (key := digest(task.name, parameters)) is None:
        return
    run.unique_key = key if task.unique else None
    if task.reuse and (code := code_version(task.function.__code__.co_filename).partition(" ")[0]):
        run.reuse_key = hashlib.sha256(f"{key} {code}".encode()).hexdigest()


def found(session: Session, task: Task, run: Run, anyway: bool) -> Submitted | None:
    """Return the run that does for a new one, or None. With `anyway`, no result is used again."""
    if run.unique_key:
        mine = select(Run).where(Run.owner_id == run.owner_id, Run.unique_key == run.unique_key, LIVE)
        if live := session.scalar(mine):
            return Submitted(live, Existing.UNIQUE)
    if run.reuse_key and task.reuse and not anyway:
        kept = select(Run).where(Run.owner_id == run.owner_id, Run.reuse_key == run.reuse_key)
        recent = kept.where(Run.state == State.SUCCEEDED, Run.ended_at >= utcnow() - task.reuse)
        if done := session.scalar(recent.order_by(Run.id.desc()).limit(1)):
            return Submitted(done, Existing.REUSE)
    return None
