"""Retries of S3 requests that do not keep the request data in memory."""

from collections.abc import Iterator
from types import TracebackType

from urllib3 import BaseHTTPResponse, Retry
from urllib3.connectionpool import ConnectionPool


class Retries(Retry):
    """A retry policy that clears the traceback of each error.

    The frames of a traceback reference the data sent or received, and the error itself, in a reference cycle. That is
    8 MB per retried part, held until the garbage collector runs, or for as long as a log handler keeps its records.
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
    """Yield an error and all errors that it came from, each once. urllib3 also stores those in the arguments."""
    seen, waiting = set[int](), [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__, *one.args]
            yield one
