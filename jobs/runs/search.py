"""Find an owner's runs by what is known of them: newest first, within a time, and saying how far it has looked.

Words are looked up in the index of `jobs.runs.run_text`. Postgres's has them not in the order of the runs, and SQLite's
is read for as long as nothing in it fits the other filters. So the search goes down from the newest run in steps of so
many ids, each longer than the one before as long as they are quick. A step that takes too long is ended and taken again
as shorter ones. What is left when the time is over is for the next call.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, TextClause, bindparam, func, select, text
from sqlalchemy.orm import Session

from jobs.runs import search_words
from jobs.runs.run import Run, RunId, State
from jobs.runs.run_tags import RunTag
from jobs.runs.run_text import DOWN_TO
from jobs.runs.selection import columns_of, is_postgres, newest_first
from jobs.storage.database import Database
from jobs.storage.time_limit import TookTooLong, time_limit

SEARCH_SECONDS = 0.2
STEP_SECONDS = 0.02  # a step is made so long that it takes about this, ...
LONGEST_STEP_SECONDS = 0.06  # ... and is ended after this
SHORTEST_STEP_SECONDS = 5.0  # even the shortest one, which must not fail, or no call would get any further
FIRST_STEP = 1024
MOST_CANDIDATES = FIRST_STEP  # of one step on Postgres, which has them in no order
SHORTEST_STEP = 128
GROWTH = 8
MOST_OF_FEW = 200

NEXT = (
    select(Run.id, Run.created_at)
    .where(Run.owner_id == bindparam("owner_id"), Run.id >= bindparam("run_id", type_=RunId))
    .order_by(Run.owner_id, Run.id)
    .limit(1)
)
"""An owner's first run with an id or a greater one."""

# Built once for each combination of conditions and an order. With EXISTS, SQLite goes through the words, which are in
# the order of the runs, and looks each run up. Whose a run is is never left to the index of words.
CONDITIONS = {
    "state": "AND runs.state = :state",
    "tag": "AND EXISTS (SELECT 1 FROM run_tags WHERE run_tags.run_id = runs.id AND run_tags.tag = :tag)",
    "starred": "AND runs.starred",
}
SQLITE = """
SELECT rowid FROM run_words WHERE run_words MATCH :words AND rowid BETWEEN :first AND :last
  AND EXISTS (SELECT 1 FROM runs WHERE runs.id = run_words.rowid AND runs.owner_id = :owner_id {conditions})
ORDER BY rowid {order} LIMIT :limit
"""
# Postgres takes a word that its statistics do not know for one in two hundred. For the newest ones with it, it would go
# through the runs instead of the index of words, and through all of them if the word is rare. So the plan is made for
# finding all of them, and ended when there are too many.
POSTGRES = """
WITH matching AS MATERIALIZED (
  SELECT run_id FROM run_texts
  WHERE owner_id = :owner_id AND run_id BETWEEN :first AND :last AND words @@ CAST(:words AS tsquery)
), candidates AS MATERIALIZED (SELECT run_id FROM matching LIMIT :most)
SELECT (SELECT count(*) FROM candidates) AS count, (
  SELECT array_agg(id) FROM (
    SELECT runs.id FROM candidates JOIN runs ON runs.id = candidates.run_id
    WHERE runs.owner_id = :owner_id {conditions} ORDER BY runs.id {order} LIMIT :limit
  ) AS fitting
) AS found
"""
# Each by itself: with IN, SQLite would go through all runs that have the words.
OF_SOME_IN_SQLITE = text("""
SELECT few.value FROM json_each(:run_ids) AS few
WHERE EXISTS (SELECT 1 FROM run_words WHERE run_words MATCH :words AND rowid = few.value)
""")
OF_SOME_IN_POSTGRES = text("""
SELECT run_id FROM run_texts WHERE words @@ CAST(:words AS tsquery)
  AND run_id IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:run_ids AS json)) AS few (value))
""")


@dataclass(frozen=True)
class Search:
    """Conditions that an owner's runs must all meet.

    Times are those of submission: not before `since`, and before `until`, but for the differences between the clocks of
    the machines, because ids are taken to be in the order of times. Each input is a name and a value. A phrase is
    a sequence of words that follow one another; with `*` at its end, its last word may go on. The runs are those below
    the id `before`, or the ones next above the id `after`.
    """

    owner_id: int
    task: str | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    phrases: tuple[str, ...] = ()
    before: int | None = None
    after: int | None = None
    tag: str | None = None
    starred: bool = False

    @property
    def needs_words(self) -> bool:
        """Return whether it takes the index of words to find the runs."""
        return bool(self.inputs or self.phrases)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions on the run itself, beside its task and its times."""
        return tuple(name for name in CONDITIONS if getattr(self, name))


class Found(NamedTuple):
    """The ids of runs, newest first.

    If the time was over before all was looked at, `stopped_at` is the id to go on from, and `stopped_time` the time up
    to which runs were looked at. `unindexed` is true if older runs cannot be searched yet.
    """

    run_ids: Sequence[int]
    stopped_at: int | None = None
    stopped_time: datetime | None = None
    unindexed: bool = False


class Ids(NamedTuple):
    """The ids from one to another, both included."""

    first: int
    last: int


NOTHING = Ids(1, 0)


def find(database: Database, search: Search, limit: int, seconds: float | None = None) -> Found:
    """Return the newest runs that fit, at most so many; with `after`, those next above it.

    It takes about so many seconds at most, or SEARCH_SECONDS.
    """
    with database.read() as session:
        ids = _bounds(session, search)
        if ids.first > ids.last:
            return Found(())
        if not search.needs_words:
            return Found(sorted(session.scalars(_by_columns(session, search, ids, limit)), reverse=True))
        indexed = Ids(max(ids.first, session.scalars(DOWN_TO).one()), ids.last)
    run_ids, rest = _walk(
        database, search, indexed, limit, time.monotonic() + (SEARCH_SECONDS if seconds is None else seconds)
    )
    unindexed = indexed.first > ids.first and len(run_ids) < limit
    if rest is None:
        return Found(sorted(run_ids, reverse=True), unindexed=unindexed)
    stopped_at = rest.last + 1 if search.after is None else rest.first - 1
    with database.read() as session:
        at = session.execute(NEXT, {"owner_id": search.owner_id, "run_id": stopped_at}).first()
    return Found(sorted(run_ids, reverse=True), stopped_at, at and at.created_at)


def _bounds(session: Session, search: Search) -> Ids:
    """Return the ids among which the runs are, by the times and the place that were given."""
    mine = select(func.max(Run.id)).where(Run.owner_id == search.owner_id)
    last = session.scalar(mine) or 0
    first = 1 if search.after is None else search.after + 1
    if search.before is not None:
        last = min(last, search.before - 1)
    if search.since is not None:
        first = max(first, _first_since(session, search.owner_id, search.since, last))
    if search.until is not None:
        last = min(last, _first_since(session, search.owner_id, search.until, last) - 1)
    return Ids(first, last)


def _first_since(session: Session, owner_id: int, moment: datetime, last: int) -> int:
    """Return the least id from which on an owner's runs up to the last one were submitted at a moment or later."""
    first, beyond = 1, last + 1
    while first < beyond:
        middle = (first + beyond) // 2
        row = session.execute(NEXT, {"owner_id": owner_id, "run_id": middle}).first()
        if row is None or row.id > last or row.created_at >= moment:
            beyond = middle
        else:
            first = row.id + 1
    return first


def _walk(database: Database, search: Search, ids: Ids, limit: int, deadline: float) -> tuple[list[int], Ids | None]:
    """Return the runs found, and the ids that are left to look at if the time was over. At least one step is taken."""
    # For the beginning of a word, SQLite reads all words that begin so, each time, however short the step.
    is_whole = any(phrase.endswith("*") for phrase in search.phrases) and database.engine.dialect.name == "sqlite"
    found, step, all_ids = list[int](), ids.last if is_whole else FIRST_STEP, ids
    if search.conditions:
        found, ids = _of_few(database, search, ids, limit)
    while ids.first <= ids.last and len(found) < limit:
        begun = time.monotonic()
        if begun > deadline and ids != all_ids:
            return found, ids
        part, rest = _split(ids, step, search.after is not None)
        try:
            count, fitting = _look(database, search, part, limit - len(found), step == SHORTEST_STEP)
        except TookTooLong:
            step = max(SHORTEST_STEP, step // GROWTH**2)
            continue
        found, ids = [*found, *fitting], rest
        growth = GROWTH if time.monotonic() - begun < STEP_SECONDS else 1
        step = max(SHORTEST_STEP, int(step * min(growth, MOST_CANDIDATES / max(1, count))))
    return found, None


def _split(ids: Ids, step: int, from_below: bool) -> tuple[Ids, Ids]:
    """Return the ids to look at next, and the rest."""
    if from_below:
        end = min(ids.last, ids.first + step - 1)
        return Ids(ids.first, end), Ids(end + 1, ids.last)
    start = max(ids.first, ids.last - step + 1)
    return Ids(start, ids.last), Ids(ids.first, start - 1)


def _of_few(database: Database, search: Search, ids: Ids, limit: int) -> tuple[list[int], Ids]:
    """Return the runs found among the first ones that meet the conditions, and the ids that are left to look at.

    There are few runs in most states, and going through all those that have the words would take long to find them.
    """
    with database.read() as session:
        few = session.scalars(_by_columns(session, search, ids, MOST_OF_FEW)).all()
        words = _tsquery(search) if is_postgres(session) else _fts5(search)
        statement = OF_SOME_IN_POSTGRES if is_postgres(session) else OF_SOME_IN_SQLITE
        having = session.scalars(statement, {"run_ids": json.dumps(few), "words": words}).all()
    found = sorted(having, reverse=search.after is None)[:limit]
    if len(few) < MOST_OF_FEW:
        return found, NOTHING
    return found, Ids(ids.first, few[-1] - 1) if search.after is None else Ids(few[-1] + 1, ids.last)


def _look(database: Database, search: Search, ids: Ids, limit: int, is_shortest: bool) -> tuple[int, Sequence[int]]:
    """Return the first runs that fit, and how many have the words, if that is known."""
    most = SHORTEST_STEP_SECONDS if is_shortest else LONGEST_STEP_SECONDS
    given = {"owner_id": search.owner_id, "first": ids.first, "last": ids.last, "limit": limit}
    given |= {name: getattr(search, name) for name in search.conditions}
    with database.read() as session, time_limit(session, most):
        statement = _statement(is_postgres(session), search.conditions, search.after is not None)
        if not is_postgres(session):
            return 0, session.scalars(statement, {**given, "words": _fts5(search)}).all()
        candidates = {"words": _tsquery(search), "most": MOST_CANDIDATES + 1}
        count, found = session.execute(statement, {**given, **candidates}).one()
    if count > MOST_CANDIDATES:
        raise TookTooLong
    return count, found or ()


@cache
def _statement(for_postgres: bool, conditions: tuple[str, ...], from_below: bool) -> TextClause:
    named = " ".join(CONDITIONS[name] for name in conditions)
    return text((POSTGRES if for_postgres else SQLITE).format(conditions=named, order="ASC" if from_below else "DESC"))


def _by_columns(session: Session, search: Search, ids: Ids, limit: int) -> Select[int]:
    given = columns_of(search.owner_id, search)
    query = newest_first(is_postgres(session), select(Run.id), given, *ids)
    *_leading, last = given
    order = (RunTag.run_id,) if search.tag else (Run.id,) if search.starred else (last, Run.id)
    return query.order_by(None).order_by(*_order(search, *order)).limit(limit)


def _order(search: Search, *columns: Any) -> list[Any]:
    return list(columns) if search.after is not None else [column.desc() for column in columns]


def _phrases(search: Search) -> list[tuple[list[str], bool]]:
    """Return the words of each phrase, and whether its last word may go on."""
    exact = [] if search.task is None else [search_words.of_task(search.task)]
    exact += [search_words.of_input(name, value) for name, value in search.inputs]
    spoken = [(search_words.words_in(phrase), phrase.endswith("*")) for phrase in search.phrases]
    return [*(([word], False) for word in exact), *((words, goes_on) for words, goes_on in spoken if words)]


def _tsquery(search: Search) -> str:
    phrases = (
        " <-> ".join(f"'{word}'" for word in words) + (":*" if goes_on else "") for words, goes_on in _phrases(search)
    )
    return " & ".join(f"({phrase})" for phrase in phrases)


def _fts5(search: Search) -> str:
    phrases = [([search_words.of_owner(search.owner_id)], False), *_phrases(search)]
    return " ".join(f'"{" ".join(words)}"' + (" *" if goes_on else "") for words, goes_on in phrases)
