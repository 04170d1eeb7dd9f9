"""The pieces in which the sweeper executes actions on many runs."""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.runs import bulk, events, rights, run_tags, submission
from jobs.runs.annotations import MOST_TAGS
from jobs.runs.backend import Backend
from jobs.runs.bulk import Action, BulkAction
from jobs.runs.caps import TooManyRuns
from jobs.runs.deletion import delete_ended
from jobs.runs.lease import Change
from jobs.runs.run import Run, owned
from jobs.runs.submission import Conflict
from jobs.storage.database import utcnow

log = logging.getLogger(__name__)

PIECES = {Action.CANCEL: 10, Action.RETRY: 1, Action.DELETE: 50, Action.TAG: 50}
TURN_SECONDS = 0.2
WAIT_SECONDS = 5.0  # until a run is tried again for which the owner has too many
AT_ONCE = 20


def turn(backend: Backend) -> None:
    """Go on for a moment with the actions that are due, a piece of each in turn."""
    deadline = time.monotonic() + TURN_SECONDS
    going_on = select(BulkAction.id).where(BulkAction.ended_at.is_(None)).order_by(BulkAction.due_at)
    while True:
        with backend.database.read() as session:
            actions = session.scalars(going_on.where(BulkAction.due_at <= utcnow()).limit(AT_ONCE)).all()
        for action_id in actions:
            _go_on(backend, action_id)
            if time.monotonic() > deadline:
                return
        if not actions:
            return


def _go_on(backend: Backend, action_id: int) -> None:
    """Execute the next piece of an action, or end it if nothing is left or its owner may not any more."""
    changes, todo, owner_id = list[Change](), list[int](), 0
    with backend.database.write() as session:
        action = session.scalar(select(BulkAction).where(BulkAction.id == action_id).with_for_update())
        if action is None or action.ended_at is not None:
            return
        owner_id, kind = action.owner_id, Action(action.action)
        if not rights.of(session, owner_id, []).is_active:
            return bulk.end(session, action, aborted=True)
        ids = bulk.following(session, owner_id, action.filters, action.below, PIECES[kind])
        if not ids:
            return bulk.end(session, action)
        action.below, action.due_at = ids[-1], utcnow()
        if kind == Action.DELETE:
            changes = _delete(session, ids)
        elif kind == Action.TAG:
            changes = _tag(session, owner_id, ids, action.tag)
        else:
            todo = list(ids)
        action.done += len(changes)
        action.left_alone += 0 if todo else len(ids) - len(changes)
    events.publish(backend.redis, *changes)
    for run_id in todo:
        _start_or_stop(backend, owner_id, run_id, action_id, kind)


def _delete(session: Session, ids: Sequence[int]) -> list[Change]:
    session.scalars(select(Run.id).where(Run.id.in_(ids)).order_by(Run.id).with_for_update()).all()
    return delete_ended(session, ids)


def _tag(session: Session, owner_id: int, ids: Sequence[int], tag: str) -> list[Change]:
    rows = session.execute(
        select(Run.id, Run.version, Run.tags).where(Run.id.in_(ids)).order_by(Run.id).with_for_update()
    ).all()
    changes = []
    for run_id, version, tags in rows:
        if tag in tags or len(tags) >= MOST_TAGS:
            continue
        now = sorted([*tags, tag])
        session.execute(update(Run).where(Run.id == run_id).values(tags=now, version=Run.version + 1))
        run_tags.replace(session, owner_id, run_id, now)
        changes.append(Change(run_id, owner_id, version + 1))
    return changes


def _start_or_stop(backend: Backend, owner_id: int, run_id: int, action_id: int, kind: Action) -> None:
    """Cancel a run or run it again, in transactions of its own that check the owner's rights.

    The action has gone past the run before: if this process dies in between, a run is left out, and none is run twice.
    """
    values: dict[str, Any] = {"left_alone": BulkAction.left_alone + 1}
    with backend.database.read() as session:
        run = owned(session, owner_id, run_id)
    try:
        if run and kind == Action.CANCEL and not run.state.ended:
            submission.cancel(backend, owner_id, run_id)
            values = {"done": BulkAction.done + 1}
        elif run and kind == Action.RETRY and run.state.ended:
            try:
                submission.retry(backend, owner_id, run)
                values = {"done": BulkAction.done + 1}
            except TooManyRuns:
                later = utcnow() + timedelta(seconds=WAIT_SECONDS)
                values = {"below": run_id + 1, "due_at": later}
    except Conflict:
        pass  # it is left alone
    except SQLAlchemyError:
        raise
    except Exception:  # such as a file of the run's that is lost; the other runs go on
        log.exception("bulk action %d could not %s run %d", action_id, kind, run_id)
    with backend.database.change() as connection:
        connection.execute(update(BulkAction).where(BulkAction.id == action_id).values(**values))
