"""The Redis subscription of a web process: one channel for each owner with an open page.

Only one thread, the listener, uses the subscription. Other threads wake it with a message through Redis, so the
connection needs no lock.
"""

import logging
import secrets
import threading
import time
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from redis.exceptions import RedisError

from jobs.runs import Backend, events
from jobs.storage import connect_redis

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.5
PING_SECONDS = 2.0
SILENT_SECONDS = 6.0
RECONNECT_SECONDS = 0.5


class Receiver(Protocol):
    """The registry of open pages, as the listener sees it."""

    def owners_with_pages(self, confirmed: AbstractSet[int]) -> set[int]:
        """Return the owners whose events are needed, after noting those whose subscription is confirmed."""

    def handle_event(self, owner_id: int, data: bytes) -> None:
        """Handle an event of an owner; it is empty after a subscription, before which events may have been lost."""

    def update_status(self) -> None:
        """Show on the pages whether events arrive. Called several times a second."""


class Listener:
    """The listener of one web process."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._control = f"dumbwaiter:web:{secrets.token_hex(8)}"
        self._subscribed: set[int] = set()
        self._confirmed: set[int] = set()
        self._received_at = -SILENT_SECONDS
        self._pinged_at = time.monotonic()

    @property
    def is_prompt(self) -> bool:
        """Return whether Redis has answered lately, so that events arrive."""
        return time.monotonic() - self._received_at < SILENT_SECONDS

    def wake(self) -> None:
        """Make the listener look at once which owners have pages."""
        try:
            self._backend.redis.publish(self._control, "")
        except RedisError:
            log.debug("cannot reach Redis to wake the listener; it checks for changes regularly")

    def run(self, receiver: Receiver, stopping: threading.Event) -> None:
        """Listen until `stopping` is set, whatever happens to Redis."""
        pubsub = connect_redis(self._backend.settings, socket_timeout=SILENT_SECONDS).pubsub()
        self._received_at = time.monotonic()
        while not stopping.is_set():
            try:
                self._update_subscriptions(pubsub, receiver)
                self._handle(pubsub.get_message(timeout=LISTEN_SECONDS), receiver)
            except RedisError as error:
                log.warning("no live events from Redis (%s); polling the database instead", error)
                self._received_at = -SILENT_SECONDS
                stopping.wait(RECONNECT_SECONDS)
            except Exception:
                log.exception("error in the live listener; continuing")
                stopping.wait(RECONNECT_SECONDS)
            receiver.update_status()
        pubsub.close()

    def _update_subscriptions(self, pubsub: Any, receiver: Receiver) -> None:
        """Subscribe to the channels of the owners with open pages, and unsubscribe from all others."""
        if not pubsub.channels:
            pubsub.subscribe(self._control)
        wanted = receiver.owners_with_pages(self._confirmed)
        for owner_id in wanted - self._subscribed:
            pubsub.subscribe(events.channel(owner_id))
            self._subscribed.add(owner_id)
        for owner_id in self._subscribed - wanted:
            pubsub.unsubscribe(events.channel(owner_id))
            self._subscribed.discard(owner_id)
            self._confirmed.discard(owner_id)
        if time.monotonic() - self._pinged_at >= PING_SECONDS:  # detects a Redis that hangs with the connection open
            self._pinged_at = time.monotonic()
            pubsub.ping()

    def _handle(self, message: dict[str, Any] | None, receiver: Receiver) -> None:
        if message is None:
            return
        self._received_at = time.monotonic()
        owner_id = events.owner_of(message["channel"].decode()) if message["channel"] else None
        if owner_id is None:
            return
        if message["type"] == "message":
            receiver.handle_event(owner_id, message["data"])
        elif message["type"] == "subscribe" and owner_id in self._subscribed:
            # This also follows a reconnection: events published in the meantime are lost.
            self._confirmed.add(owner_id)
            receiver.handle_event(owner_id, b"")
