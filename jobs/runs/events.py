"""Publish events, "run R is now at version V", to owners' channels. An event is a hint, never the truth."""

import json
import logging
from collections.abc import Iterable

from redis import Redis
from redis.exceptions import RedisError

from jobs.runs.lease import Change

log = logging.getLogger(__name__)

CHANNEL = "dumbwaiter:owner:"


def channel(owner_id: int) -> str:
    return f"{CHANNEL}{owner_id}"


def owner_of(channel_name: str) -> int | None:
    """Return the id of a channel's owner, or None if it is not an owner's channel."""
    owner = channel_name.removeprefix(CHANNEL)
    return int(owner) if owner.isdecimal() and owner != channel_name else None


def publish(redis: Redis, *changes: Change) -> None:
    """Publish each change to its owner's channel. Without Redis, pages find the changes at their next check."""
    _send(redis, ((change.owner_id, {"run": change.run_id, "version": change.version}) for change in changes))


def publish_progress(redis: Redis, change: Change) -> None:
    """Publish new progress or output, which may reach pages a moment later than a change of state."""
    _send(redis, [(change.owner_id, {"run": change.run_id, "version": change.version, "progress": 1})])


def run_of(data: bytes) -> int | None:
    """Return the id of the run that an event is about, or None if it may be about any."""
    run_id: int | None = json.loads(data).get("run") if data else None
    return run_id


def changes_state(data: bytes) -> bool:
    """Return whether an event may be about more than new progress or output."""
    return b'"progress"' not in data


def is_of_new_run(data: bytes) -> bool:
    """Return whether an event says that a run has been submitted."""
    return data.endswith(b'"version": 1}')


def publish_sign_out(redis: Redis, owner_id: int) -> None:
    """Notify an owner's pages that their session may have ended."""
    _send(redis, [(owner_id, {"sign_out": 1})])


def publish_rights(redis: Redis, owner_id: int) -> None:
    """Notify an owner's pages that the owner's rights have changed."""
    _send(redis, [(owner_id, {"rights": 1})])


def _send(redis: Redis, messages: Iterable[tuple[int, dict[str, int]]]) -> None:
    try:
        for owner_id, message in messages:
            redis.publish(channel(owner_id), json.dumps(message))
    except RedisError as error:
        log.warning("could not publish an event (%s); pages will find the change at their next check", error)
