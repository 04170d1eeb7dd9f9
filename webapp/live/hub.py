"""The Redis subscription of a web process, which refreshes open pages, and the checks that catch lost events.

Only one thread, the listener, uses the subscription. Other threads record in `_owners` which channels they need and
wake the listener with a message through Redis, so the connection needs no lock. Events carry no page content: an event
marks the owner's pages as stale, and one greenlet for each listing reads the database and sends the changes to all
pages that show it. A slow page therefore delays only itself, and a thousand events between two reads cost one read.
A second thread runs the checks, because the database may be slow, and a third pings the pages.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import Backend, events
from jobs.storage import connect_redis
from webapp.live.open_pages import OpenPages
from webapp.live.socket import RESTART, SIGNED_OUT, LiveSocket
from webapp.live.subscribers import OpenPage, Owner, Subscribers, outdated
from webapp.rendering.listings import Listing

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.5
CHECK_SECONDS = 10.0
CHECK_SESSIONS_SECONDS = 1.5  # closes a page within 2 s of the end of its session
PING_SECONDS = 2.0
SILENT_SECONDS = 6.0
CONFIRM_SECONDS = 2
RECONNECT_SECONDS = 0.5
MOST_PAGES = 20
MOST_PAGES_OF_ALL = 10_000  # these take 60 MB, and 1 to 2% of a core when idle
PING_ROUND_SECONDS = 1.0
PINGS_AT_ONCE = 100


class TooManyPages(Exception):
    """The limit of open pages in this process is reached, for one owner or for all owners together."""


class Hub:
    """The registry of open pages in a web process, with the threads that keep them up to date."""

    def __init__(self, app: Flask, backend: Backend) -> None:
        self._app = app
        self._backend = backend
        self._owners: dict[int, Owner] = {}
        self._open_pages = OpenPages()
        self._ping_queue: deque[LiveSocket] = deque()  # in ping order, the next one first
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._control = f"dumbwaiter:web:{secrets.token_hex(8)}"
        self._subscribed: set[int] = set()
        self._confirmed: set[int] = set()
        self._received_at = -SILENT_SECONDS
        self._pinged_at = self._checked_at = time.monotonic()
        self._check_wanted = threading.Event()
        self._stopping = threading.Event()
        self._is_alive: Callable[[], bool] = lambda: True
        self.leaving = False
        """True once this process closes its pages so that they reconnect to another one."""
        self.prompt = True
        """True while events arrive; without them, pages are updated only by the next check."""

    def stop_when(self, is_alive: Callable[[], bool]) -> None:
        """Close every page as soon as `is_alive` returns false, because the process is about to stop."""
        self._is_alive = is_alive

    def join(self, open_page: OpenPage, listing: Listing) -> None:
        """Register an open page and send what it lacks, once Redis has confirmed the subscription to its owner.

        Waiting for the confirmation ensures that no event is missed in between. If Redis does not answer, continue
        after CONFIRM_SECONDS. Raises TooManyPages when a limit is reached.
        """
        with self._lock:
            self._start()
            if len(self._open_pages) >= MOST_PAGES_OF_ALL:
                raise TooManyPages
            owner = self._owners.setdefault(listing.owner_id, Owner(self._backend.database, listing.owner_id))
            if len(owner.open_pages) >= MOST_PAGES:
                raise TooManyPages
            subscribers = owner.groups.get(listing) or Subscribers(self._app, listing, owner.toasts, self.prompt)
            owner.groups[listing] = subscribers
            subscribers.open_pages.add(open_page)
            self._open_pages.add(open_page)
            self._ping_queue.append(open_page.socket)
        log.info("live page of user %d opened", listing.owner_id)
        open_page.socket.set_callbacks(
            partial(subscribers.update, [open_page]), partial(self._leave, open_page, subscribers, time.monotonic())
        )
        if not owner.confirmed.is_set():
            self._wake_listener()
            owner.confirmed.wait(CONFIRM_SECONDS)
        subscribers.mark_stale()
        subscribers.update([open_page])
        if self.leaving:
            open_page.socket.close(RESTART)

    def close_pages(self) -> None:
        """Close every page with a code that makes it reconnect to another process."""
        self.leaving = True
        for open_page in self._open_pages:
            open_page.socket.close(RESTART)

    def end(self) -> None:
        """Close every page and stop the threads. An exiting process need not call this: its threads are daemons."""
        self.close_pages()
        self._stopping.set()
        self._check_wanted.set()
        for thread in self._threads:
            thread.join()

    def _leave(self, open_page: OpenPage, subscribers: Subscribers, since: float) -> None:
        listing = subscribers.listing
        with self._lock:
            self._open_pages.remove(open_page)
            subscribers.open_pages.discard(open_page)
            owner = self._owners[listing.owner_id]
            if not subscribers.open_pages and owner.groups.get(listing) is subscribers:
                del owner.groups[listing]
            gone = not owner.groups
            if gone:
                del self._owners[listing.owner_id]
        if gone:
            self._wake_listener()
        lasted, code = time.monotonic() - since, int(open_page.socket.close_reason)
        log.info("live page of user %d closed after %.0f s with %d", listing.owner_id, lasted, code)

    def _start(self) -> None:
        if not self._threads:
            loops = (self._listen, self._run_checks, self._ping_pages)
            self._threads = [threading.Thread(target=loop, name="live", daemon=True) for loop in loops]
            for thread in self._threads:
                thread.start()

    def _wake_listener(self) -> None:
        try:
            self._backend.redis.publish(self._control, "")
        except RedisError:
            log.debug("cannot reach Redis to wake the listener; it checks for changes regularly")

    # --- the listener

    def _listen(self) -> None:
        pubsub = connect_redis(self._backend.settings, socket_timeout=SILENT_SECONDS).pubsub()
        self._received_at = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._update_subscriptions(pubsub)
                self._handle(pubsub.get_message(timeout=LISTEN_SECONDS))
            except RedisError as error:
                log.warning("no live events from Redis (%s); polling the database instead", error)
                self._received_at = -SILENT_SECONDS
                self._stopping.wait(RECONNECT_SECONDS)
            except Exception:
                log.exception("error in the live listener; continuing")
                self._stopping.wait(RECONNECT_SECONDS)
            self._update_status()
        pubsub.close()

    def _update_subscriptions(self, pubsub: Any) -> None:
        """Subscribe to the channels of the owners with open pages, and unsubscribe from all others."""
        if not pubsub.channels:
            pubsub.subscribe(self._control)
        with self._lock:
            wanted = set(self._owners)
            for owner_id in wanted & self._confirmed:
                if not (confirmed := self._owners[owner_id].confirmed).is_set():
                    confirmed.set()  # slow even if it is already set, hence the check
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

    def _handle(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        self._received_at = time.monotonic()
        owner_id = events.owner_of(message["channel"].decode()) if message["channel"] else None
        if owner_id is None or message["type"] not in ("message", "subscribe"):
            return
        if message["type"] == "subscribe" and owner_id in self._subscribed:
            # This also follows a reconnection: events published in the meantime are lost, so refresh below.
            self._confirmed.add(owner_id)
        with self._lock:
            owner = self._owners.get(owner_id)
        if owner is None:
            return
        if message["type"] == "message" and b"sign_out" in message["data"]:
            self._check_wanted.set()
        owner.toasts.mark_stale()
        _refresh(list(owner.groups.values()))

    def _update_status(self) -> None:
        """Close the pages when the process is about to stop, and show on them whether events arrive."""
        if not self.leaving and not self._is_alive():
            self.close_pages()
        prompt = time.monotonic() - self._received_at < SILENT_SECONDS
        if prompt != self.prompt:
            self.prompt = prompt
            for owner in self._current_owners():
                for subscribers in list(owner.groups.values()):
                    subscribers.prompt = prompt
                    subscribers.wake()

    # --- the database checks, in a thread of their own so that a slow database does not block the listener

    def _run_checks(self) -> None:
        while not self._stopping.is_set():
            self._check_wanted.wait(CHECK_SESSIONS_SECONDS)
            self._check_wanted.clear()
            try:
                self._check(time.monotonic())
            except SQLAlchemyError:
                log.warning("cannot check the open pages; retrying at the next check", exc_info=True)
            except Exception:
                log.exception("error while checking the open pages; continuing")

    def _check(self, now: float) -> None:
        for open_page in self._open_pages.signed_out(self._backend.database):
            open_page.socket.close(SIGNED_OUT, "signed out")
        if not self.prompt or now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            owners = self._current_owners()
            for owner in owners:
                owner.toasts.mark_stale()
            _refresh(outdated(self._backend.database, [one for owner in owners for one in list(owner.groups.values())]))

    def _current_owners(self) -> list[Owner]:
        with self._lock:
            return list(self._owners.values())

    # --- the pings

    def _ping_pages(self) -> None:
        while not self._stopping.wait(PING_ROUND_SECONDS):
            while self._ping_due():
                time.sleep(0)  # yield to other greenlets: after a deployment all pages may be due at once

    def _ping_due(self) -> bool:
        """Ping a batch of the pages that are due, dropping closed ones; return whether more may be due."""
        now = time.monotonic()
        for _ in range(PINGS_AT_ONCE):
            if not self._ping_queue or self._ping_queue[0].ping_at > now:
                return False
            socket = self._ping_queue.popleft()
            if socket.connected:
                socket.ping()
                self._ping_queue.append(socket)
        return True


def _refresh(groups: list[Subscribers]) -> None:
    for subscribers in groups:
        subscribers.mark_stale()
        subscribers.wake()
