"""A connection of a program that waits, taken over from the web server.

Like a page's socket, it outlives the handler of its request and has no greenlet: ten thousand waiting programs cost no
stacks, and no places among the connections that the web server serves at once.
"""

import logging
import socket
from typing import Protocol

import gevent

from webapp.live.whole_writes import WholeWrites

log = logging.getLogger(__name__)

LINGER_SECONDS = 2
RECEIVE_BYTES = 4096
READABLE = 1  # gevent's flag for read events


class Waiting(Protocol):
    """What the connection waits for. `beat`, if any, is sent every `beat_seconds` while nothing happens."""

    over: bool
    beat: bytes
    beat_seconds: float

    @property
    def left(self) -> float:
        """The seconds that remain."""

    def next_chunk(self) -> bytes:
        """Return the bytes to send now, if any; afterwards it may be over."""

    def end(self) -> None:
        """Be over, whoever says so. Called at least once."""


class HeldConnection:
    """The connection: it sends what its wait has to say whenever it is woken, and closes when that is over."""

    def __init__(self, served: socket.socket, waiting: Waiting) -> None:
        self._waiting = waiting
        self._socket = WholeWrites(served)
        self._loop = gevent.get_hub().loop
        self._reading = self._loop.io(self._socket.fileno(), READABLE)
        self._reading.start(self._read)
        self._looking = self._again = self._closed = False
        self._start_timer()

    def send(self, data: bytes) -> None:
        """Send data, without waiting until the client has read it."""
        self._socket.send(data)

    def wake(self) -> None:
        """Send what is new, in a greenlet."""
        self._again = True
        if not self._looking and not self._closed:
            self._looking = True
            gevent.spawn(self._look)

    def _look(self) -> None:
        try:
            while self._again and not self._waiting.over:
                self._again = False
                if chunk := self._waiting.next_chunk():
                    self._socket.send(chunk)
        except Exception:
            log.exception("closing the connection of a program that waits")
            self._waiting.over = True
        finally:
            self._looking = False
        if self._waiting.over:
            self._waiting.end()
            self._finish()

    def _start_timer(self) -> None:
        self._timer = self._loop.timer(min(self._waiting.beat_seconds, self._waiting.left))
        self._timer.start(self._tick)

    def _tick(self) -> None:
        self._timer.close()
        if not self._waiting.left:
            self.wake()
            return
        if self._waiting.beat:
            self._socket.send(self._waiting.beat)
        self._start_timer()

    def _finish(self) -> None:
        """Close once everything is written.

        Closing a socket with unread input resets the connection, and the client could lose the end of its response.
        """
        if self._socket.behind:
            self._socket.when_written = self._finish
        elif not self._closed:
            self._socket.shut(socket.SHUT_WR)
            gevent.spawn_later(LINGER_SECONDS, self._close)

    def _read(self) -> None:
        """Notice the end of the connection. What a client sends while it waits is dropped."""
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close()
            if not self._waiting.over:
                gevent.spawn(self._waiting.end)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._timer.close()
            self._reading.stop()
            self._reading.close()
            self._socket.close()
