"""Events: "run R is now at version V", published to its owner's channel. A hint, never the truth."""

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
    """The owner a channel belongs to, or None for a channel that is nobody's."""
    owner = channel_name.removeprefix(CHANNEL)
    return int(owner) if owner.isdecimal() and owner != channel_name else None


def publish(redis: Redis, *changes: Change) -> None:
    """Tell the pages of each change's owner; a Redis that is away costs speed, not truth."""
    _send(redis, ((change.owner_id, {"run": change.run_id, "version": change.version}) for change in changes))


def publish_sign_out(redis: Redis, owner_id: int) -> None:
    """Tell an owner's pages that their sign-in may have ended."""
    _send(redis, [(owner_id, {"sign_out": 1})])


def _send(redis: Redis, messages: Iterable[tuple[int, dict[str, int]]]) -> None:
    try:
        for owner_id, message in messages:
            redis.publish(channel(owner_id), json.dumps(message))
    except RedisError as error:
        log.warning("Redis did not take an event (%s); pages will find it at their next check", error)
