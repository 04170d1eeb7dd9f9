"""Publish events ("run R is now at version V") to owners' channels. An event is a hint, never the truth."""
    owner = channel_name.removeprefix(CHANNEL)
    return int(owner) if owner.isdecimal() and owner != channel_name else None


def publish(redis: Redis, *changes: Change) -> None:
    """Publish each change to its owner's channel. Without Redis, pages find the changes at their next check."""
    _send(redis, ((change.owner_id, {"run": change.run_id, "version": change.version}) for change in changes))


def publish_sign_out(redis: Redis, owner_id: int) -> None:
    """Notify an owner's pages that their session may have ended."""
    _send(redis, [(owner_id, {"sign_out": 1})])


def _send(redis: Redis, messages: Iterable[tuple[int, dict[str, int]]]) -> None:
    try:
        for owner_id, message in messages:
            redis.publish(channel(owner_id), json.dumps(message))
    except RedisError as error:
        log.warning("could not publish an event (%s); pages will find the change at their next check", error)
