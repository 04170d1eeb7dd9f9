"""Turns: the rule by which a free worker finds its next run.

A wake-up (jobs.runs.queue) only says that some run waits. The worker that it wakes, or that has just finished a run,
claims the run whose turn it is:

- A run **waits** while it is queued and has no `due_at`. One that is postponed does not wait: when it is due, the
  sweeper takes its `due_at` away. A run of a task that the worker does not know is passed over (see `unknown`).
- Every owner whose runs wait has a **lane**, with a virtual time `vtime` in seconds. The turn is that of the lane with
  the least vtime that has a run for this worker; of lanes with the same vtime, that of the one that became active
  first. In a lane, runs start in the order of their ids, which is that of their submission.
- A claim **charges** the lane: vtime grows by the seconds that such a run is expected to take (jobs.runs.durations),
  divided by the owner's weight. At the run's end the charge is corrected to the seconds that it took. So owners who
  always have runs waiting get worker-seconds in proportion to their weights, however long their runs are, and however
  many wait. A run whose worker is lost keeps the charge that was expected.
- `turn` is the vtime at which the lane's latest run started, and the greatest `turn` of all is the **present**. A lane
  that becomes active starts at the present, unless its own vtime is later: what nobody asked for is not saved up.
- A run whose limit is reached (jobs.runs.limits) does not start, and holds up nothing else, also not in its own lane.
- A worker is idle only if no run waits that it could execute.

This is start-time fair queueing (Goyal, Vin and Cheng, 1996) with workers in place of a link. A claim costs one look
into the index of runs for each task that the worker knows, and a few for each of its keys that is full, in as many
lanes as have nothing for it, and one more; not more with more runs that wait.

Lanes are a **cache**. `refresh` makes the lanes that are missing, at the present, from the runs, and removes those that
have nothing waiting, nothing running and nothing to make up for. What becomes of a run never depends on them, only
when.

Runs that are paused (jobs.runs.pauses) are passed over, by `_may_start`. On Postgres, claims at the same time pass over
each other's rows. Lanes are locked last in a transaction, and in the order of their owners, so that no two transactions
wait for each other.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Index,
    Integer,
    ScalarSelect,
    String,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    null,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from jobs.runs import pauses
from jobs.runs.durations import Durations
from jobs.runs.heads import FIRST_HEAD_IN_SQLITE, HEADS_IN_POSTGRES
from jobs.runs.limits import FULL_OWNERS
from jobs.runs.people import owner_key
from jobs.runs.run import Run, RunId
from jobs.storage.database import Base, Database

LEAST_CHARGE_SECONDS = 0.001


class Lane(Base):
    """An owner's place among those whose runs wait. `since` is the id of the run by which it became active."""

    __tablename__ = "lanes"
    __table_args__ = (Index("ix_lanes_vtime", "vtime", "since"), Index("ix_lanes_turn", "turn"))

    owner_id: Mapped[int] = mapped_column(owner_key("lanes"), primary_key=True)
    vtime: Mapped[float]
    turn: Mapped[float]
    since: Mapped[int] = mapped_column(RunId)


LANES, WAITING = cast(Table, Lane.__table__), cast(Table, Run.__table__).alias("waiting")
L, W = LANES.c, WAITING.c
# Written out, because the databases use an index of some rows only for a condition that they can read.
WAITS = and_(W.state == literal_column("'queued'"), W.due_at.is_(None))
GIVEN_TASKS, GIVEN_WALKED = (bindparam(name, type_=JSON) for name in ("given_tasks", "given_walked"))
# Written out, too: as parameters they would be bound for every claim.
NO_LIMIT, ZERO, ONE = (literal_column(number, Integer) for number in ("-1", "0", "1"))
NO_OFFSET, TURN = ZERO, (W.owner_id, W.task, W.id)

JOIN = text("""
INSERT INTO lanes (owner_id, vtime, turn, since)
SELECT users.id, coalesce(latest.turn, 0), coalesce(latest.turn, 0), :since
FROM users, (SELECT max(turn) AS turn FROM lanes) AS latest WHERE users.id = :owner_id
ON CONFLICT (owner_id) DO UPDATE SET vtime = excluded.vtime, turn = excluded.turn, since = excluded.since
WHERE lanes.vtime < excluded.vtime AND NOT EXISTS (
  SELECT 1 FROM runs
  WHERE owner_id = excluded.owner_id AND state = 'queued' AND due_at IS NULL AND id NOT IN :run_ids
)
""").bindparams(bindparam("run_ids", expanding=True))
LEAVE = text("""
DELETE FROM lanes WHERE owner_id = :owner_id AND vtime < (SELECT max(turn) FROM lanes)
  AND NOT EXISTS (SELECT 1 FROM runs WHERE owner_id = :owner_id AND state = 'queued' AND due_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM runs WHERE owner_id = :owner_id AND state = 'running')
""")
BOOK = text("""
UPDATE lanes SET
  turn = CASE WHEN :charged > 0 OR turn > vtime + :settled / weight THEN vtime + :settled / weight ELSE turn END,
  vtime = vtime + (:settled + :charged) / weight
FROM users WHERE lanes.owner_id = :owner_id AND users.id = lanes.owner_id
""")
# Each owner and each of their tasks whose runs wait, each found by a look into the index behind the one before.
PAIRS = """
WITH RECURSIVE owners (owner_id) AS (
  SELECT min(owner_id) FROM waiting WHERE state = 'queued' AND due_at IS NULL
  UNION ALL
  SELECT (
    SELECT min(runs.owner_id) FROM waiting
    WHERE state = 'queued' AND due_at IS NULL AND runs.owner_id > owners.owner_id
  ) FROM owners WHERE owners.owner_id IS NOT NULL
), pairs (owner_id, task) AS (
  SELECT owners.owner_id, (
    SELECT min(runs.task) FROM waiting WHERE state = 'queued' AND due_at IS NULL AND runs.owner_id = owners.owner_id
  ) FROM owners WHERE owners.owner_id IS NOT NULL
  UNION ALL
  SELECT pairs.owner_id, (
    SELECT min(runs.task) FROM waiting
    WHERE state = 'queued' AND due_at IS NULL AND runs.owner_id = pairs.owner_id AND runs.task > pairs.task
  ) FROM pairs WHERE pairs.task IS NOT NULL
)
SELECT owner_id, task FROM pairs WHERE task IS NOT NULL
"""
# Without statistics, SQLite would prefer another index.
PAIRS_IN_SQLITE = text(PAIRS.replace("FROM waiting", "FROM runs INDEXED BY ix_runs_turn"))
WAITING_IN_SQLITE = "runs AS waiting INDEXED BY ix_runs_turn"
OWNER_IN_SQLITE = literal_column("waiting.owner_id", W.owner_id.type)
TASK_IN_SQLITE = literal_column("waiting.task", W.task.type)
PAIRS_IN_POSTGRES = text(PAIRS.replace("FROM waiting", "FROM runs"))
HEADS = text(HEADS_IN_POSTGRES).columns(id=RunId, limit_key=String)
FIRST_HEAD = text(FIRST_HEAD_IN_SQLITE).columns(id=RunId)
PLACES = select(L.owner_id, L.vtime, L.turn)
FIRST = (
    select(W.id, W.queued_at)
    .where(W.owner_id == bindparam("given_owner_id"), W.task == bindparam("given_task"), WAITS)
    .order_by(W.id)
    .limit(1)
)


def _may_start(owner_id: ColumnElement[int], task: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that an owner's runs of a task may start now."""
    return and_(pauses.not_paused(owner_id, task), owner_id.not_in(FULL_OWNERS))


def next_run(dialect: str, has_full_keys: bool = False) -> ScalarSelect[Any]:
    """Return a subquery for the id of the run whose turn it is, of the tasks in the JSON array `given_tasks`.

    With `has_full_keys`, runs of the tasks in `given_walked` are passed over if their key is in `given_full_keys`.
    """
    return _next_in_postgres(has_full_keys) if dialect == "postgresql" else _next_in_sqlite(has_full_keys)


def _next_in_sqlite(has_full_keys: bool) -> ScalarSelect[Any]:
    known = func.json_each(GIVEN_TASKS).table_valued("value", name="known")
    waits = text("waiting.state = 'queued' AND waiting.due_at IS NULL")
    mine = (L.owner_id == OWNER_IN_SQLITE) & (known.c.value == TASK_IN_SQLITE)
    of_task = select(literal_column("min(waiting.id)", Integer)).select_from(text(WAITING_IN_SQLITE)).where(mine, waits)
    of_lane = select(func.min(of_task.correlate(LANES, known).scalar_subquery())).select_from(known)
    first = of_lane.where(_may_start(L.owner_id, known.c.value)).correlate(LANES).scalar_subquery()
    if has_full_keys:
        walked = func.json_each(GIVEN_WALKED).table_valued("value", name="walked")
        head = FIRST_HEAD.scalar_subquery()
        of_keys = select(func.min(head)).select_from(walked).where(_may_start(L.owner_id, walked.c.value))
        firsts = union_all(select(first.label("id")), of_keys.correlate(LANES)).subquery("firsts")
        first = select(func.min(firsts.c.id)).scalar_subquery()
    in_turn = select(first.label("id")).select_from(LANES).order_by(L.vtime, L.since)
    # With this limit, which is none, SQLite looks into the lanes one by one, and no further than it must.
    one_by_one = in_turn.limit(NO_LIMIT).subquery()
    return select(one_by_one.c.id).where(one_by_one.c.id.is_not(None)).limit(ONE).scalar_subquery()


def _next_in_postgres(has_full_keys: bool) -> ScalarSelect[Any]:
    # OFFSET 0 keeps each order, so that only the run that is found is locked. A row locked for another claim is passed.
    lane = select(L.owner_id).order_by(L.vtime, L.since).offset(NO_OFFSET).subquery("lanes")
    known = func.json_array_elements_text(GIVEN_TASKS).table_valued("value", name="known")
    first = select(W.id).where(_of_task(known.c.value)).order_by(*TURN).limit(ONE)
    first_id = first.correlate(lane, known).scalar_subquery().label("first_id")
    tasks: Any = select(known.c.value.label("task"), first_id).where(_may_start(lane.c.owner_id, known.c.value))
    has_key: ColumnElement[bool] = true()
    if has_full_keys:
        walked = func.json_array_elements_text(GIVEN_WALKED).table_valued("value", name="walked")
        head = HEADS.lateral("head")
        of_keys = select(walked.c.value, head.c.id, head.c.limit_key).join_from(walked, head, true())
        heads = of_keys.where(_may_start(lane.c.owner_id, walked.c.value)).correlate(lane)
        tasks = select(union_all(tasks.add_columns(null().label("limit_key")).correlate(lane), heads).subquery("heads"))
    task: Any = tasks.correlate(lane).order_by(text("first_id")).offset(NO_OFFSET).lateral("one_task")
    if has_full_keys:
        has_key = task.c.limit_key.is_(None) | (func.coalesce(W.limit_key, "") == task.c.limit_key)
    waits = _of_task(task.c.task) & (W.id >= task.c.first_id) & has_key
    free = select(W.id).where(waits).order_by(*TURN).limit(ONE).with_for_update(skip_locked=True)
    run = free.correlate(lane, task).lateral("free_run")
    return select(run.c.id).select_from(lane.join(task, true()).join(run, true())).limit(ONE).scalar_subquery()


def _of_task(task: Any) -> ColumnElement[bool]:
    """Return the condition of the lane's runs of a task that wait.

    To Postgres, ANY is no equality, by which the order of TURN would be that of the ids: it might look for the least of
    them by going through all runs. Only the index of waiting runs has the order of TURN.
    """
    return and_(W.owner_id == literal_column("ANY (ARRAY[lanes.owner_id])"), W.task == task, WAITS)


def unknown(connection: Connection, tasks: Collection[str], long_ago: datetime) -> int | None:
    """Return the id of a run of another task that has waited since before `long_ago`, or None."""
    for owner_id, task in _waiting_pairs(connection):
        if task in tasks:
            continue
        first = connection.execute(FIRST, {"given_owner_id": owner_id, "given_task": task}).first()
        if first and first.queued_at < long_ago:
            return int(first.id)
    return None


def _waiting_pairs(connection: Connection) -> Sequence[Any]:
    is_postgres = connection.dialect.name == "postgresql"
    return connection.execute(PAIRS_IN_POSTGRES if is_postgres else PAIRS_IN_SQLITE).all()


def join(transaction: Connection | Session, waiting: Iterable[tuple[int, int]]) -> None:
    """Create or advance lanes for runs that start to wait, given as owner and run id. Call it last in a transaction."""
    for owner_id, pairs in groupby(sorted(waiting), key=itemgetter(0)):
        run_ids = [run_id for _owner_id, run_id in pairs]
        transaction.execute(JOIN, {"owner_id": owner_id, "since": run_ids[0], "run_ids": run_ids})


def book(connection: Connection, durations: Durations, ended: Run | None = None, started: Run | None = None) -> None:
    """Charge the run that has been claimed, and correct the charge of the one that has ended. Call it last."""
    if started:
        started.charged = max(LEAST_CHARGE_SECONDS, durations.expected(connection, started.task))
        started.held_since = time.monotonic()
    booked = [one for one in (ended and _settlement(ended), started and _charge(started)) if one]
    if len(booked) == 2 and booked[0]["owner_id"] == booked[1]["owner_id"]:
        booked = [{**booked[0], "charged": booked[1]["charged"]}]
    for one in sorted(booked, key=lambda one: one["owner_id"]):
        connection.execute(BOOK, one)


def settle(connection: Connection, ended: Run) -> None:
    """Correct the charge of a run that its worker gives up. Call it last."""
    if settlement := _settlement(ended):
        connection.execute(BOOK, settlement)


def _settlement(run: Run) -> dict[str, float] | None:
    if not run.held_since:
        return None
    took = time.monotonic() - run.held_since
    return {"owner_id": run.owner_id, "settled": took - run.charged, "charged": 0.0}


def _charge(run: Run) -> dict[str, float]:
    return {"owner_id": run.owner_id, "settled": 0.0, "charged": run.charged}


def refresh(database: Database) -> None:
    """Make the lanes that are missing, and remove those that nobody needs."""
    with database.read() as session:
        waiting = defaultdict[int, list[str]](list)
        for owner_id, task in _waiting_pairs(session.connection()):
            waiting[owner_id].append(task)
        places = session.execute(PLACES).all()
    present = max((turn for _owner_id, _vtime, turn in places), default=0.0)
    missing = waiting.keys() - {owner_id for owner_id, _vtime, _turn in places}
    idle = sorted(owner_id for owner_id, vtime, _turn in places if vtime < present and owner_id not in waiting)
    if missing or idle:
        with database.change() as connection:
            for owner_id in idle:
                connection.execute(LEAVE, {"owner_id": owner_id})
            firsts = [(owner_id, _first_of(connection, owner_id, waiting[owner_id])) for owner_id in missing]
            join(connection, [(owner_id, first) for owner_id, first in firsts if first])


def _first_of(connection: Connection, owner_id: int, tasks: Collection[str]) -> int:
    """Return the id of an owner's first run that waits, or 0."""
    asked = [{"given_owner_id": owner_id, "given_task": task} for task in tasks]
    found = [connection.execute(FIRST, one).first() for one in asked]
    return min((int(row.id) for row in found if row), default=0)
