"""Who is here: the open pages of each owner, and the process's one subscription that wakes them.

The subscription is used by one thread only, the listener. Everybody else says what they want in `_owners` and sends the
listener a message through Redis; so there is nothing to lock around the connection. An event never carries what a page
shows: it marks the owner's pages as stale, and each page's own handler reads and sends. A slow page delays itself only,
and a thousand events between two reads cost one.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from jobs import Backend, Listing, connect_redis, events
from webapp.live.picture import Picture, draw
from webapp.live.socket import LiveSocket

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.5
CHECK_SECONDS = 10
CONFIRM_SECONDS = 2
RECONNECT_SECONDS = 0.5


class Audience:
    """The open pages that show the same listing: whoever asks first after a change reads and renders for all."""

    def __init__(self, backend: Backend, listing: Listing) -> None:
        self.listing = listing
        self.seats: set[Seat] = set()
        self._database = backend.database
        self._picture: Picture | None = None
        self._stale = True
        self._lock = threading.Lock()

    def mark_stale(self) -> None:
        self._stale = True

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


class Seat:
    """One open page."""

    def __init__(self, socket: LiveSocket, audience: Audience) -> None:
        self.socket = socket
        self.audience = audience
        self.check_session = False

    def wake(self) -> None:
        self.socket.event.set()


class Owner:
    """A signed-in user with open pages."""

    def __init__(self) -> None:
        self.audiences: dict[Listing, Audience] = {}
        self.confirmed = threading.Event()


class Hub:
    """One for each web process."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._owners: dict[int, Owner] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._control = f"dumbwaiter:web:{secrets.token_hex(8)}"
        self._subscribed: set[int] = set()
        self._heard: set[int] = set()
        self._is_alive: Callable[[], bool] = lambda: True
        self.leaving = False
        """Whether every page is to go and come back to another process."""

    def stop_when(self, is_alive: Callable[[], bool]) -> None:
        """Have every page sent away once this process is to end."""
        self._is_alive = is_alive

    def join(self, socket: LiveSocket, listing: Listing) -> Seat:
        """Take a seat; returns when Redis has confirmed the owner's channel, or after a while without Redis."""
        with self._lock:
            self._start()
            owner = self._owners.setdefault(listing.owner_id, Owner())
            audience = owner.audiences.setdefault(listing, Audience(self._backend, listing))
            seat = Seat(socket, audience)
            audience.seats.add(seat)
        audience.mark_stale()
        if not owner.confirmed.is_set():
            self._nudge()
            owner.confirmed.wait(CONFIRM_SECONDS)
            audience.mark_stale()
        return seat

    def leave(self, seat: Seat) -> None:
        listing = seat.audience.listing
        with self._lock:
            seat.audience.seats.discard(seat)
            owner = self._owners[listing.owner_id]
            if not seat.audience.seats and owner.audiences.get(listing) is seat.audience:
                del owner.audiences[listing]
            if not owner.audiences:
                del self._owners[listing.owner_id]
        self._nudge()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._listen, name="live", daemon=True)
            self._thread.start()

    def _nudge(self) -> None:
        try:
            self._backend.redis.publish(self._control, "")
        except RedisError:
            log.debug("Redis is away; the listener will look by itself")

    def _listen(self) -> None:
        redis = connect_redis(self._backend.settings, socket_timeout=None, health_check_interval=15)
        pubsub = redis.pubsub()
        next_check = time.monotonic() + CHECK_SECONDS
        while True:
            try:
                self._settle(pubsub)
                self._hear(pubsub.get_message(timeout=LISTEN_SECONDS))
            except RedisError as error:
                log.warning("no live events from Redis (%s); pages are checked every %d s", error, CHECK_SECONDS)
                time.sleep(RECONNECT_SECONDS)
            except Exception:
                log.exception("the listener stumbled and goes on")
                time.sleep(RECONNECT_SECONDS)
            if not self._is_alive() and not self.leaving:
                self.leaving = True
                self._wake(None, check_session=False)
            if time.monotonic() >= next_check:
                self._wake(None, check_session=True)
                next_check = time.monotonic() + CHECK_SECONDS

    def _settle(self, pubsub: Any) -> None:
        """Bring the subscription in line with who is here."""
        if not pubsub.channels:
            pubsub.subscribe(self._control)
        with self._lock:
            wanted = set(self._owners)
            for owner_id in wanted & self._heard:
                self._owners[owner_id].confirmed.set()
        for owner_id in wanted - self._subscribed:
            pubsub.subscribe(events.channel(owner_id))
            self._subscribed.add(owner_id)
        for owner_id in self._subscribed - wanted:
            pubsub.unsubscribe(events.channel(owner_id))
            self._subscribed.discard(owner_id)
            self._heard.discard(owner_id)

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is None or message["type"] not in ("message", "subscribe"):
            return
        owner_id = events.owner_of(message["channel"].decode())
        if owner_id is None:
            return
        if message["type"] == "subscribe" and owner_id in self._subscribed:
            # Also after the connection was lost and made again: what was published meanwhile is gone, so look.
            self._heard.add(owner_id)
        self._wake(owner_id, check_session=b"sign_out" in (message["data"] if message["type"] == "message" else b""))

    def _wake(self, owner_id: int | None, check_session: bool) -> None:
        """Mark the pages of one owner, or of all, as stale."""
        for audience in self._audiences(owner_id):
            audience.mark_stale()
            for seat in list(audience.seats):
                seat.check_session |= check_session
                seat.wake()

    def _audiences(self, owner_id: int | None) -> list[Audience]:
        with self._lock:
            owners = self._owners.items()
            return [a for one, owner in owners if owner_id in (None, one) for a in owner.audiences.values()]
