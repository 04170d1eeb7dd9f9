"""Another process that holds SQLite's one write lock."""

import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

LOCKED_SECONDS = 5.0


@contextmanager
def locked(path: Path) -> Iterator[BaseProcess]:
    """Hold the lock for LOCKED_SECONDS; the process is given in order to ask whether it still does."""
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=_hold, args=(path, held))
    holder.start()
    try:
        assert held.wait(60)
        yield holder
    finally:
        holder.kill()
        holder.join()


def _hold(path: Path, held: Event) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    held.set()
    threading.Event().wait(LOCKED_SECONDS)
    connection.execute("COMMIT")
