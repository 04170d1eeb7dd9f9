"""The UPDATE statements behind each change of a run's state. Each changes the row only while its condition holds.

They are built once, at import: building one costs several times as much as executing it.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Table,
    Text,
    Update,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy import cast as cast_to

from jobs.runs import limits, pauses, run_mails, turns
from jobs.runs.run import NEVER, Run, State
from jobs.runs.webhook import Webhook

MOST_LOSSES = 3

RUNS, WEBHOOKS = cast(Table, Run.__table__), cast(Table, Webhook.__table__)
R, W = RUNS.c, WEBHOOKS.c


def given(name: str) -> BindParameter[Any]:
    """Return a bind parameter, prefixed because SQLAlchemy reserves the columns' own names."""
    return bindparam(f"given_{name}")


def due(now: Any, future: Any) -> ColumnElement[bool]:
    """Return the condition that a run is due. A queue time in the future means that the clock was set back since."""
    return or_(R.due_at.is_(None), R.due_at <= now, R.queued_at > future)


def _update(condition: ColumnElement[bool], values: Mapping[str, Any]) -> Update:
    return update(RUNS).where(condition).values(version=R.version + 1, **values)


def _changing(condition: ColumnElement[bool], values: Mapping[str, Any]) -> Any:
    return _update(condition, values).returning(R.id, R.owner_id, R.version)


def _ending(condition: ColumnElement[bool], values: Mapping[str, Any]) -> Any:
    """Return an UPDATE that ends runs; it also returns whether a webhook, or the owner by mail, may have to be told.

    So an end costs one statement where there is neither, which is almost everywhere.
    """
    return _update(condition, values).returning(R.id, R.owner_id, R.version, TOLD)


MINE = (R.id == given("id")) & (R.owner_id == given("owner_id"))
HELD = (R.id == given("id")) & (R.state == State.RUNNING) & (R.lease_token == given("token"))
HELD_BY_WORKER = (R.worker == given("worker")) & (R.state == State.RUNNING)
UNRENEWED = HELD & (R.lease_expires_at == given("until"))
# The run's columns are named in full: within RETURNING, SQLAlchemy names those of SQLite without their table, and
# `owner_id` alone would be the webhook's own.
ITS_OWNER, ITS_ID = literal_column("runs.owner_id", R.owner_id.type), literal_column("runs.id", R.id.type)
TOLD = or_(
    *(
        exists().where(whose, W.disabled_at.is_(None))
        for whose in ((W.owner_id == ITS_OWNER) & W.run_id.is_(None), W.run_id == ITS_ID)
    ),
    run_mails.IS_WANTED,
)
TO_STOP = R.stop_requested_at.is_not(None)
OVER = R.state.in_([State.FAILED, State.CANCELLED])

NO_LEASE = dict.fromkeys(("lease_token", "lease_expires_at"))
NO_ERROR = dict.fromkeys(("error_kind", "error_message", "error_traceback"))
NO_WAIT = dict.fromkeys(("due_at", "push_failed_at"))
ERROR = {name: given(name) for name in NO_ERROR}
ENDED = {**NO_LEASE, **NO_WAIT, "ended_at": given("now")}
# A run that follows another one waits for it again, unless it has had its success.
AGAIN = case((R.awaited_id.is_not(None), literal(NEVER, R.due_at.type)), else_=None)
QUEUED = {
    **NO_LEASE,
    **NO_ERROR,
    **NO_WAIT,
    **dict.fromkeys(("started_at", "stop_requested_at", "ended_at", "progress", "worker")),
    "state": State.QUEUED,
    "progress_note": "",
    "queued_at": given("now"),
}
CANCELLED = {**ENDED, "state": State.CANCELLED}
FAILED = {**ENDED, **ERROR, "state": State.FAILED}
SPENT = {"attempt": R.attempt + 1}
FAILED_ONCE_MORE = {"failures": R.failures + 1}
LOST_ONCE_MORE = {"losses": R.losses + 1}

CLAIMED = {
    **NO_ERROR,
    **NO_WAIT,
    "state": State.RUNNING,
    "worker": given("worker"),
    "lease_token": given("token"),
    "lease_expires_at": given("until"),
    "started_at": given("now"),
}
# The code of the task of the run that is claimed: the worker gives that of each of its tasks, as one JSON object.
CODES = bindparam("given_codes", type_=Text)
CODES_OF_TASKS = {
    "sqlite": func.json_extract(CODES, literal('$."') + R.task + literal('"')),
    "postgresql": func.json_extract_path_text(cast_to(CODES, JSON), R.task),
}
HELD_COLUMNS = (
    R.id,
    R.owner_id,
    R.task,
    R.parameters,
    R.encrypted_parameters,
    R.state,
    R.version,
    R.attempt,
    R.failures,
    R.worker,
    R.lease_token,
    R.limit_key,
)
TURNS = [(dialect, has_full_keys) for dialect in ("sqlite", "postgresql") for has_full_keys in (False, True)]
# Claims of a given run, and of the next one: which run, when it may start, further values, and what is returned.
KINDS_OF_CLAIMS: list[tuple[Any, Any, dict[str, Any], tuple[Any, ...]]] = [
    (given("id"), due(given("now"), given("future")) & pauses.not_paused(), {}, ()),
    *(
        (turns.next_run(dialect, full), true(), {"code": CODES_OF_TASKS[dialect]}, (limits.most_running(ITS_OWNER),))
        for dialect, full in TURNS
    ),
]
CLAIM, *CLAIMS_IN_TURN = (
    _update(
        (R.id == run_id) & (R.state == State.QUEUED) & may_start & pauses.is_at_work(given("worker")),
        {**CLAIMED, **further},
    ).returning(*HELD_COLUMNS, *columns)
    for run_id, may_start, further, columns in KINDS_OF_CLAIMS
)
CLAIM_IN_TURN = dict(zip(TURNS, CLAIMS_IN_TURN, strict=True))


def cancelling(which: ColumnElement[bool]) -> Any:
    """Return an UPDATE that ends those of some runs that have not started."""
    return _ending(which & (R.state == State.QUEUED), CANCELLED)


RENEW = _update(HELD, {"lease_expires_at": given("until")}).returning(R.stop_requested_at, R.version)
REPORT = _changing(HELD, {"progress": given("progress"), "progress_note": given("note")})
SUCCEED = _ending(HELD, {**ENDED, "state": State.SUCCEEDED, "result": given("result"), "notes": given("notes")})
FAIL = _ending(HELD & ~TO_STOP, {**FAILED, **FAILED_ONCE_MORE})
POSTPONE = _changing(HELD & ~TO_STOP, {**QUEUED, **ERROR, **SPENT, **FAILED_ONCE_MORE, "due_at": given("due_at")})
STOP = _ending(HELD, CANCELLED)
GIVE_BACK = _changing(HELD & ~TO_STOP, QUEUED)
CANCEL = cancelling(MINE)
REQUEST_STOP = _changing(MINE & (R.state == State.RUNNING) & ~TO_STOP, {"stop_requested_at": given("now")})
REQUEUE = _changing(MINE & OVER, {**QUEUED, **SPENT, "failures": 0, "losses": 0, "due_at": AGAIN})
FOLLOWS = (R.id == given("id")) & (R.state == State.QUEUED) & R.awaited_id.is_not(None)
GO_ON = _changing(
    FOLLOWS,
    {
        "awaited_id": None,
        "due_at": given("due_at"),
        "queued_at": given("now"),
        "parameters": given("shown"),
        "encrypted_parameters": given("encrypted"),
        "input_bytes": given("size"),
    },
)
FAIL_QUEUED, CANCEL_QUEUED = _ending(FOLLOWS, FAILED), _ending(FOLLOWS, {**CANCELLED, **ERROR})
NOTE_FAILED_PUSH, NOTE_PUSH = (
    _changing(
        (R.id == given("id")) & (R.attempt == given("attempt")) & (R.state == State.QUEUED) & noted,
        {"push_failed_at": value},
    )
    for noted, value in ((R.push_failed_at.is_(None), given("now")), (R.push_failed_at.is_not(None), None))
)
RELEASE = (_ending(HELD_BY_WORKER & TO_STOP, CANCELLED), _changing(HELD_BY_WORKER, QUEUED))
LOSE, EXPIRE = (
    (
        _ending(lost & TO_STOP, CANCELLED),
        _ending(lost & (R.losses + 1 >= MOST_LOSSES), {**FAILED, **LOST_ONCE_MORE}),
        _changing(lost, {**QUEUED, **SPENT, **LOST_ONCE_MORE}),
    )
    for lost in (HELD_BY_WORKER, UNRENEWED)
)
BECOME_DUE = _changing(
    R.id.in_(bindparam("given_ids", expanding=True)) & (R.state == State.QUEUED),
    {"due_at": None, "queued_at": given("now")},
)
# What these leave queued waits for a worker.
QUEUING = frozenset({GIVE_BACK, REQUEUE, RELEASE[-1], LOSE[-1], EXPIRE[-1], BECOME_DUE})
LEASES = select(R.id, R.lease_token, R.lease_expires_at).where(R.state == State.RUNNING)
