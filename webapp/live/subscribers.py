"""Owners with open pages, grouped by the listing that the pages show."""

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import gevent
from flask import Flask, g

from jobs.runs import Ending, versions
from jobs.storage import Database, utcnow
from webapp.current import backend
from webapp.live.rate_limit import RateLimit
from webapp.live.snapshot import ClientState, Snapshot, difference, take_snapshot
from webapp.live.socket import RESTART, LiveSocket, framed
from webapp.live.toasts import Toasts, ended_after
from webapp.live.watchers import Watcher
from webapp.rendering import fragments
from webapp.rendering.listings import Listing

log = logging.getLogger(__name__)

# A batch blocks the event loop for about 5 ms.
LISTINGS_AT_ONCE = 200

# Nobody misses a new run for so long: who submitted it has it in the response. A run that ends meanwhile, as most short
# ones do, is read, rendered and sent only once. Its worker waits as long before it publishes that a run has started.
NEW_RUN_SECONDS = 0.02

# Wait estimates move at most so often. They are as many as runs that wait, and each run that starts moves all of them.
MOVES_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SentState:
    """The state sent to a page: its content, the time of the last toast, and whether it shows events as arriving."""

    shown: ClientState | None
    until: datetime
    prompt: bool | None = None


@dataclass(slots=True, eq=False)
class OpenPage:
    """An open page with its socket, its session, the place it is open at, and the state sent to it.

    `ends_at` is when the session expires, as a time.time() timestamp. `rights` is the mark of the rights that the page
    was made with, empty if it does not say, and `viewer_id` who looks at it, who is not always the owner of its runs.
    """

    socket: LiveSocket
    session: int
    ends_at: float
    sent: SentState
    place: str = ""
    rights: str = ""
    viewer_id: int = 0


@dataclass(frozen=True)
class Update:
    """A frame that brings pages in one state to a snapshot, with toasts and possibly a new live status."""

    shown: ClientState | None
    snapshot: Snapshot
    endings: Sequence[Ending]
    prompt: bool | None
    frame: bytes

    def fits(self, snapshot: Snapshot, *others: object) -> bool:
        return self.snapshot is snapshot and (self.shown, self.endings, self.prompt) == others


class Subscribers:
    """The open pages that show the same listing.

    After a change one greenlet reads, renders and sends to all of them. Frames are rate limited, and the changes
    between two frames are combined; a change of a run's state does not wait behind progress and output. A page that is
    still receiving its last frame is skipped, and updated once it is ready.
    """

    def __init__(self, app: Flask, listing: Listing, toasts: Toasts | None, prompt: bool) -> None:
        self.listing = listing
        self.prompt = prompt
        self.open_pages: set[OpenPage] = set()
        self._app = app
        self._toasts = toasts
        self._progress_limit = RateLimit(burst=5, per_second=10)
        self._state_limit = RateLimit(burst=50, per_second=50)
        self._state_changed, self._is_due = threading.Event(), threading.Event()
        self._snapshot: Snapshot | None = None
        self._last: Update | None = None
        self._stale = True
        self._moved_at = -math.inf
        self._lock = threading.Lock()
        self._wanted = self._updating = False

    def mark_stale(self) -> None:
        """Make the next reader take a new snapshot."""
        self._stale = True

    def wake(self, state_changed: bool = True, is_new: bool = False) -> None:
        """Schedule an update of every page, soon if the state of a run has changed, and not yet if a run is new."""
        self._wanted = True
        if not is_new:
            self._is_due.set()
        if state_changed:
            self._state_changed.set()
        if not self._updating:
            self._updating = True
            gevent.spawn(self._update_all)

    def update(self, open_pages: Sequence[OpenPage]) -> bool:
        """Send these pages what they lack and return whether anything was sent.

        After an error the pages are closed so that they reconnect.
        """
        try:
            with self._app.app_context():
                g.url_prefix = self.listing.url_prefix
                return self._update(open_pages)
        except Exception:
            log.exception("closing %d live pages of user %d to reconnect", len(open_pages), self.listing.owner_id)
            for open_page in open_pages:
                open_page.socket.close(RESTART)
            return False

    def _update_all(self) -> None:
        while self._wanted:
            self._is_due.wait(NEW_RUN_SECONDS)
            self._is_due.clear()
            self._wanted = False
            state_changed = self._state_changed.is_set()
            self._state_changed.clear()
            if not self.update(list(self.open_pages)):
                continue
            if state_changed:
                self._state_limit.wait()
            else:
                self._progress_limit.wait(urgent=self._state_changed)
        self._updating = False

    def _update(self, open_pages: Sequence[OpenPage]) -> bool:
        # Both calls may wait for the database. Nothing after them yields to another greenlet, so no page can receive a
        # newer snapshot before this one.
        until = min((open_page.sent.until for open_page in open_pages), default=utcnow())
        recent, snapshot = self._toasts.endings(until) if self._toasts else (), self.snapshot()
        any_sent = False
        for open_page in open_pages:
            if open_page.socket.ready:
                endings = ended_after(open_page.sent.until, recent)
                if frame := self._frame(snapshot, open_page.sent, endings):
                    open_page.socket.push(frame)
                    any_sent = True
                until = endings[-1].ended_at if endings else open_page.sent.until
                open_page.sent = SentState(snapshot.shown, until, self.prompt)
        return any_sent

    def snapshot(self) -> Snapshot:
        with self._lock:
            if self._stale or self._snapshot is None:
                self._stale = False  # before the read, so that a change during it marks the snapshot stale again
                move = time.monotonic() - self._moved_at >= MOVES_SECONDS
                if move:
                    self._moved_at = time.monotonic()
                try:
                    self._snapshot = take_snapshot(backend().database, self.listing, self._snapshot, move)
                except BaseException:
                    self._stale = True
                    raise
            return self._snapshot

    def _frame(self, snapshot: Snapshot, sent: SentState, endings: Sequence[Ending]) -> bytes:
        """Return the frame that updates a page, empty if it is up to date; pages in the same state share one."""
        # A new page (None) always gets its live status, so that it knows it is up to date even if nothing else changed.
        prompt = self.prompt if sent.prompt != self.prompt else None
        if self._last is None or not self._last.fits(snapshot, sent.shown, endings, prompt):
            html = difference(sent.shown, snapshot) + (fragments.live_status(prompt) if prompt is not None else "")
            html += "".join(fragments.toast(ending) for ending in endings)
            self._last = Update(sent.shown, snapshot, endings, prompt, framed(html) if html else b"")
        return self._last.frame

    def is_current(self, now: list[tuple[int, int]]) -> bool:
        """Return whether the snapshot has these runs at these versions.

        Always false with queued runs: their wait estimates change without a new version.
        """
        snapshot = self._snapshot
        if snapshot is None or self._stale or snapshot.page.wait_estimates:
            return False
        has, limit = snapshot.shown, self.listing.limit
        return list(has.versions.items()) == now[:limit] and has.more == (len(now) > limit)


def outdated(database: Database, groups: Sequence[Subscribers]) -> list[Subscribers]:
    """Return the groups whose snapshot differs from the database, with one query per LISTINGS_AT_ONCE groups."""
    found = []
    for first in range(0, len(groups), LISTINGS_AT_ONCE):
        some = groups[first : first + LISTINGS_AT_ONCE]
        with database.read() as session:
            now = versions(session, [replace(one.listing, limit=one.listing.limit + 1) for one in some])
        found += [one for one, runs in zip(some, now, strict=True) if not one.is_current(runs)]
    return found


class Owner:
    """The open pages that show an owner's runs, its toasts, and the confirmation of the Redis subscription."""

    def __init__(self, database: Database, owner_id: int) -> None:
        self.groups: dict[Listing, Subscribers] = {}
        self.watchers: set[Watcher] = set()
        self.toasts = Toasts(database, owner_id)
        self.confirmed = threading.Event()

    @property
    def is_gone(self) -> bool:
        """Return whether neither an open page nor a waiting request needs the owner's events."""
        return not (self.groups or self.watchers)
