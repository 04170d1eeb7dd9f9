"""Name the limit that keeps a waiting run from starting (jobs.runs.limits), and the run that holds it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Settings
from jobs.authoring.options import OWNER, RunOptions
from jobs.runs import caps
from jobs.runs.limits import RUNNING, limits_of
from jobs.runs.run import Run

# Few rows: there are no more than workers.
HOLDERS = select(Run.id, Run.owner_id, Run.task, Run.limit_key).where(RUNNING).order_by(Run.started_at, Run.id)


class Limited(StrEnum):
    """The kinds of limits."""

    TASK = "task"
    KEY = "key"
    OWNER = "owner"


@dataclass(frozen=True)
class Blocked:
    """A limit that is reached: what it is for, the most runs at once, and the run that has held it for longest.

    `holder` is None if that is another user's. `per` is the parameter for each value of which the limit holds.
    """

    by: Limited
    most: int
    holder: int | None
    per: str = ""


def blocked(
    session: Session, settings: Settings, tasks: Mapping[str, RunOptions], runs: Collection[Run]
) -> Mapping[int, Blocked]:
    """Return which of these waiting runs a limit keeps from starting, by their ids: the task's before the owner's."""
    holders, limits = session.execute(HOLDERS).all(), limits_of(tasks)
    found = {}
    for run in runs:
        if limit := limits.get(run.task):
            per = tasks[run.task].per or ""
            kind = Limited.OWNER if per == OWNER else Limited.KEY if per else Limited.TASK
            same = [held for held in holders if _is_alike(held, run, limit.has_keys)]
            if len(same) >= limit.most:
                holder = same[0].id if same[0].owner_id == run.owner_id else None
                found[run.id] = Blocked(kind, limit.most, holder, per)
    owners = {run.owner_id for run in runs if run.id not in found} & {held.owner_id for held in holders}
    for owner_id in sorted(owners):
        most = caps.caps_of(session, settings, owner_id).running_runs
        own = [held.id for held in holders if held.owner_id == owner_id]
        if len(own) >= most:
            waiting = (run.id for run in runs if run.owner_id == owner_id and run.id not in found)
            found |= dict.fromkeys(waiting, Blocked(Limited.OWNER, most, own[0]))
    return found


def _is_alike(held: Any, run: Run, has_keys: bool) -> bool:
    return held.task == run.task and (not has_keys or held.limit_key == run.limit_key)
