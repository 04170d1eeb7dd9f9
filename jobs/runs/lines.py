"""The runs that wait in the lanes of jobs.runs.turns and are not paused, as far as an estimate of a wait needs them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, Integer, Select, bindparam, func, literal_column, select, true, tuple_
from sqlalchemy.orm import Session

from jobs.runs.pauses import not_paused
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


@dataclass(frozen=True)
class Line:
    """One owner's first runs that wait, in their order, as id and task. `goes_on` if there are more."""

    vtime: float
    since: int
    weight: float
    runs: Sequence[tuple[int, str]]
    goes_on: bool


def lines(session: Session, wanted: Collection[Run]) -> list[Line]:
    """Return the lines of the wanted runs, each up to its last wanted run, and the beginnings of all others.

    They hold about 2 * MOST_AHEAD runs altogether: the more lines there are, the less is read of each.
    """
    connection = session.connection()
    last = {run.owner_id: max(other.id for other in wanted if other.owner_id == run.owner_id) for run in wanted}
    own = {row.owner_id: row for row in connection.execute(OWN_PLACES, {"owners": list(last)})}
    others = {row.owner_id: row for row in connection.execute(FIRST_PLACES) if row.owner_id not in last}
    most = max(1, MOST_AHEAD // max(1, len(others)))
    mine = _first_runs(session, last, MOST_AHEAD + 1)
    theirs = _first_runs(session, dict.fromkeys(others, LARGEST_ID), most + 1)
    found = [_line(own.get(owner_id), runs, len(runs)) for owner_id, runs in mine.items()]
    return found + [_line(others[owner_id], runs, most) for owner_id, runs in theirs.items()]


def _line(place: Any, runs: Sequence[tuple[int, str]], most: int) -> Line:
    # An owner whose lane has yet to be made starts with the others.
    vtime, since, weight = (place.vtime, place.since, place.weight) if place else (0.0, runs[0][0], 1.0)
    return Line(vtime, since, weight, runs[:most], len(runs) > most)


def _first_runs(session: Session, last: dict[int, int], most: int) -> dict[int, list[tuple[int, str]]]:
    """Return the first runs of owners, each up to an id, by owner."""
    if not last:
        return {}
    asked = integers(session, "asked", "owner_id", "last")
    query = (_in_postgres if is_postgres(session) else _in_sqlite)(asked)
    runs = defaultdict[int, list[tuple[int, str]]](list)
    given = {"asked": list(last.items()), "most": most}
    for owner_id, run_id, task in session.connection().execute(query, given):
        runs[owner_id].append((run_id, task))
    return {owner_id: sorted(found) for owner_id, found in runs.items()}


def _in_postgres(asked: CTE) -> Select[int, int, str]:
    # Without the comparison of two columns, Postgres might go through all runs of the owner, also those that ended.
    row = tuple_(Run.state, Run.id)
    between = (row >= tuple_(QUEUED, 0)) & (row <= tuple_(QUEUED, asked.c.last))
    fitting = select(Run.id, Run.task).where(
        Run.owner_id == asked.c.owner_id, between, Run.due_at.is_(None), not_paused()
    )
    each = fitting.order_by(Run.state, Run.id).limit(bindparam("most", type_=Integer)).correlate(asked).lateral()
    return select(asked.c.owner_id, each.c.id, each.c.task).join_from(asked, each, true())


def _in_sqlite(asked: CTE) -> Select[int, int, str]:
    """Return the same query without LATERAL, which SQLite lacks. It finds the last run of each line first."""
    fitting = select(Run.id).where(
        Run.owner_id == asked.c.owner_id, Run.state == QUEUED, Run.id <= asked.c.last, not_paused()
    )
    beyond = fitting.order_by(Run.id).offset(bindparam("most", type_=Integer) - 1).limit(1).correlate(asked)
    last = func.coalesce(beyond.scalar_subquery(), asked.c.last).label("last")
    each = at_once(select(asked.c.owner_id, last))
    found = select(each.c.owner_id, Run.id, Run.task)
    return found.where(
        Run.owner_id == each.c.owner_id, Run.state == QUEUED, Run.id <= each.c.last, Run.due_at.is_(None), not_paused()
    )
