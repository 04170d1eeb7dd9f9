"""What has ended lately: told once to every open page, whatever the page shows."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from jobs.runs import Ending, endings
from jobs.storage import Database, utcnow

KEPT = timedelta(minutes=10)


class Toasts:
    """The latest endings of one owner's runs: read once after a change, for all open pages."""

    def __init__(self, database: Database, owner_id: int) -> None:
        self._database = database
        self._owner_id = owner_id
        self._endings: Sequence[Ending] = ()
        self._stale = True
        self._lock = threading.Lock()

    def mark_stale(self) -> None:
        self._stale = True

    def endings(self) -> Sequence[Ending]:
        """What has ended in the time KEPT."""
        with self._lock:
            if self._stale:
                self._stale = False  # before reading: what changes meanwhile marks it again
                with self._database.read() as session:
                    self._endings = endings(session, self._owner_id, utcnow() - KEPT)
            return self._endings


def since(moment: datetime, endings: Sequence[Ending]) -> list[Ending]:
    """Those after a moment."""
    return [ending for ending in endings if ending.ended_at > moment]


def told_until(query_value: str | None) -> datetime:
    """Up to when a page has been told, as it says in its address; until now, if it says nothing of use."""
    try:
        return datetime.fromisoformat(query_value or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return utcnow()
