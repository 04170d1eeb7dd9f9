"""Carries a task's progress to the database and the page without slowing the task down."""

import logging
import threading
from collections.abc import Callable

from jobs.threads import OwnThread

log = logging.getLogger(__name__)


class Reporter:
    """Keeps the latest report and delivers it from a thread of its own, at most so often; the last one always."""

    def __init__(self, deliver: Callable[[float | None, str], None], per_second: float) -> None:
        self._deliver = deliver
        self._pause = 1.0 / per_second
        self._latest: tuple[float | None, str] | None = None
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def report(self, fraction: float | None, note: str) -> None:
        with self._changed:
            self._latest = (fraction, note)
            if self._thread is None:
                self._thread = OwnThread(self._run, "progress")
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Deliver what is left and stop."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest is not None or self._closing.is_set())
                latest, self._latest = self._latest, None
            if latest is None:
                return
            try:
                self._deliver(*latest)
            except Exception:
                log.warning("progress could not be recorded; the run goes on", exc_info=True)
            self._closing.wait(self._pause)
