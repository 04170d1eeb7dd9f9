"""A WebSocket that holds: whole frames, a deadline for slow readers, no compression, codes that make pages return.

It has no greenlet of its own. gevent's loop calls when the page sends something, and what is sent to the page goes out
at once; so ten thousand pages that only wait cost no stack and no switch.
"""

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Any

import gevent
import gevent.socket
from simple_websocket import Server
from werkzeug.exceptions import BadRequest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

SEND_SECONDS = 20
PING_SECONDS = 25
LINGER_SECONDS = 2
LARGEST_MESSAGE_BYTES = 64 * 1024
RECEIVE_BYTES = 16 * 1024
READABLE = 1  # as gevent's loop has it

RESTART = 1012  # the page connects again and gets a snapshot
SIGNED_OUT = 4401  # the page stays disconnected and asks to sign in
TOO_MANY = 4429  # the page stays disconnected and looks again and again by itself

_encoder = Connection(ConnectionType.SERVER)  # a whole message leaves no trace in it


def framed(text: str) -> bytes:
    """A message as it goes out, to any number of pages."""
    return _encoder.send(TextMessage(text))


# A page can hear the empty text only: of pings its browser tells it nothing.
QUESTION = _encoder.send(Ping()) + framed("")

ANSWER, ANSWER_BYTES = b"\x8a\x80", 6  # an empty pong, and behind it the mask, which hides nothing


def _nothing() -> None:
    pass


class WholeWrites:
    """A connection taken over from its server, on which every write is whole, alone and in its turn.

    The library writes frames with one `send` each: a frame larger than the peer's window would be cut, and a pong could
    land inside it. Here what is not taken at once waits in line, and a greenlet writes it as the peer reads. Only
    gevent's one thread comes here and nothing below gives way to another greenlet except that writing, behind which
    everything else lines up: that is the lock. A peer that does not read for SEND_SECONDS loses the connection; half a
    frame has been written by then, so no close code can follow.
    """

    def __init__(self, served: socket.socket) -> None:
        kind = (served.family, served.type, served.proto)
        self._socket = gevent.socket.socket(*kind, fileno=served.detach())
        self._socket.setblocking(False)
        self._line: deque[memoryview] = deque()
        self.when_written = _nothing
        """Called when the line is empty again, or the connection lost."""

    @property
    def behind(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._line)

    def send(self, data: bytes) -> int:
        rest = memoryview(data)[0 if self._line else self._write(data) :]
        if rest:
            self._line.append(rest)
            if len(self._line) == 1:
                gevent.spawn(self._write_on)
        return len(data)

    def recv(self, size: int) -> bytes:
        """What has come; empty when nothing more will. Raises BlockingIOError when there is nothing yet."""
        try:
            return self._socket.recv(size)
        except BlockingIOError:
            raise
        except OSError:
            return b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def shut(self, how: int) -> None:
        with contextlib.suppress(OSError):  # it was lost already, as reading will tell
            self._socket.shutdown(how)

    def close(self) -> None:
        self._socket.close()

    def _write(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # nobody is there to read it, as reading will tell

    def _write_on(self) -> None:
        self._socket.settimeout(SEND_SECONDS)
        try:
            while self._line:
                self._socket.sendall(self._line[0])
                self._line.popleft()
            self._socket.setblocking(False)
        except OSError:
            self._line.clear()
            self.shut(socket.SHUT_RDWR)
        self.when_written()


class NoThread:
    """What the library reads in: nothing, because it is told when there is something to read."""

    name = ""

    def __init__(self, target: Callable[..., Any]) -> None:
        pass

    def start(self) -> None:
        pass


class LiveSocket(Server):
    """simple-websocket's server with our limits, which lives on when the handler of its request has returned."""

    sock: WholeWrites  # type: ignore[assignment]  # all of a socket that the library uses

    def __init__(self, environ: dict[str, Any], **_options: Any) -> None:
        # A client offers compression and the library would take it, at 80 KB of memory for each connection.
        asked = {key: value for key, value in environ.items() if key != "HTTP_SEC_WEBSOCKET_EXTENSIONS"}
        super().__init__(asked, max_message_size=LARGEST_MESSAGE_BYTES, thread_class=NoThread)
        self.environ = {}  # a page stays, what it asked with need not
        del self.ws
        self.ask_at = time.monotonic() + PING_SECONDS
        self._when_ready: Callable[[], object] = _nothing
        self._when_over: Callable[[], object] = _nothing
        self._reading = gevent.get_hub().loop.io(self.sock.fileno(), READABLE)
        self._reading.start(self._read)
        self._ended = False
        self.sock.when_written = self._go_on

    def handshake(self) -> None:
        try:
            super().handshake()
        except RemoteProtocolError as error:
            raise BadRequest from error  # nothing has been written yet: it is still a request, and answered as one
        self.sock = WholeWrites(self.sock)  # type: ignore[arg-type]  # until now it is the server's own

    @cached_property
    def ws(self) -> Connection:  # type: ignore[override]  # what is left of the library's own after the handshake
        """The protocol, from the first moment that the page or we say something unusual: most pages never do."""
        return Connection(ConnectionType.SERVER)

    @property
    def input_buffer(self) -> list[Any]:
        """Where the library puts what the page sends: nowhere, however much it is while nobody can look."""
        return []

    @input_buffer.setter
    def input_buffer(self, _value: list[Any]) -> None:
        pass

    @property
    def ready(self) -> bool:
        """Whether it takes a frame: it is open, and has written all it was given before."""
        return self.connected and not self.sock.behind

    def attend(self, when_ready: Callable[[], object], when_over: Callable[[], object]) -> None:
        """Be called when the socket is ready again, and once, in a greenlet, when it is over."""
        self._when_ready, self._when_over = when_ready, when_over
        if not self.connected:
            self._tell_end()

    def tell(self, frame: bytes) -> None:
        """Send what `framed` made, without waiting until the page has read it."""
        if self.connected:
            self.sock.send(frame)

    def ask(self) -> None:
        """Ask the page whether it is there; one that has not answered the last time is sent away to come back."""
        self.ask_at += PING_SECONDS
        if not self.ready:
            return  # it has its deadline
        if not self.pong_received:
            self.close(RESTART, "no answer")  # not 1008, as the library would: htmx would not come back from that
            return
        self.pong_received = False
        self.sock.send(QUESTION)

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Send the page away. Without a reason nothing happens: flask-sock says so when a handler has returned."""
        if reason is None or not self.connected:
            return
        super().close(reason, message)  # type: ignore[arg-type]  # the stub knows no application's own codes
        self.close_reason = reason  # type: ignore[assignment]  # nor here
        self._part()

    def _read(self) -> None:
        if self.sock.behind:
            self._reading.stop()  # until that is written: who does not listen cannot go on asking
            return
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._end()
        elif self._is_plain_answer(data):
            self.pong_received = True
        elif self.connected and not self._take(data):
            self._part()

    def _is_plain_answer(self, data: bytes) -> bool:
        """Whether this is what a browser answers, in one piece; once the protocol has begun, it may be part of more."""
        return len(data) == ANSWER_BYTES and data.startswith(ANSWER) and "ws" not in vars(self)

    def _take(self, data: bytes) -> bool:
        """Do what the page's frames say; whether the connection goes on after them."""
        try:
            self.ws.receive_data(data)
            return bool(self._handle_events())  # type: ignore[attr-defined]  # the stub leaves it out
        except LocalProtocolError:
            return False

    def _go_on(self) -> None:
        if self._ended:
            return
        self._reading.start(self._read)
        if self.connected:
            self._when_ready()
        else:
            self._part()

    def _part(self) -> None:
        """Wait a little until the page has read the last frame: closed with something unread, a connection drops it."""
        self.connected = False
        self._tell_end()
        if not self.sock.behind:
            self.sock.shut(socket.SHUT_WR)
            gevent.spawn_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        if self._ended:
            return
        self._ended, self.connected = True, False
        self._reading.stop()
        self._reading.close()
        self.sock.close()
        self._tell_end()

    def _tell_end(self) -> None:
        when_over, self._when_ready, self._when_over = self._when_over, _nothing, _nothing
        if when_over is not _nothing:
            gevent.spawn(when_over)
