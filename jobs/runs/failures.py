"""The failures of the last days, grouped by their error: the task, its kind, and its message without what varies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from jobs.runs.run import Run, State
from jobs.storage.database import utcnow

DAYS = 7
MOST = 400
LONGEST_MESSAGE = 300
LATEST = 5
# Numbers, addresses in memory, digests, and what is quoted differ from run to run, and may be what a user has entered.
VARYING = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|\d+(?:[.,:]\d+)*""")

# Written out, so that Postgres sees that the index of failures has them.
FAILED = Run.state == bindparam(None, State.FAILED, literal_execute=True)
NEWEST = (
    select(
        Run.id, Run.owner_id, Run.task, Run.error_kind, func.substr(Run.error_message, 1, LONGEST_MESSAGE), Run.ended_at
    )
    .where(FAILED, Run.ended_at > bindparam("after"))
    .order_by(Run.ended_at.desc())
    .limit(MOST)
)


@dataclass
class FailureGroup:
    """Failures with the same error, the newest first. `latest` are the newest runs: id, owner, and when they ended."""

    task: str
    kind: str
    message: str
    count: int = 0
    owner_ids: set[int] = field(default_factory=set)
    latest: list[tuple[int, int, datetime]] = field(default_factory=list)


def grouped(session: Session, days: int = DAYS) -> tuple[Sequence[FailureGroup], bool]:
    """Group the newest failures, up to MOST, the most frequent first; return also whether there may be more."""
    rows = session.connection().execute(NEWEST, {"after": utcnow() - timedelta(days=days)}).all()
    groups: dict[tuple[str, str, str], FailureGroup] = {}
    for run_id, owner_id, task, kind, message, ended_at in rows:
        key = (task, kind or "", normalised(message or ""))
        group = groups.setdefault(key, FailureGroup(*key))
        group.count += 1
        group.owner_ids.add(owner_id)
        if len(group.latest) < LATEST:
            group.latest.append((run_id, owner_id, ended_at))
    return sorted(groups.values(), key=lambda group: -group.count), len(rows) == MOST


def normalised(message: str) -> str:
    """Return the first line of a message with … in the place of numbers and quotations."""
    return VARYING.sub("…", message.strip().partition("\n")[0])
