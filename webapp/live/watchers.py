"""Programs that wait for a run to change: long polls and event streams.

Events of the run's owner wake them, and so do the periodic checks, which compare the versions of all awaited runs, and
the tokens of those who wait, with the database, a few hundred at once.
"""

import threading
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select

from jobs.runs import Run
from jobs.storage import Database
from webapp.accounts import tokens

AT_ONCE = 500


class Watcher:
    """A program that waits for the next version of a run. `leaving` is set when its process is about to stop."""

    def __init__(self, run_id: int, version: int, token_id: int) -> None:
        self.run_id = run_id
        self.version = version
        self.token_id = token_id
        self.leaving = False

    def wake(self) -> None:
        """Look whether the run has changed, or the token has ended."""
        raise NotImplementedError

    def leave(self) -> None:
        """Answer as the run is now, because this process is about to stop."""
        self.leaving = True
        self.wake()


class Sleeper(Watcher):
    """A watcher that waits in a thread, or greenlet, of its own."""

    def __init__(self, run_id: int, version: int, token_id: int) -> None:
        super().__init__(run_id, version, token_id)
        self._woken = threading.Event()

    def wake(self) -> None:
        self._woken.set()

    def sleep(self, seconds: float) -> bool:
        """Wait until something may have changed; return False after that many seconds without news."""
        woken = self._woken.wait(seconds)
        self._woken.clear()
        return woken


def outdated(database: Database, watchers: Sequence[Watcher]) -> list[Watcher]:
    """Return the watchers whose run has another version by now, or is gone."""
    versions: dict[int, int] = {}
    for some in _some({watcher.run_id for watcher in watchers}):
        with database.read() as session:
            rows = session.execute(select(Run.id, Run.version).where(Run.id.in_(some)))
            versions |= {run_id: version for run_id, version in rows}
    return [watcher for watcher in watchers if versions.get(watcher.run_id) != watcher.version]


def refused(database: Database, watchers: Sequence[Watcher]) -> list[Watcher]:
    """Return the watchers whose token has been revoked or has expired, or whose account was disabled."""
    valid: set[int] = set()
    for some in _some({watcher.token_id for watcher in watchers}):
        valid |= tokens.still_valid(database, some)
    return [watcher for watcher in watchers if watcher.token_id not in valid]


def _some(ids: Collection[int]) -> Iterable[list[int]]:
    ordered = sorted(ids)
    return (ordered[first : first + AT_ONCE] for first in range(0, len(ordered), AT_ONCE))
