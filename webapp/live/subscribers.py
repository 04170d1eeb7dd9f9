"""Who is here: owners, and their open pages by what they show."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import gevent
from flask import Flask

from jobs.runs import Ending, Listing, versions
from jobs.storage import Database
from webapp.current import backend
from webapp.live.rate_limit import RateLimit
from webapp.live.snapshot import ClientState, Snapshot, difference, draw
from webapp.live.socket import RESTART, LiveSocket, framed
from webapp.live.toasts import Toasts, since
from webapp.rendering import fragments

log = logging.getLogger(__name__)

# Some 5 ms, in which the event loop takes no other step.
LISTINGS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What a page has been told: what it shows, what ended until when, and whether it hears of changes at once."""

    shown: ClientState | None
    until: datetime
    prompt: bool | None = None


@dataclass(slots=True, eq=False)
class OpenPage:
    """One open page, of a session that ends by itself when time.time() says so, and what it has been told."""

    socket: LiveSocket
    session_id: str
    ends_at: float
    told: Told


@dataclass(frozen=True)
class Step:
    """What brings pages that show the same to a snapshot, with some news and perhaps a new word for being live."""

    shown: ClientState | None
    snapshot: Snapshot
    news: Sequence[Ending]
    prompt: bool | None
    frame: bytes

    def leads(self, shown: ClientState | None, snapshot: Snapshot, news: Sequence[Ending], prompt: bool | None) -> bool:
        return self.snapshot is snapshot and (self.shown, self.news, self.prompt) == (shown, news, prompt)


class Subscribers:
    """The open pages that show the same listing: after a change one greenlet reads and renders, and tells all of them.

    They may be told a few times at once and then ten times a second: what changes meanwhile comes in one frame. A page
    that has not taken its last frame yet is left out, and told when it has.
    """

    def __init__(self, app: Flask, listing: Listing, toasts: Toasts, prompt: bool) -> None:
        self.listing = listing
        self.prompt = prompt
        self.open_pages: set[OpenPage] = set()
        self._app = app
        self._toasts = toasts
        self._rate_limit = RateLimit()
        self._snapshot: Snapshot | None = None
        self._step: Step | None = None
        self._stale = True
        self._lock = threading.Lock()
        self._wanted = self._telling = False

    def mark_stale(self) -> None:
        """Have the snapshot drawn anew for whoever asks next."""
        self._stale = True

    def wake(self) -> None:
        """Have every page told what it lacks."""
        self._wanted = True
        if not self._telling:
            self._telling = True
            gevent.spawn(self._tell_all)

    def tell(self, open_pages: Sequence[OpenPage]) -> bool:
        """Send each of these pages what it lacks, and those away for which that cannot be found out; whether it did."""
        try:
            with self._app.app_context():
                return self._tell(open_pages)
        except Exception:
            log.exception("%d live pages of user %d are sent away to come back", len(open_pages), self.listing.owner_id)
            for open_page in open_pages:
                open_page.socket.close(RESTART)
            return False

    def _tell_all(self) -> None:
        while self._wanted:
            self._wanted = False
            if self.tell(list(self.open_pages)):
                self._rate_limit.keep()
        self._telling = False

    def _tell(self, open_pages: Sequence[OpenPage]) -> bool:
        # Both may wait for the database. After them nothing does, so that nobody is told of a newer snapshot meanwhile.
        endings, snapshot = self._toasts.endings(), self.snapshot()
        sent = False
        for open_page in open_pages:
            if open_page.socket.ready:
                news = since(open_page.told.until, endings)
                if frame := self._frame(snapshot, open_page.told, news):
                    open_page.socket.tell(frame)
                    sent = True
                open_page.told = Told(snapshot.shown, news[-1].ended_at if news else open_page.told.until, self.prompt)
        return sent

    def snapshot(self) -> Snapshot:
        with self._lock:
            if self._stale or self._snapshot is None:
                self._stale = False  # before reading: what changes meanwhile marks it again
                try:
                    self._snapshot = draw(backend().database, self.listing, self._snapshot)
                except BaseException:
                    self._stale = True
                    raise
            return self._snapshot

    def _frame(self, snapshot: Snapshot, told: Told, news: Sequence[Ending]) -> bytes:
        """What a page lacks, or nothing; put together once for all that lack the same."""
        # It is told also the first time: so a page to which nothing is new knows that it is right.
        prompt = self.prompt if told.prompt != self.prompt else None
        if self._step is None or not self._step.leads(told.shown, snapshot, news, prompt):
            html = difference(told.shown, snapshot) + (fragments.liveness(prompt) if prompt is not None else "")
            html += "".join(fragments.toast(ending) for ending in news)
            self._step = Step(told.shown, snapshot, news, prompt, framed(html) if html else b"")
        return self._step.frame

    def is_right(self, now: list[tuple[int, int]]) -> bool:
        """Whether its snapshot has these runs at these versions; that of a run that waits is never sure to be."""
        snapshot = self._snapshot
        if snapshot is None or self._stale or snapshot.page.wait_estimates:
            return False
        has, limit = snapshot.shown, self.listing.limit
        return list(has.versions.items()) == now[:limit] and has.more == (len(now) > limit)


def wrong(database: Database, groups: Sequence[Subscribers]) -> list[Subscribers]:
    """Those whose snapshot is not what the database says, found with a statement for many of them."""
    found = []
    for first in range(0, len(groups), LISTINGS_AT_ONCE):
        some = groups[first : first + LISTINGS_AT_ONCE]
        with database.read() as session:
            now = versions(session, [replace(one.listing, limit=one.listing.limit + 1) for one in some])
        found += [one for one, runs in zip(some, now, strict=True) if not one.is_right(runs)]
    return found


class Owner:
    """A signed-in user with open pages."""

    def __init__(self, database: Database, owner_id: int) -> None:
        self.groups: dict[Listing, Subscribers] = {}
        self.toasts = Toasts(database, owner_id)
        self.confirmed = threading.Event()

    @property
    def open_pages(self) -> list[OpenPage]:
        return [page for group in list(self.groups.values()) for page in list(group.open_pages)]
