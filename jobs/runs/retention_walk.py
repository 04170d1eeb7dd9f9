"""The walk through all runs that deletes what the rules say: the rows a piece at a time, their files afterwards."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.runs import audit, events, retention
from jobs.runs.backend import Backend
from jobs.runs.deletion import delete_ended
from jobs.runs.retention import Judge, RetentionRule
from jobs.runs.run import Run
from jobs.runs.run_files import RunFileRow
from jobs.runs.usage import BYTES
from jobs.storage.database import Database

PAGE = 500
DELETED_AT_ONCE = 100
WALK_SECONDS = 0.2  # at each sweep
REST_SECONDS = 3600.0  # between two walks
PREVIEW_SECONDS = 2.0
# The columns before the results: on SQLite, those after a large result take as many reads as it has pages.
COLUMNS = (Run.id, Run.owner_id, Run.task, Run.state, Run.ended_at)


@dataclass
class Preview:
    """Runs that rules would delete, their bytes with their files, and those that stay because they are exempt.

    `is_whole` is false if the time was over before all runs were looked at.
    """

    runs: int = 0
    size: int = 0
    exempt: int = 0
    is_whole: bool = True


class Doomed(NamedTuple):
    """The runs of a page that rules delete, with their bytes, and the exempt ones among them."""

    sizes: dict[int, int]
    exempt: set[int]


class RetentionWalk:
    """A walk from the oldest run to the newest, some pages at each sweep, and again an hour after its end."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._judge: Judge | None = None
        self._known: list[tuple[int, str]] = []
        self._after = 0
        self._next = 0.0

    def sweep(self) -> None:
        """Go on with the walk for a moment, or begin one if it is time or the rules have changed."""
        rules = retention.rules(self._backend.database)
        known = [(rule.id, str(rule.values)) for rule in rules]
        if known != self._known:
            self._known, self._judge, self._next = known, None, 0.0
        if not rules or time.monotonic() < self._next:
            return
        if self._judge is None:
            self._judge, self._after = Judge(rules), 0
        deadline = time.monotonic() + WALK_SECONDS
        while time.monotonic() < deadline:
            if not self._turn_page(self._judge):
                self._judge, self._next = None, time.monotonic() + REST_SECONDS
                break

    def _turn_page(self, judge: Judge) -> bool:
        """Delete what is to go of the next page, and return whether there was one."""
        with self._backend.database.read() as session:
            page = _page(session, self._after)
            doomed = _doomed(session, judge, page)
        ids = [run_id for run_id in doomed.sizes if run_id not in doomed.exempt]
        for first in range(0, len(ids), DELETED_AT_ONCE):
            delete_runs(self._backend, ids[first : first + DELETED_AT_ONCE])
        if page:
            self._after = page[-1].id
        return len(page) == PAGE


def delete_runs(backend: Backend, run_ids: Sequence[int]) -> None:
    """Delete those of some runs that have ended and are not exempt at this moment."""
    with backend.database.write() as session:
        # Whoever stars or shares a run locks it, too.
        locked = select(Run.id).where(Run.id.in_(run_ids)).order_by(Run.id).with_for_update(skip_locked=True)
        ids = set(session.scalars(locked))
        changes = delete_ended(session, ids - retention.exempt(session, ids))
        if changes:
            numbers = [change.run_id for change in changes]
            facts = {"runs": len(numbers), "first": min(numbers), "last": max(numbers)}
            audit.note(session, "runs deleted", "by the rules of retention", after=facts)
    events.publish(backend.redis, *changes)


def preview(database: Database, rules: Sequence[RetentionRule]) -> Preview:
    """Return what these rules would delete now, as far as can be seen within PREVIEW_SECONDS."""
    found, judge, after = Preview(), Judge(rules), 0
    deadline = time.monotonic() + PREVIEW_SECONDS
    while True:
        with database.read() as session:
            page = _page(session, after)
            doomed = _doomed(session, judge, page)
        found.exempt += len(doomed.exempt)
        found.runs += len(doomed.sizes) - len(doomed.exempt)
        found.size += sum(size for run_id, size in doomed.sizes.items() if run_id not in doomed.exempt)
        if len(page) < PAGE:
            return found
        after = page[-1].id
        if time.monotonic() > deadline:
            found.is_whole = False
            return found


def _page(session: Session, after: int) -> Sequence[Any]:
    return session.execute(select(*COLUMNS).where(Run.id > after).order_by(Run.id).limit(PAGE)).all()


def _doomed(session: Session, judge: Judge, page: Sequence[Any]) -> Doomed:
    sizes: dict[int, int] = {}
    exempt = set[int]()
    for row in page:
        if not judge.deletes(session, row):
            continue
        sizes[row.id] = _size(session, row.id)
        stays = retention.exempt(session, [row.id])
        exempt |= stays
        if not stays:
            judge.freed(row.owner_id, sizes[row.id])
    return Doomed(sizes, exempt)


def _size(session: Session, run_id: int) -> int:
    own = session.scalar(select(BYTES).where(Run.id == run_id)) or 0
    files = session.scalar(select(func.coalesce(func.sum(RunFileRow.size), 0)).where(RunFileRow.run_id == run_id))
    return own + int(files or 0)
