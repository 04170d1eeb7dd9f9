"""Requests that wait for a run to change: long polls and event streams.

Each waits in the greenlet of its request. Events of the run's owner wake it, and so does the periodic check, which
compares the versions of all awaited runs with the database, a few hundred at once.
"""

import threading
from collections.abc import Sequence

from sqlalchemy import select

from jobs.runs import Run
from jobs.storage import Database

RUNS_AT_ONCE = 500


class Watcher:
    """A request that waits for the next version of a run. `leaving` is set when its process is about to stop."""

    def __init__(self, run_id: int, version: int) -> None:
        self.run_id = run_id
        self.version = version
        self.leaving = False
        self._changed = threading.Event()

    def wake(self) -> None:
        self._changed.set()

    def leave(self) -> None:
        self.leaving = True
        self._changed.set()

    def wait(self, seconds: float) -> bool:
        """Wait until the run may have changed; return False after that many seconds without news."""
        woken = self._changed.wait(seconds)
        self._changed.clear()
        return woken


def outdated(database: Database, watchers: Sequence[Watcher]) -> list[Watcher]:
    """Return the watchers whose run has another version by now, or is gone."""
    versions: dict[int, int] = {}
    wanted = sorted({watcher.run_id for watcher in watchers})
    for first in range(0, len(wanted), RUNS_AT_ONCE):
        query = select(Run.id, Run.version).where(Run.id.in_(wanted[first : first + RUNS_AT_ONCE]))
        with database.read() as session:
            versions |= {run_id: version for run_id, version in session.execute(query)}
    return [watcher for watcher in watchers if versions.get(watcher.run_id) != watcher.version]
