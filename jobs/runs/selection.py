"""Selections of an owner's runs, newest first, each read from an index in its order, and never further than shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVarTuple

from sqlalchemy import CTE, Integer, Select, bindparam, func, select, true, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from jobs.runs.run import LARGEST_ID, Run, RunId, State
from jobs.runs.run_tags import RunTag
from jobs.storage.database import at_once, integers

LATEST = 100

Columns = TypeVarTuple("Columns")


@dataclass(frozen=True)
class Selection:
    """A selection of one owner's runs, newest first, and below the id `before`.

    It is filtered by task, state, id or tag, or to those that are starred. With `running_first`, all that are running
    come before the others. With `run_ids`, those of them that still exist.
    """

    owner_id: int
    task: str | None = None
    state: State | None = None
    run_id: int | None = None
    before: int | None = None
    limit: int = 25
    tag: str | None = None
    starred: bool = False
    run_ids: tuple[int, ...] | None = None
    running_first: bool = False

    @property
    def parts(self) -> "list[Selection]":
        """The selections that follow each other in this one. A run of several of them belongs to the first."""
        if not self.running_first or self.state:
            return [self]
        return [replace(self, running_first=False, state=state) for state in (State.RUNNING, None)]


class Ending(NamedTuple):
    """The end of a run: its attempt, final state and time."""

    run_id: int
    attempt: int
    task: str
    state: State
    ended_at: datetime


def listed(session: Session, selection: Selection) -> Sequence[Run]:
    """Return the runs of a selection in its order."""
    found = {run.id: run for part in selection.parts for run in _of_part(session, part)}
    return list(found.values())[: selection.limit]


def _of_part(session: Session, selection: Selection) -> Sequence[Run]:
    if selection.run_ids is not None:
        return session.scalars(NAMED, {"given_owner": selection.owner_id, "run_ids": selection.run_ids}).all()
    (first, last), columns = _bounds(selection), columns_of(selection.owner_id, selection)
    query = _listed(is_postgres(session), tuple(columns), selection.run_id is not None)
    given = {f"given_{column.key}": value for column, value in columns.items()}
    return session.scalars(query, {**given, "first": first, "last": last, "limit": selection.limit}).all()


def versions(session: Session, selections: Sequence[Selection]) -> list[list[tuple[int, int]]]:
    """Return each selection's run ids and versions, in its order, with one statement per distinct filter."""
    parts = [(place, part) for place, one in enumerate(selections) for part in one.parts]
    found: list[dict[int, int]] = [{} for _ in selections]
    for (place, _part), runs in zip(parts, _of_parts(session, [part for _place, part in parts]), strict=True):
        for run_id, version in runs:
            found[place].setdefault(run_id, version)
    return [list(runs.items())[: one.limit] for one, runs in zip(selections, found, strict=True)]


def _of_parts(session: Session, selections: Sequence[Selection]) -> list[list[tuple[int, int]]]:
    many = _versions if is_postgres(session) else _versions_in_sqlite
    found: list[list[tuple[int, int]]] = [[] for _ in selections]
    alike: dict[tuple[Any, ...], list[int]] = {}
    for place, one in enumerate(selections):
        is_named = one.run_id is not None or one.run_ids is not None
        filtered = (one.task, one.state, one.limit, one.tag, one.starred, is_named)
        alike.setdefault(filtered, []).append(place)
    connection = session.connection()  # its rows are plain; a session would look for objects in them
    for alike_as, places in alike.items():
        each = [
            (place, selections[place].owner_id, first, last)
            for place in places
            for first, last in _ranges(selections[place])
        ]
        asked = integers(session, "selections", "place", "owner_id", "first", "last")
        one, is_named = selections[places[0]], alike_as[-1]
        statement = _versions_of_single_runs(asked, one) if is_named else many(asked, one)
        for place, run_id, version in connection.execute(statement, {"selections": each}).all():
            found[place].append((run_id, version))
    return [sorted(runs, reverse=True) for runs in found]


def newest_ids(session: Session, selection: Selection, limit: int) -> Select[int]:
    """Return a query for the ids of the newest runs of a selection, at most so many."""
    columns, (first, last) = columns_of(selection.owner_id, selection), _bounds(selection)
    return newest_first(is_postgres(session), select(Run.id), columns, first, last).limit(limit)


def count_up_to(session: Session, selection: Selection, most: int) -> int:
    """Return how many runs a selection has, counting no further than this."""
    some = newest_ids(session, selection, most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def endings(session: Session, owner_id: int, after: datetime) -> list[Ending]:
    """Return the endings after a time among an owner's LATEST runs, oldest first."""
    found = session.connection().execute(_endings(is_postgres(session)), {"given_owner": owner_id, "after": after})
    return [Ending(run_id, attempt, task, state, at) for run_id, attempt, task, state, at in found if at]


def is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def newest_first(
    for_postgres: bool, query: Select[*Columns], columns: Mapping[Any, Any], first: Any = 0, last: Any = LARGEST_ID
) -> Select[*Columns]:
    """Restrict a query to runs with these values in these columns and an id between two, newest first.

    There must be an index with these columns, in this order, and the id. Runs with a tag, and starred ones, are read in
    the order of an index of their own; their other columns are only compared.
    """
    run_id: Any = Run.id
    if RunTag.tag in columns:
        query = query.where(*_same({column: columns[column] for column in columns if column is not RunTag.tag}))
        query = query.where(RunTag.run_id == Run.id)
        columns = {RunTag.owner_id: columns[Run.owner_id], RunTag.tag: columns[RunTag.tag]}
        run_id = RunTag.run_id
    elif Run.starred in columns:
        others = {column: columns[column] for column in columns if column is not Run.owner_id}
        query = query.where(*_same(others, aside=not for_postgres))
        columns = {Run.owner_id: columns[Run.owner_id]}
    if not for_postgres:
        same = (column == value for column, value in columns.items())
        return query.where(*same, run_id.between(first, last)).order_by(run_id.desc())
    # Postgres takes tasks and states for equally frequent among old and new runs. If they are not, it would go through
    # the newest runs of all, in the hope of soon finding enough. No other index has the order of the last column and
    # the id, though. A comparison of more columns would have it, too, but would read on to the end of the first one.
    *leading, (column, value) = columns.items()
    row = tuple_(column, run_id)
    between = (row >= tuple_(value, first)) & (row <= tuple_(value, last))
    same = (each == given for each, given in leading)
    return query.where(*same, between).order_by(column.desc(), run_id.desc())


# These queries are built once, because that takes longer than executing them, and they are executed at every change.

NAMED = (
    select(Run)
    .where(Run.id.in_(bindparam("run_ids", expanding=True)), Run.owner_id == bindparam("given_owner"))
    .order_by(Run.id.desc())
)


@cache
def _listed(for_postgres: bool, filtered: tuple[Any, ...], is_single: bool) -> Select[Run]:
    columns = {column: bindparam(f"given_{column.key}", type_=column.type) for column in filtered}
    first, last = bindparam("first", type_=RunId), bindparam("last", type_=RunId)
    if is_single:
        return select(Run).where(Run.id == first, Run.id <= last, *_same(columns))
    return newest_first(for_postgres, select(Run), columns, first, last).limit(bindparam("limit", type_=Integer))


@cache
def _endings(for_postgres: bool) -> Select[int, int, str, State, datetime | None]:
    owner = bindparam("given_owner", type_=Run.owner_id.type)
    latest = newest_first(for_postgres, select(Run.id), {Run.owner_id: owner}).limit(LATEST).subquery()
    ended = select(Run.id, Run.attempt, Run.task, Run.state, Run.ended_at)
    recent = ended.where(Run.id.in_(select(latest.c.id)), Run.ended_at > bindparam("after"))
    return recent.order_by(Run.ended_at, Run.id)


def _versions_of_single_runs(asked: CTE, one: Selection) -> Select[int, int, int]:
    found = select(asked.c.place, Run.id, Run.version)
    same = _same(columns_of(asked.c.owner_id, one))
    return found.where(Run.id == asked.c.first, Run.id <= asked.c.last, *same)


def _versions(asked: CTE, one: Selection) -> Select[int, int, int]:
    """Return a query for run versions of all selections with this filter."""
    fitting = select(Run.id, Run.version)
    found = newest_first(True, fitting, columns_of(asked.c.owner_id, one), asked.c.first, asked.c.last)
    each = found.limit(one.limit).lateral()
    return select(asked.c.place, each.c.id, each.c.version).join_from(asked, each, true())


def _versions_in_sqlite(asked: CTE, one: Selection) -> Select[int, int, int]:
    """Return the same query without LATERAL, which SQLite lacks. It finds the last run of each selection first."""
    fitting = select(Run.id)
    fitting = newest_first(False, fitting, columns_of(asked.c.owner_id, one), asked.c.first, asked.c.last)
    last = fitting.offset(one.limit - 1).limit(1).scalar_subquery()
    first = func.coalesce(last, asked.c.first).label("first")
    each = at_once(select(asked.c.place, asked.c.owner_id, first, asked.c.last))
    found = select(each.c.place, Run.id, Run.version)
    return newest_first(False, found, columns_of(each.c.owner_id, one), each.c.first, each.c.last).order_by(None)


def _bounds(selection: Selection) -> tuple[int, int]:
    """Return the lowest and highest run id of a selection."""
    last = LARGEST_ID if selection.before is None else selection.before - 1
    return (0, last) if selection.run_id is None else (selection.run_id, min(selection.run_id, last))


def _ranges(selection: Selection) -> list[tuple[int, int]]:
    """Return the lowest and highest run id of each part of a selection."""
    return [_bounds(selection)] if selection.run_ids is None else [(run_id, run_id) for run_id in selection.run_ids]


def columns_of(owner_id: Any, one: Any) -> dict[Any, Any]:
    """Return the columns that a selection, or a search, fixes, with their values."""
    columns = {Run.owner_id: owner_id, Run.task: one.task, Run.state: one.state, RunTag.tag: one.tag}
    columns[Run.starred] = one.starred or None
    return {column: value for column, value in columns.items() if value is not None}


def _same(columns: Mapping[Any, Any], aside: bool = False) -> list[Any]:
    """Return the conditions that a run has these values; `aside` keeps SQLite from reading it by an index of them."""
    conditions: list[Any] = [RunTag.run_id == Run.id] if RunTag.tag in columns else []
    for column, value in columns.items():
        if column is Run.starred:
            conditions.append(Run.starred)  # as it stands in its index, without a parameter
        else:
            plain = UnaryExpression(column, operator=custom_op("+"), type_=column.type) if aside else column
            conditions.append(plain == value)
    return conditions
