"""The process's one subscription, which wakes open pages, and the checks that make good what it lost.

The subscription is used by one thread only, the listener. Everybody else says what they want in `_owners` and sends the
listener a message through Redis; so there is nothing to lock around the connection. An event never carries what a page
shows: it marks the owner's pages as stale, and those that show the same are told by one greenlet that reads for them. A
slow page delays itself only, and a thousand events between two reads cost one. A second thread checks, because the
database may take its time, and a third asks the pages whether they are there.
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

from jobs.runs import Backend, Listing, events
from jobs.storage import connect_redis
from webapp.live.open_pages import OpenPages
from webapp.live.socket import RESTART, SIGNED_OUT, LiveSocket
from webapp.live.subscribers import OpenPage, Owner, Subscribers, wrong

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.5
CHECK_SECONDS = 10.0
CHECK_SESSIONS_SECONDS = 1.5  # a page whose session has ended is closed within two
PING_SECONDS = 2.0
SILENT_SECONDS = 6.0
CONFIRM_SECONDS = 2
RECONNECT_SECONDS = 0.5
MOST_PAGES = 20
MOST_PAGES_OF_ALL = 10_000  # 60 MB, and 1 to 2 % of a core when nothing happens
ASK_SECONDS = 1.0
ASKED_AT_ONCE = 100


class TooManyPages(Exception):
    """There are as many open pages as one owner, or all together, may have in this process."""


class Hub:
    """One for each web process."""

    def __init__(self, app: Flask, backend: Backend) -> None:
        self._app = app
        self._backend = backend
        self._owners: dict[int, Owner] = {}
        self._open_pages = OpenPages()
        self._in_turn: deque[LiveSocket] = deque()  # the one to be asked next is the first
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._control = f"dumbwaiter:web:{secrets.token_hex(8)}"
        self._subscribed: set[int] = set()
        self._heard: set[int] = set()
        self._heard_at = -SILENT_SECONDS
        self._pinged_at = self._checked_at = time.monotonic()
        self._check_wanted = threading.Event()
        self._over = threading.Event()
        self._is_alive: Callable[[], bool] = lambda: True
        self.leaving = False
        """Whether every page is to go and come back to another process."""
        self.prompt = True
        """Whether events arrive; without them pages are right only after the next check."""

    def stop_when(self, is_alive: Callable[[], bool]) -> None:
        """Have every page sent away once this process is to end."""
        self._is_alive = is_alive

    def join(self, open_page: OpenPage, listing: Listing) -> None:
        """Register an open page and send what it lacks, once Redis has confirmed the owner's channel.

        So nothing is missed in between; without Redis this happens after a while.

        Raises TooManyPages.
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
            self._in_turn.append(open_page.socket)
        log.info("live page of user %d opened", listing.owner_id)
        open_page.socket.attend(
            partial(subscribers.tell, [open_page]), partial(self._leave, open_page, subscribers, time.monotonic())
        )
        if not owner.confirmed.is_set():
            self._nudge()
            owner.confirmed.wait(CONFIRM_SECONDS)
        subscribers.mark_stale()
        subscribers.tell([open_page])
        if self.leaving:
            open_page.socket.close(RESTART)

    def send_away(self) -> None:
        """Have every page go and come back to another process."""
        self.leaving = True
        for open_page in self._open_pages:
            open_page.socket.close(RESTART)

    def end(self) -> None:
        """Send every page away and end the threads; a process that ends by itself need not wait for them."""
        self.send_away()
        self._over.set()
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
            self._nudge()
        lasted, code = time.monotonic() - since, int(open_page.socket.close_reason)
        log.info("live page of user %d closed after %.0f s with %d", listing.owner_id, lasted, code)

    def _start(self) -> None:
        if not self._threads:
            duties = (self._listen, self._look_after, self._ask)
            self._threads = [threading.Thread(target=duty, name="live", daemon=True) for duty in duties]
            for thread in self._threads:
                thread.start()

    def _nudge(self) -> None:
        try:
            self._backend.redis.publish(self._control, "")
        except RedisError:
            log.debug("Redis is away; the listener will look by itself")

    # --- the listener

    def _listen(self) -> None:
        pubsub = connect_redis(self._backend.settings, socket_timeout=SILENT_SECONDS).pubsub()
        self._heard_at = time.monotonic()
        while not self._over.is_set():
            try:
                self._settle(pubsub)
                self._hear(pubsub.get_message(timeout=LISTEN_SECONDS))
            except RedisError as error:
                log.warning("no live events from Redis (%s); pages are checked again and again", error)
                self._heard_at = -SILENT_SECONDS
                self._over.wait(RECONNECT_SECONDS)
            except Exception:
                log.exception("the listener stumbled and goes on")
                self._over.wait(RECONNECT_SECONDS)
            self._tell_truth()
        pubsub.close()

    def _settle(self, pubsub: Any) -> None:
        """Bring the subscription in line with who is here."""
        if not pubsub.channels:
            pubsub.subscribe(self._control)
        with self._lock:
            wanted = set(self._owners)
            for owner_id in wanted & self._heard:
                if not (confirmed := self._owners[owner_id].confirmed).is_set():
                    confirmed.set()  # which takes its time, also once it is set
        for owner_id in wanted - self._subscribed:
            pubsub.subscribe(events.channel(owner_id))
            self._subscribed.add(owner_id)
        for owner_id in self._subscribed - wanted:
            pubsub.unsubscribe(events.channel(owner_id))
            self._subscribed.discard(owner_id)
            self._heard.discard(owner_id)
        if time.monotonic() - self._pinged_at >= PING_SECONDS:  # a Redis that is frozen breaks no connection
            self._pinged_at = time.monotonic()
            pubsub.ping()

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        self._heard_at = time.monotonic()
        owner_id = events.owner_of(message["channel"].decode()) if message["channel"] else None
        if owner_id is None or message["type"] not in ("message", "subscribe"):
            return
        if message["type"] == "subscribe" and owner_id in self._subscribed:
            # Also after the connection was lost and made again: what was published meanwhile is gone, so look.
            self._heard.add(owner_id)
        with self._lock:
            owner = self._owners.get(owner_id)
        if owner is None:
            return
        if message["type"] == "message" and b"sign_out" in message["data"]:
            self._check_wanted.set()
        owner.toasts.mark_stale()
        _refresh(list(owner.groups.values()))

    def _tell_truth(self) -> None:
        """Let every page know when it is to go, and when it cannot be told of changes at once."""
        if not self.leaving and not self._is_alive():
            self.send_away()
        prompt = time.monotonic() - self._heard_at < SILENT_SECONDS
        if prompt != self.prompt:
            self.prompt = prompt
            for owner in self._here():
                for subscribers in list(owner.groups.values()):
                    subscribers.prompt = prompt
                    subscribers.wake()

    # --- what is looked after in the database, which may take its time: the listener goes on meanwhile

    def _look_after(self) -> None:
        while not self._over.is_set():
            self._check_wanted.wait(CHECK_SESSIONS_SECONDS)
            self._check_wanted.clear()
            try:
                self._check(time.monotonic())
            except SQLAlchemyError:
                log.warning("the open pages could not be checked; the next check follows", exc_info=True)
            except Exception:
                log.exception("the check of the open pages stumbled and goes on")

    def _check(self, now: float) -> None:
        for open_page in self._open_pages.signed_out(self._backend.database):
            open_page.socket.close(SIGNED_OUT, "signed out")
        if not self.prompt or now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            owners = self._here()
            for owner in owners:
                owner.toasts.mark_stale()
            _refresh(wrong(self._backend.database, [one for owner in owners for one in list(owner.groups.values())]))

    def _here(self) -> list[Owner]:
        with self._lock:
            return list(self._owners.values())

    # --- whether the pages are there

    def _ask(self) -> None:
        while not self._over.wait(ASK_SECONDS):
            while self._ask_some():
                time.sleep(0)  # they may all have come at once, after a deployment

    def _ask_some(self) -> bool:
        """Ask those whose turn it is, if they are there still; whether there may be more of them."""
        now = time.monotonic()
        for _ in range(ASKED_AT_ONCE):
            if not self._in_turn or self._in_turn[0].ask_at > now:
                return False
            socket = self._in_turn.popleft()
            if socket.connected:
                socket.ask()
                self._in_turn.append(socket)
        return True


def _refresh(groups: list[Subscribers]) -> None:
    for subscribers in groups:
        subscribers.mark_stale()
        subscribers.wake()
