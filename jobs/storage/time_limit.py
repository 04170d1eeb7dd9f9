"""A limit of time for the statements of one reading transaction."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

STEPS = 1000  # of SQLite's virtual machine between two looks at the clock: some tens of microseconds
CANCELLED = "57014"  # Postgres's code for it
LIMIT = text("SELECT set_config('statement_timeout', :milliseconds, true)")


class TookTooLong(Exception):
    """A statement that was ended because it took longer than its limit."""


@contextmanager
def time_limit(session: Session, seconds: float) -> Iterator[None]:
    """End each statement of the block that takes longer, with TookTooLong. The transaction is over then."""
    driver: Any = session.connection().connection.driver_connection
    in_sqlite = isinstance(driver, sqlite3.Connection)
    try:
        if in_sqlite:
            deadline = time.monotonic() + seconds
            driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        else:
            session.execute(LIMIT, {"milliseconds": str(max(1, round(seconds * 1000)))})
        yield
    except OperationalError as error:
        if str(error.orig) == "interrupted" or getattr(error.orig, "sqlstate", "") == CANCELLED:
            raise TookTooLong from None
        raise
    finally:
        if in_sqlite:
            driver.set_progress_handler(None, 0)
