"""The open pages of a web process, kept up to date with events from Redis and checks of the database.

Events carry no page content: an event marks the owner's pages as stale, and one greenlet for each listing reads the
database and sends the changes to all pages that show it. A slow page therefore delays only itself, and a thousand
events between two reads cost one read. Three threads serve all pages: the listener, the checks, because the database
may be slow, and the pings.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import partial

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from jobs.runs import Backend, events
from webapp.connections import is_here
from webapp.live import watchers
from webapp.live.listener import Listener
from webapp.live.open_pages import OpenPages
from webapp.live.pings import PingQueue
from webapp.live.rights_of_pages import with_other_rights
from webapp.live.socket import OTHER_RIGHTS, RESTART, SIGNED_OUT, framed
from webapp.live.subscribers import OpenPage, Owner, Subscribers, outdated
from webapp.live.watchers import Watcher
from webapp.rendering import fragments
from webapp.rendering.listings import Listing

log = logging.getLogger(__name__)

CHECK_SECONDS = 10.0
CHECK_SESSIONS_SECONDS = 0.75  # ends a page or a wait within a second of its session or token, whatever is lost
LEAVE_SECONDS = 10.0  # for answering all programs that wait
LOOK_SECONDS = 0.02
CONFIRM_SECONDS = 2
MOST_PAGES = 20
MOST_PAGES_OF_PLACE = 1000  # of one IP address, which an office shares
MOST_PAGES_OF_ALL = 10_000  # these take 60 MB, and 1 to 2% of a core when idle


class TooManyPages(Exception):
    """The limit of open pages in this process is reached, for one owner, one place or all together."""


class Hub:
    """The registry of open pages in a web process, with the threads that keep them up to date."""

    def __init__(self, app: Flask, backend: Backend) -> None:
        self._app = app
        self._backend = backend
        self._owners: dict[int, Owner] = {}
        self._open_pages = OpenPages()
        self._watching = 0
        self._pings = PingQueue()
        self._listener = Listener(backend)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._checked_at = time.monotonic()
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
            owner, subscribers = self._admit(open_page, listing)
        log.info("live page of user %d opened", open_page.viewer_id)
        open_page.socket.set_callbacks(
            partial(subscribers.update, [open_page]), partial(self._leave, open_page, subscribers, time.monotonic())
        )
        self._confirm(owner)
        subscribers.mark_stale()
        subscribers.update([open_page])
        if self.leaving:
            self._send_away([open_page])

    def watch(self, owner_id: int, watcher: Watcher) -> None:
        """Wake a watcher whenever its run may have changed, until `unwatch`. Raises TooManyPages at the limit.

        Like a page, it begins once Redis has confirmed the subscription, so read the run after this.
        """
        with self._lock:
            self._start()
            if len(self._open_pages) + self._watching >= MOST_PAGES_OF_ALL:
                raise TooManyPages
            owner = self._owners.setdefault(owner_id, Owner(self._backend.database, owner_id))
            owner.watchers.add(watcher)
            self._watching += 1
        self._confirm(owner)
        if self.leaving:
            watcher.leave()

    def unwatch(self, owner_id: int, watcher: Watcher) -> None:
        """Forget a watcher; do nothing if that has happened."""
        with self._lock:
            owner = self._owners.get(owner_id)
            if owner is None or watcher not in owner.watchers:
                return
            owner.watchers.discard(watcher)
            self._watching -= 1
            gone = self._forget(owner_id)
        if gone:
            self._listener.wake()

    def _confirm(self, owner: Owner) -> None:
        if not owner.confirmed.is_set():
            self._listener.wake()
            owner.confirmed.wait(CONFIRM_SECONDS)

    def _forget(self, owner_id: int) -> bool:
        """Drop an owner whose events nobody needs any more, and return whether it is gone."""
        if owner_id in self._owners and self._owners[owner_id].is_gone:
            del self._owners[owner_id]
            return True
        return False

    def close_pages(self) -> None:
        """Close every page with a code that makes it reconnect to another process, and say so on the page.

        Programs that wait are answered.
        """
        self.leaving = True
        for watcher in self._watchers():
            watcher.leave()
        self._send_away(self._open_pages)
        deadline = time.monotonic() + LEAVE_SECONDS
        while self._watching and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Close every page and stop the threads. An exiting process need not call this: its threads are daemons."""
        self.close_pages()
        self._stopping.set()
        self._check_wanted.set()
        for thread in self._threads:
            thread.join()

    def _send_away(self, open_pages: Iterable[OpenPage]) -> None:
        with self._app.app_context():
            notice = framed(fragments.connecting(restarting=True))
        for open_page in open_pages:
            open_page.socket.push(notice)
            open_page.socket.close(RESTART)

    def _admit(self, open_page: OpenPage, listing: Listing) -> tuple[Owner, Subscribers]:
        self._start()
        if len(self._open_pages) >= MOST_PAGES_OF_ALL:
            raise TooManyPages
        owner = self._owners.setdefault(listing.owner_id, Owner(self._backend.database, listing.owner_id))
        if self._open_pages.of_viewer(open_page.viewer_id) >= MOST_PAGES or self._fills(open_page.place):
            self._forget(listing.owner_id)
            raise TooManyPages
        toasts = owner.toasts if listing.access.owns else None
        subscribers = owner.groups.get(listing) or Subscribers(self._app, listing, toasts, self.prompt)
        owner.groups[listing] = subscribers
        subscribers.open_pages.add(open_page)
        self._open_pages.add(open_page)
        self._pings.add(open_page.socket)
        return owner, subscribers

    def _fills(self, place: str) -> bool:
        """Return whether a place has as many pages open as it may."""
        return self._open_pages.of_place(place) >= MOST_PAGES_OF_PLACE and not is_here(place)

    def _leave(self, open_page: OpenPage, subscribers: Subscribers, since: float) -> None:
        listing = subscribers.listing
        with self._lock:
            self._open_pages.remove(open_page)
            subscribers.open_pages.discard(open_page)
            owner = self._owners[listing.owner_id]
            if not subscribers.open_pages and owner.groups.get(listing) is subscribers:
                del owner.groups[listing]
            gone = self._forget(listing.owner_id)
        if gone:
            self._listener.wake()
        lasted, code = time.monotonic() - since, int(open_page.socket.close_reason)
        log.info("live page of user %d closed after %.0f s with %d", open_page.viewer_id, lasted, code)

    def _start(self) -> None:
        if not self._threads:
            listen, ping = partial(self._listener.run, self, self._stopping), partial(self._pings.run, self._stopping)
            loops = (listen, ping, self._run_checks)
            self._threads = [threading.Thread(target=loop, name="live", daemon=True) for loop in loops]
            for thread in self._threads:
                thread.start()

    # --- for the listener

    def owners_with_pages(self, confirmed: AbstractSet[int]) -> set[int]:
        """Return the owners with open pages, after letting those pages go on whose subscription is confirmed."""
        with self._lock:
            for owner_id in self._owners.keys() & confirmed:
                if not (event := self._owners[owner_id].confirmed).is_set():
                    event.set()  # slow even if it is already set, hence the check
            return set(self._owners)

    def handle_event(self, owner_id: int, data: bytes) -> None:
        """Refresh the owner's pages."""
        with self._lock:
            owner = self._owners.get(owner_id)
        if owner is None:
            return
        if b"sign_out" in data or b"rights" in data:
            self._check_wanted.set()
        if b"rights" in data:
            self._checked_at = -math.inf
        run_id = events.run_of(data)
        for watcher in list(owner.watchers):
            if run_id in (None, watcher.run_id):
                watcher.wake()
        owner.toasts.mark_stale()
        for subscribers in list(owner.groups.values()):
            subscribers.mark_stale()
            subscribers.wake(events.changes_state(data), events.is_of_new_run(data))

    def update_status(self) -> None:
        """Close the pages when the process is about to stop, and show on them whether events arrive."""
        if not self.leaving and not self._is_alive():
            self.close_pages()
        prompt = self._listener.is_prompt
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
        for watcher in watchers.refused(self._backend.database, self._watchers()):
            watcher.wake()
        if not self.prompt or now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            owners = self._current_owners()
            for owner in owners:
                owner.toasts.mark_stale()
            groups = [one for owner in owners for one in list(owner.groups.values())]
            for open_page in with_other_rights(self._backend, groups):
                open_page.socket.close(OTHER_RIGHTS, "other rights")
            for subscribers in outdated(self._backend.database, groups):
                subscribers.mark_stale()
                subscribers.wake()
            for watcher in watchers.outdated(self._backend.database, self._watchers()):
                watcher.wake()

    def _watchers(self) -> list[Watcher]:
        return [watcher for owner in self._current_owners() for watcher in list(owner.watchers)]

    def _current_owners(self) -> list[Owner]:
        with self._lock:
            return list(self._owners.values())
