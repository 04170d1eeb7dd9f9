"""Find an owner's runs by what is known of them: newest first, within a time, and saying how far it has looked.

Words are looked up in the index of `jobs.runs.run_text`. Postgres's has them not in the order of the runs, and SQLite's
is read for as long as nothing in it fits the other filters. So the search goes down from the newest run in steps of so
many ids, each longer than the one before as long as they are quick. A step that takes too long is ended and taken again
as shorter ones. What is left when the time is over is for the next call.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Select, Table, column, exists, func, literal_column, select, text
from sqlalchemy.orm import Session

from jobs.runs import search_words
from jobs.runs.run import Run, RunId, State
from jobs.runs.run_tags import RunTag
from jobs.runs.run_text import RunText, SearchProgress
from jobs.runs.selection import is_postgres, newest_first
from jobs.storage.database import Database
from jobs.storage.time_limit import TookTooLong, time_limit

SEARCH_SECONDS = 0.2
STEP_SECONDS = 0.02  # a step is made so long that it takes about this, ...
LONGEST_STEP_SECONDS = 0.06  # ... and is ended after this
SHORTEST_STEP_SECONDS = 5.0  # even the shortest one, which must not fail, or no call would get any further
FIRST_STEP = 1024
SHORTEST_STEP = 128
GROWTH = 8
# Ids are in the order of submission, and so are times but for the differences between the machines' clocks.
CLOCKS_DIFFER = timedelta(seconds=60)

RUNS = cast(Table, Run.__table__)
ROW = column("rowid", RunId)
WORDS: ColumnElement[str] = literal_column("run_words")


@dataclass(frozen=True)
class Search:
    """Conditions that an owner's runs must all meet.

    Times are those of submission: not before `since`, and before `until`. Each input is a name and a value. A phrase is
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


def find(database: Database, search: Search, limit: int) -> Found:
    """Return the newest runs that fit, at most so many; with `after`, those next above it."""
    with database.read() as session:
        ids = _bounds(session, search)
        if not search.needs_words:
            return Found(sorted(session.scalars(_by_columns(session, search, ids, limit)), reverse=True))
        indexed = Ids(max(ids.first, session.scalars(select(SearchProgress.down_to)).one()), ids.last)
    run_ids, rest = _walk(database, search, indexed, limit, time.monotonic() + SEARCH_SECONDS)
    unindexed = indexed.first > ids.first and len(run_ids) < limit
    if rest is None:
        return Found(sorted(run_ids, reverse=True), unindexed=unindexed)
    stopped_at = rest.last + 1 if search.after is None else rest.first - 1
    with database.read() as session:
        at = session.scalar(_run_next_to(search.owner_id, stopped_at).with_only_columns(Run.created_at))
    return Found(sorted(run_ids, reverse=True), stopped_at, at)


def _bounds(session: Session, search: Search) -> Ids:
    """Return the ids among which the runs are, by the times and the place that were given."""
    mine = select(func.max(Run.id)).where(Run.owner_id == search.owner_id)
    last = session.scalar(mine) or 0
    first = 1 if search.after is None else search.after + 1
    if search.before is not None:
        last = min(last, search.before - 1)
    if search.since is not None:
        first = max(first, _first_since(session, search.owner_id, search.since - CLOCKS_DIFFER, last))
    if search.until is not None:
        last = min(last, _first_since(session, search.owner_id, search.until + CLOCKS_DIFFER, last) - 1)
    return Ids(first, last)


def _first_since(session: Session, owner_id: int, moment: datetime, last: int) -> int:
    """Return the least id from which on an owner's runs up to the last one were submitted at a moment or later."""
    first, beyond = 1, last + 1
    while first < beyond:
        middle = (first + beyond) // 2
        row = session.execute(_run_next_to(owner_id, middle)).first()
        if row is None or row.id > last or row.created_at >= moment:
            beyond = middle
        else:
            first = row.id + 1
    return first


def _run_next_to(owner_id: int, run_id: int) -> Select[int, datetime]:
    """Return a query for an owner's first run with an id or a greater one."""
    mine = select(Run.id, Run.created_at).where(Run.owner_id == owner_id, Run.id >= run_id)
    return mine.order_by(Run.owner_id, Run.id).limit(1)


def _walk(database: Database, search: Search, ids: Ids, limit: int, deadline: float) -> tuple[list[int], Ids | None]:
    """Return the runs found, and the ids that are left to look at if the time was over. At least one step is taken."""
    found, step, all_ids = list[int](), FIRST_STEP, ids
    while ids.first <= ids.last and len(found) < limit:
        begun = time.monotonic()
        if begun > deadline and ids != all_ids:
            return found, ids
        part, rest = _split(ids, step, search.after is not None)
        try:
            found += _look(database, search, part, limit - len(found), step == SHORTEST_STEP)
        except TookTooLong:
            step = max(SHORTEST_STEP, step // GROWTH**2)
            continue
        ids = rest
        took = max(time.monotonic() - begun, STEP_SECONDS / GROWTH)
        step = max(SHORTEST_STEP, int(step * STEP_SECONDS / took))
    return found, None


def _split(ids: Ids, step: int, from_below: bool) -> tuple[Ids, Ids]:
    """Return the ids to look at next, and the rest."""
    if from_below:
        end = min(ids.last, ids.first + step - 1)
        return Ids(ids.first, end), Ids(end + 1, ids.last)
    start = max(ids.first, ids.last - step + 1)
    return Ids(start, ids.last), Ids(ids.first, start - 1)


def _look(database: Database, search: Search, ids: Ids, limit: int, is_shortest: bool) -> Sequence[int]:
    most = SHORTEST_STEP_SECONDS if is_shortest else LONGEST_STEP_SECONDS
    with database.read() as session, time_limit(session, most):
        query = _in_postgres(search, ids) if is_postgres(session) else _in_sqlite(search, ids)
        return session.scalars(query.limit(limit)).all()


def _in_postgres(search: Search, ids: Ids) -> Select[int]:
    words = RunText.words.bool_op("@@")(text("CAST(:words AS tsquery)").bindparams(words=_tsquery(search)))
    mine = (RunText.owner_id == search.owner_id) & RunText.run_id.between(*ids)
    query = select(RunText.run_id).join(Run, Run.id == RunText.run_id).where(mine, words, *_conditions(search))
    return query.order_by(*_order(search, RunText.owner_id, RunText.run_id))


def _in_sqlite(search: Search, ids: Ids) -> Select[int]:
    # With EXISTS, SQLite goes through the words, which are in the order of the runs, and looks each run up.
    fits = exists().where(RUNS.c.id == literal_column("run_words.rowid", RunId), *_conditions(search))
    words = WORDS.bool_op("MATCH")(_fts5(search))
    query = select(ROW).select_from(text("run_words")).where(words, ROW.between(*ids), fits)
    return query.order_by(*_order(search, ROW))


def _by_columns(session: Session, search: Search, ids: Ids, limit: int) -> Select[int]:
    columns: dict[Any, Any] = {Run.owner_id: search.owner_id, Run.task: search.task, Run.state: search.state}
    given = {column: value for column, value in {**columns, RunTag.tag: search.tag}.items() if value is not None}
    starred = [Run.starred] if search.starred else []
    query = newest_first(is_postgres(session), select(Run.id).where(*_times(search), *starred), given, *ids)
    *_leading, last = given
    return query.order_by(None).order_by(*_order(search, last, Run.id)).limit(limit)


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    """Return the conditions on the runs themselves, of which their owner's is never left to the index of words."""
    state = [] if search.state is None else [RUNS.c.state == search.state]
    starred = [RUNS.c.starred] if search.starred else []
    tagged = exists().where(RunTag.run_id == RUNS.c.id, RunTag.tag == search.tag)
    tag = [] if search.tag is None else [tagged.correlate(RUNS)]
    return [RUNS.c.owner_id == search.owner_id, *state, *starred, *tag, *_times(search)]


def _times(search: Search) -> list[ColumnElement[bool]]:
    since = [] if search.since is None else [RUNS.c.created_at >= search.since]
    return since if search.until is None else [*since, RUNS.c.created_at < search.until]


def _order(search: Search, *columns: Any) -> list[Any]:
    return list(columns) if search.after is not None else [column.desc() for column in columns]


def _phrases(search: Search) -> list[tuple[list[str], bool]]:
    """Return the words of each phrase, and whether its last word may go on."""
    exact = [search_words.of_owner(search.owner_id)]
    if search.task is not None:
        exact.append(search_words.of_task(search.task))
    exact += [search_words.of_input(name, value) for name, value in search.inputs]
    spoken = [(search_words.words_in(phrase), phrase.endswith("*")) for phrase in search.phrases]
    return [*(([word], False) for word in exact), *((words, goes_on) for words, goes_on in spoken if words)]


def _tsquery(search: Search) -> str:
    phrases = (
        " <-> ".join(f"'{word}'" for word in words) + (":*" if goes_on else "") for words, goes_on in _phrases(search)
    )
    return " & ".join(f"({phrase})" for phrase in phrases)


def _fts5(search: Search) -> str:
    return " ".join(f'"{" ".join(words)}"' + (" *" if goes_on else "") for words, goes_on in _phrases(search))
