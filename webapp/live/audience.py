"""Who is here: owners, and their open pages by what they show."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs import Backend, Listing, versions
from webapp.live.news import News
from webapp.live.picture import Picture, Shown, difference, draw
from webapp.live.socket import LiveSocket

# SQLAlchemy takes a time for a statement that grows with the square of its parts: 500 listings 200 at a time held
# everything up for 140 ms, 20 at a time for 60.
LISTINGS_AT_ONCE = 20


@dataclass(frozen=True)
class Step:
    """What was sent to a page that showed one thing, so that it shows another."""

    shown: Shown | None
    picture: Picture
    frame: str


class Audience:
    """The open pages that show the same listing: whoever asks first after a change reads and renders for all."""

    def __init__(self, backend: Backend, listing: Listing) -> None:
        self.listing = listing
        self.seats: set[Seat] = set()
        self._database = backend.database
        self._picture: Picture | None = None
        self._step: Step | None = None
        self._stale = True
        self._lock = threading.Lock()

    def mark_stale(self) -> None:
        """Have the picture drawn anew for whoever asks next."""
        self._stale = True

    def wake(self) -> None:
        for seat in list(self.seats):
            seat.wake()

    def picture(self) -> Picture:
        with self._lock:
            if self._stale or self._picture is None:
                self._stale = False  # before reading: what changes meanwhile marks it again
                try:
                    self._picture = draw(self._database, self.listing, self._picture)
                except BaseException:
                    self._stale = True
                    raise
            return self._picture

    def step(self, shown: Shown | None) -> tuple[str, Shown]:
        """What a page lacks that shows this, and what it shows then; put together once for all that show the same."""
        picture, last = self.picture(), self._step
        if last is None or last.picture is not picture or last.shown != shown:
            self._step = last = Step(shown, picture, difference(shown, picture))
        return last.frame, picture.shown

    def is_right(self, now: Sequence[tuple[int, int]]) -> bool:
        """Whether its picture has these runs at these versions; that of a run that waits is never sure to be."""
        picture = self._picture
        if picture is None or self._stale or picture.page.outlooks:
            return False
        page = picture.page
        has = [(run.id, run.version) for run in page.runs]
        return has == list(now[: self.listing.limit]) and page.more == (len(now) > self.listing.limit)


def wrong(backend: Backend, audiences: Sequence[Audience]) -> list[Audience]:
    """Those whose picture is not what the database says, found with one statement for all of them."""
    found = []
    for first in range(0, len(audiences), LISTINGS_AT_ONCE):
        some = audiences[first : first + LISTINGS_AT_ONCE]
        with backend.database.read() as session:
            now = versions(session, [replace(one.listing, limit=one.listing.limit + 1) for one in some])
        found += [one for one, runs in zip(some, now, strict=True) if not one.is_right(runs)]
    return found


class Seat:
    """One open page, of a session that ends by itself when time.time() says so."""

    def __init__(self, socket: LiveSocket, audience: Audience, news: News, session_id: str, ends_at: float) -> None:
        self.socket = socket
        self.audience = audience
        self.news = news
        self.session_id = session_id
        self.signed_out = False
        self._ends_at = ends_at

    def wake(self) -> None:
        self.socket.event.set()

    def sign_out_unless(self, current: bool) -> None:
        if not current or time.time() >= self._ends_at:
            self.signed_out = True
            self.wake()


class Owner:
    """A signed-in user with open pages."""

    def __init__(self, backend: Backend, owner_id: int) -> None:
        self.audiences: dict[Listing, Audience] = {}
        self.news = News(backend.database, owner_id)
        self.confirmed = threading.Event()

    @property
    def seats(self) -> list[Seat]:
        return [seat for audience in list(self.audiences.values()) for seat in list(audience.seats)]
