"""Limits of connections: how long the body of a request may take, and how much one address may ask at once."""

import ipaddress
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

import gevent
from flask import Flask
from werkzeug.exceptions import RequestTimeout
from werkzeug.wrappers import Response
from werkzeug.wsgi import ClosingIterator

from webapp import messages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A body may be silent for so long, and must arrive at this speed beyond its first minute.
SILENT_SECONDS = 60
LEAST_BYTES_PER_SECOND = 8_000
MOST_AT_ONCE = 200  # requests of one address; an office shares one, and programs wait for runs


def init_app(app: Flask) -> None:
    app.wsgi_app = Doorkeeper(app.wsgi_app)  # type: ignore[method-assign]  # the documented way


def place_of(address: str | None) -> str:
    """Return the place that an IP address counts for: itself, or its /64 network, which one customer gets with IPv6."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return (address or "")[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def is_here(place: str) -> bool:
    """Return whether a place is this machine, whose programs are not limited, or unknown, as with a Unix socket."""
    return place.startswith("127.") or place in ("::/64", "")


class Doorkeeper:
    """WSGI middleware that limits the requests of one address at the same time, and the time that their bodies take."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._requests = Counter[str]()
        self._lock = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        place = place_of(environ.get("REMOTE_ADDR"))
        if not self._enters(place):
            busy = Response(messages.ERRORS[429], 429, {"Retry-After": "10", "Connection": "close"})
            return busy(environ, start_response)
        environ["wsgi.input"] = TimelyBody(environ["wsgi.input"])
        try:
            return ClosingIterator(self._application(environ, start_response), lambda: self._leaves(place))
        except BaseException:
            self._leaves(place)
            raise

    def _enters(self, place: str) -> bool:
        with self._lock:
            if self._requests[place] >= MOST_AT_ONCE and not is_here(place):
                return False
            self._requests[place] += 1
            return True

    def _leaves(self, place: str) -> None:
        with self._lock:
            self._requests[place] -= 1
            if not self._requests[place]:
                del self._requests[place]


class TimelyBody:
    """The body of a request, whose reading fails with 408 when it is silent or trickles."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._begun: float | None = None
        self._received = 0

    def read(self, size: int = -1) -> bytes:
        return self._in_time(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._in_time(self._stream.readline, size)

    def __iter__(self) -> "TimelyBody":
        return self

    def __next__(self) -> bytes:
        if line := self.readline():
            return line
        raise StopIteration

    def _in_time(self, read: Any, size: int) -> bytes:
        now = time.monotonic()
        self._begun = self._begun or now
        allowed = SILENT_SECONDS + self._received / LEAST_BYTES_PER_SECOND - (now - self._begun)
        if allowed <= 0:
            raise RequestTimeout(messages.SLOW)
        with gevent.Timeout(min(allowed, SILENT_SECONDS), RequestTimeout(messages.SLOW)):
            data: bytes = read(size)
        self._received += len(data)
        return data
