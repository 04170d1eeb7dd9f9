"""Toasts for runs that have just ended, shown once on every open page of their owner."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from jobs.runs import Ending, endings
from jobs.storage import Database, utcnow

KEPT = timedelta(minutes=10)


class Toasts:
    """A cache of one owner's recent endings, read once per change for all open pages."""

    def __init__(self, database: Database, owner_id: int) -> None:
        self._database = database
        self._owner_id = owner_id
        self._endings: Sequence[Ending] = ()
        self._after = utcnow()
        self._stale = True
        self._lock = threading.Lock()

    def mark_stale(self) -> None:
        self._stale = True

    def endings(self, after: datetime) -> Sequence[Ending]:
        """Return the endings after a moment, or after an earlier one, but no older ones than ten minutes (KEPT)."""
        with self._lock:
            if self._stale or after < self._after:
                self._stale = False  # before the read, so that a change during it marks the cache stale again
                with self._database.read() as session:
                    self._endings = endings(session, self._owner_id, max(after, utcnow() - KEPT))
                self._after = after
            return self._endings


def ended_after(moment: datetime, endings: Sequence[Ending]) -> list[Ending]:
    """Return the endings after a moment."""
    return [ending for ending in endings if ending.ended_at > moment]


def moment_in(query_value: str | None) -> datetime:
    """Parse the moment up to which a page has received toasts; the current time if it is missing or invalid."""
    try:
        return datetime.fromisoformat(query_value or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return utcnow()
