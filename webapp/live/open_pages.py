"""The seats that are taken: ten thousand perhaps, so that what is asked again and again is not asked of each."""

import math
import time
from collections import Counter
from collections.abc import Iterator

from jobs.storage.database import Database
from webapp.accounts import users
from webapp.live.subscribers import Seat


class Seats:
    """All of a process, and those among them whose session has ended."""

    def __init__(self) -> None:
        self._all: set[Seat] = set()
        self._sessions = Counter[str]()
        self._first_end = math.inf  # of no session that ends by itself before

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Seat]:
        return iter(list(self._all))

    def add(self, seat: Seat) -> None:
        self._all.add(seat)
        self._sessions[seat.session_id] += 1
        self._first_end = min(self._first_end, seat.ends_at)

    def remove(self, seat: Seat) -> None:
        self._all.remove(seat)
        self._sessions[seat.session_id] -= 1
        if not self._sessions[seat.session_id]:
            del self._sessions[seat.session_id]

    def signed_out(self, database: Database) -> list[Seat]:
        """Those of sessions that were ended, or have ended by themselves."""
        here = set(self._sessions)
        ended = here - users.current_sessions(database, here) if here else here
        now = time.time()
        if not ended and now < self._first_end:
            return []
        self._first_end = min((seat.ends_at for seat in self), default=math.inf)
        return [seat for seat in self if seat.ends_at <= now or seat.session_id in ended]
