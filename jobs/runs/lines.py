"""The runs that wait in the lanes of jobs.runs.turns and are not paused, as far as an estimate of a wait needs them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CTE, Integer, Select, bindparam, func, literal_column, select, true, tuple_
from sqlalchemy.orm import Session

from jobs.runs.pauses import Kind, Pause
from jobs.runs.people import Person
from jobs.runs.run import LARGEST_ID, Run
from jobs.runs.selection import is_postgres
from jobs.runs.turns import Lane
from jobs.storage.database import at_once, integers

MOST_AHEAD = 1000  # the queue may be longer, and this is called whenever a page changes

QUEUED = literal_column("'queued'", Run.state.type)
PLACES = select(Lane.owner_id, Lane.vtime, Lane.since, Person.weight).join(Person, Person.id == Lane.owner_id)
OWN_PLACES = PLACES.where(Lane.owner_id.in_(bindparam("owners", expanding=True)))
FIRST_PLACES = PLACES.order_by(Lane.vtime, Lane.since).limit(MOST_AHEAD)


class Waiting(NamedTuple):
    """A run that waits."""

    id: int
    task: str
    queued_at: datetime
    input_bytes: int | None


@dataclass(frozen=True)
class Line:
    """One owner's first runs that wait, in their order. `goes_on` if there are more."""

    owner_id: int
    vtime: float
    since: int
    weight: float
    runs: Sequence[Waiting]
    goes_on: bool


def lines(session: Session, owners: Collection[int], pauses: Collection[Pause] = ()) -> list[Line]:
    """Return the lines of these owners, each up to MOST_AHEAD + 1 runs, and the beginnings of all others.

    Runs that a pause holds back are left out.

    The others hold about MOST_AHEAD runs altogether: the more lines there are, the less is read of each.
    """
    connection = session.connection()
    own = {row.owner_id: row for row in connection.execute(OWN_PLACES, {"owners": list(owners)})}
    others = {row.owner_id: row for row in connection.execute(FIRST_PLACES) if row.owner_id not in owners}
    most = max(1, MOST_AHEAD // max(1, len(others)))
    mine = _first_runs(session, owners, MOST_AHEAD + 1, pauses)
    theirs = _first_runs(session, others, most + 1, pauses)
    found = [_line(owner_id, own.get(owner_id), runs, len(runs)) for owner_id, runs in mine.items()]
    return found + [_line(owner_id, others[owner_id], runs, most) for owner_id, runs in theirs.items()]


def _line(owner_id: int, place: Any, runs: Sequence[Waiting], most: int) -> Line:
    # An owner whose lane has yet to be made starts with the others.
    vtime, since, weight = (place.vtime, place.since, place.weight) if place else (0.0, runs[0][0], 1.0)
    return Line(owner_id, vtime, since, weight, runs[:most], len(runs) > most)


def _first_runs(
    session: Session, owners: Collection[int], most: int, pauses: Collection[Pause]
) -> dict[int, list[Waiting]]:
    """Return the first runs of owners that wait, by owner."""
    if not owners:
        return {}
    asked = integers(session, "asked", "owner_id")
    query = (_in_postgres if is_postgres(session) else _in_sqlite)(asked)
    runs = defaultdict[int, list[Waiting]](list)
    given = {"asked": [[owner_id] for owner_id in owners], "most": most}
    held = {(pause.kind, pause.name) for pause in pauses}
    for owner_id, run_id, task, queued_at, input_bytes in session.connection().execute(query, given):
        run = Waiting(run_id, task, queued_at, input_bytes)
        if not held & {(Kind.TASK, run.task), (Kind.USER, str(owner_id))}:
            runs[owner_id].append(run)
    return {owner_id: sorted(found) for owner_id, found in runs.items()}


def _in_postgres(asked: CTE) -> Select[int, int, str, datetime, int | None]:
    # Without the comparison of two columns, Postgres might go through all runs of the owner, also those that ended.
    row = tuple_(Run.state, Run.id)
    queued = (row >= tuple_(QUEUED, 0)) & (row <= tuple_(QUEUED, LARGEST_ID))
    mine = Run.owner_id == asked.c.owner_id
    fitting = select(Run.id, Run.task, Run.queued_at, Run.input_bytes).where(mine, queued, Run.due_at.is_(None))
    each = fitting.order_by(Run.state, Run.id).limit(bindparam("most", type_=Integer)).correlate(asked).lateral()
    return select(asked.c.owner_id, each.c.id, each.c.task, each.c.queued_at, each.c.input_bytes).join_from(
        asked, each, true()
    )


def _in_sqlite(asked: CTE) -> Select[int, int, str, datetime, int | None]:
    """Return the same query without LATERAL, which SQLite lacks. It finds the last run of each line first."""
    queued = select(Run.id).where(Run.owner_id == asked.c.owner_id, Run.state == QUEUED)
    beyond = queued.order_by(Run.id).offset(bindparam("most", type_=Integer) - 1).limit(1).correlate(asked)
    last = func.coalesce(beyond.scalar_subquery(), LARGEST_ID).label("last")
    each = at_once(select(asked.c.owner_id, last))
    found = select(each.c.owner_id, Run.id, Run.task, Run.queued_at, Run.input_bytes).where(
        Run.owner_id == each.c.owner_id, Run.state == QUEUED
    )
    return found.where(Run.id <= each.c.last, Run.due_at.is_(None))
