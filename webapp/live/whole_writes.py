"""A connection on which every frame is written whole."""

import contextlib
import socket
from collections import deque

import gevent
import gevent.socket

SEND_SECONDS = 20


def nothing() -> None:
    """Do nothing: the default of a callback."""


class WholeWrites:
    """A connection taken over from the web server, on which writes are complete and never interleave.

    The library writes each frame with a single `send`: a frame larger than the peer's window would be truncated, and a
    pong could end up inside it. Here the unsent rest is queued, and a greenlet writes it as the peer reads. There is no
    lock, because only gevent's one thread uses this object, and the only code that yields to other greenlets is that
    writer, behind which all later data is queued. A peer that does not read for SEND_SECONDS is disconnected. Half a
    frame has been written by then, so no close code can follow.
    """

    def __init__(self, served: socket.socket) -> None:
        kind = (served.family, served.type, served.proto)
        self._socket = gevent.socket.socket(*kind, fileno=served.detach())
        self._socket.setblocking(False)
        self._queue: deque[memoryview] = deque()
        self.when_written = nothing
        """Called when the queue is empty again or the connection is lost."""

    @property
    def behind(self) -> bool:
        """Return whether data is waiting to be written."""
        return bool(self._queue)

    def send(self, data: bytes) -> int:
        rest = memoryview(data)[0 if self._queue else self._write(data) :]
        if rest:
            self._queue.append(rest)
            if len(self._queue) == 1:
                gevent.spawn(self._write_queued)
        return len(data)

    def recv(self, size: int) -> bytes:
        """Return received data, empty at the end of the connection. Raises BlockingIOError if there is none yet."""
        try:
            return self._socket.recv(size)
        except BlockingIOError:
            raise
        except OSError:
            return b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # the connection is already lost; the next recv reports it
            self._socket.shutdown(how)

    def close(self) -> None:
        self._socket.close()

    def _write(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the connection is lost; the next recv reports it

    def _write_queued(self) -> None:
        self._socket.settimeout(SEND_SECONDS)
        try:
            while self._queue:
                self._socket.sendall(self._queue[0])
                self._queue.popleft()
            self._socket.setblocking(False)
        except OSError:
            self._queue.clear()
            self.shut(socket.SHUT_RDWR)
        self.when_written()
