"""Asking the object service again, without keeping what was sent."""

from collections.abc import Iterator
from types import TracebackType

from urllib3 import BaseHTTPResponse, Retry
from urllib3.connectionpool import ConnectionPool


class Retries(Retry):
    """Retries after errors whose tracebacks are forgotten.

    The frames of a traceback hold what was sent or had come, and the error itself, in a circle: 8 MB for each part that
    was sent again, until Python looks for circles, and for as long as a log's handler keeps its records.
    """

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> "Retries":
        for one in _all_of(error):
            one.__traceback__ = None
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _all_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error with those that it came from, which urllib3 also keeps among its arguments; each of them once."""
    seen, waiting = set[int](), [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__, *one.args]
            yield one
