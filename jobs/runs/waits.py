"""The closed list of what a queued run can wait for. Pages and programs give the same member, with its values.

To add a member, add its code here, find it in `wait_of`, before everything that is less specific, and give it a
sentence in webapp/runs/messages.py. A test of the list fails until it has one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jobs.runs.blocked import Blocked, Limited
from jobs.runs.pauses import Kind, Pause
from jobs.runs.run import Run
from jobs.runs.wait_estimate import WaitEstimate


class Code(StrEnum):
    """The reasons for which a queued run waits. A program may rely on these texts."""

    PAUSED = "paused"
    QUEUE_AWAY = "queue_away"
    NO_WORKER_HAS_TASK = "no_worker_has_task"
    RETRY = "retry"
    SCHEDULED = "scheduled"
    AFTER = "after"
    NO_WORKER = "no_worker"
    DRAINED = "drained"
    TASK_LIMIT = "task_limit"
    KEY_LIMIT = "key_limit"
    OWNER_LIMIT = "owner_limit"
    POSITION = "position"


OF_LIMITS = {Limited.TASK: Code.TASK_LIMIT, Limited.KEY: Code.KEY_LIMIT, Limited.OWNER: Code.OWNER_LIMIT}


@dataclass(frozen=True)
class Wait:
    """The reason for which a run waits, with the values of its sentence: texts, numbers and moments."""

    code: Code
    values: Mapping[str, Any] = field(default_factory=dict)


def wait_of(run: Run, expected: WaitEstimate | None, has_task: bool, limit: Blocked | None = None) -> Wait:
    """Return what a queued run waits for: of several things, the first in this order.

    `has_task` says whether its task is known where no worker says, and `limit` which limit keeps it from starting.
    """
    if run.awaited_id:
        return Wait(Code.AFTER, {"run": run.awaited_id})
    if run.is_scheduled:
        return Wait(Code.SCHEDULED, {"at": run.due_at})
    if expected and expected.pause:
        return Wait(Code.PAUSED, _by(expected.pause))
    if run.push_failed_at:
        return Wait(Code.QUEUE_AWAY)
    known = expected.has_task if expected else None
    if not (has_task if known is None else known):
        return Wait(Code.NO_WORKER_HAS_TASK)
    if run.due_at:
        return Wait(Code.RETRY, {"at": run.due_at, "attempt": run.attempt})
    if expected is None or not expected.workers:
        return Wait(Code.DRAINED, _by(expected.drained)) if expected and expected.drained else Wait(Code.NO_WORKER)
    if limit:
        of = {"of": f"{limit.per} {run.parameters.get(limit.per)}"} if limit.by is Limited.KEY else {}
        return Wait(OF_LIMITS[limit.by], {"most": limit.most, "run": limit.holder, **of})
    return Wait(Code.POSITION, _place(expected))


def _by(pause: Pause) -> dict[str, Any]:
    return {"kind": Kind(pause.kind).value, "by": pause.paused_by, "because": pause.reason, "since": pause.paused_at}


def _place(expected: WaitEstimate) -> dict[str, Any]:
    return {
        "position": expected.position,
        "people": expected.people,
        "came_later": expected.came_later,
        "overtaken_by": list(expected.overtaken_by),
        "ahead": expected.ahead,
        "more": expected.more,
        "seconds": expected.seconds,
    }
