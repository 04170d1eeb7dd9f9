"""Connections to Postgres that give up on a server that does not answer.

Without a deadline, a statement waits for ever on a server that has vanished without closing the connection.
"""

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

# The kernel drops a connection whose peer does not acknowledge what was sent, also where no deadline applies.
SILENT_SECONDS = 15
WAKE_SECONDS = 0.1  # the driver's own interval for noticing signals
OPTIONS = {
    "connect_timeout": 5,  # the driver's default is 130 seconds, which is longer than a lease
    "tcp_user_timeout": SILENT_SECONDS * 1000,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}


class DeadlineConnection(Connection[Any]):
    """A connection that is closed when one statement takes longer than `answer_seconds`, if that is set."""

    answer_seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = WAKE_SECONDS, timeout: float | None = None) -> RV:
        if timeout is not None or self.answer_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except _WaitTimeout:
            self.pgconn.finish()  # the answer may still come; nothing else can be asked before it
            raise OperationalError(f"the server has not answered for {self.answer_seconds:g} s") from None


def connect(answer_seconds: float | None, *arguments: Any, **options: Any) -> DeadlineConnection:
    """Open a connection. Options of the URL take precedence over those above."""
    connection = DeadlineConnection.connect(*arguments, **{**OPTIONS, **options})
    connection.answer_seconds = answer_seconds
    return connection
