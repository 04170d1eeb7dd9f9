"""A WebSocket with whole frames, a deadline for slow readers, no compression, and close codes for reconnecting.

A socket has no greenlet of its own. gevent's event loop calls back when the page sends something, and frames to the
page are written immediately, so ten thousand idle pages cost no stacks and no context switches.
"""

import socket
import time
from collections.abc import Callable, Generator
from functools import cached_property
from typing import Any

import gevent
from simple_websocket import Server
from werkzeug.exceptions import BadRequest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from webapp.live.rate_limit import RateLimit
from webapp.live.whole_writes import WholeWrites, nothing

PING_SECONDS = 25
LINGER_SECONDS = 2
LARGEST_MESSAGE_BYTES = 64 * 1024
RECEIVE_BYTES = 16 * 1024
MESSAGES_AT_ONCE = 3000
MESSAGES_PER_SECOND = 10
READABLE = 1  # gevent's flag for read events

RESTART = 1012  # the page connects again and gets a snapshot
SIGNED_OUT = 4401  # the page stays disconnected and asks the user to sign in
OTHER_RIGHTS = 4403  # the page loads itself again, because it may show what its owner may not see any more
TOO_MANY = 4429  # the page stays disconnected and polls instead

_encoder = Connection(ConnectionType.SERVER)  # safe to share: encoding a whole message leaves no state behind


def framed(text: str) -> bytes:
    """Return the encoded message, which can be sent to any number of pages."""
    return _encoder.send(TextMessage(text))


# Browsers answer pings without notifying scripts, so an empty text message accompanies the ping for the page itself.
PING = _encoder.send(Ping()) + framed("")

PONG, PONG_BYTES = b"\x8a\x80", 6  # an empty pong; the remaining four bytes are its unused mask


class TooManyMessages(Exception):
    """More frames from a page than MESSAGES_AT_ONCE and MESSAGES_PER_SECOND allow. Our pages send pongs only."""


class Frames(Connection):
    """The protocol state of a page that sends frames, which counts them."""

    def __init__(self) -> None:
        super().__init__(ConnectionType.SERVER)
        self._limit = RateLimit(MESSAGES_AT_ONCE, MESSAGES_PER_SECOND)

    def events(self) -> Generator[Event, None, None]:
        for event in super().events():
            if not self._limit.allows():
                raise TooManyMessages
            yield event


class NoThread:
    """A substitute for the library's reading thread that does nothing: the event loop reports incoming data."""

    name = ""

    def __init__(self, target: Callable[..., Any]) -> None:
        pass

    def start(self) -> None:
        pass


class LiveSocket(Server):
    """A simple-websocket server with our limits, which outlives the handler of its request."""

    sock: WholeWrites  # type: ignore[assignment]  # provides the socket methods that the library uses

    def __init__(self, environ: dict[str, Any], **_options: Any) -> None:
        # Hide the client's offer of compression: the library would accept it, at 80 KB of memory per connection.
        environ = {key: value for key, value in environ.items() if key != "HTTP_SEC_WEBSOCKET_EXTENSIONS"}
        super().__init__(environ, max_message_size=LARGEST_MESSAGE_BYTES, thread_class=NoThread)
        self.environ = {}  # free the request's environment, which an open page would keep in memory
        del self.ws
        self.ping_at = time.monotonic() + PING_SECONDS
        self._when_ready: Callable[[], object] = nothing
        self._when_over: Callable[[], object] = nothing
        self._reading = gevent.get_hub().loop.io(self.sock.fileno(), READABLE)
        self._reading.start(self._read)
        self._ended = False
        self.sock.when_written = self._resume

    def handshake(self) -> None:
        try:
            super().handshake()
        except RemoteProtocolError as error:
            raise BadRequest from error  # nothing has been written yet, so an HTTP response is still possible
        self.sock = WholeWrites(self.sock)  # type: ignore[arg-type]  # until here it is the web server's socket

    @cached_property
    def ws(self) -> Connection:  # type: ignore[override]  # replaces the library's attribute after the handshake
        """The protocol state, created on the first frame that is not a plain pong; most pages never need it."""
        return Frames()

    @property
    def input_buffer(self) -> list[Any]:
        """The library's buffer for incoming messages. It is always empty: nothing reads it, so it must not grow."""
        return []

    @input_buffer.setter
    def input_buffer(self, _value: list[Any]) -> None:
        pass

    @property
    def ready(self) -> bool:
        """Return whether the socket is open and has written all earlier frames."""
        return self.connected and not self.sock.behind

    def set_callbacks(self, when_ready: Callable[[], object], when_over: Callable[[], object]) -> None:
        """Set the callbacks: `when_ready` after a delayed write, `when_over` once, in a greenlet, after the end."""
        self._when_ready, self._when_over = when_ready, when_over
        if not self.connected:
            self._notify_end()

    def push(self, frame: bytes) -> None:
        """Send a frame made by `framed`, without waiting until the page has read it."""
        if self.connected:
            self.sock.send(frame)

    def ping(self) -> None:
        """Ping the page, or close it so that it reconnects if it has not answered the last ping."""
        self.ping_at += PING_SECONDS
        if not self.ready:
            return  # WholeWrites limits a blocked write already
        if not self.pong_received:
            self.close(RESTART, "no answer")  # not the library's 1008, after which htmx would not reconnect
            return
        self.pong_received = False
        self.sock.send(PING)

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Close the connection; do nothing without a reason, which is how flask-sock calls it after the handler."""
        if reason is None or not self.connected:
            return
        super().close(reason, message)  # type: ignore[arg-type]  # the stub allows only the standard codes
        self.close_reason = reason  # type: ignore[assignment]  # as above
        self._shut_down()

    def _read(self) -> None:
        if self.sock.behind:
            self._reading.stop()  # until it is written: a peer that does not read cannot cause more replies
            return
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._end()
        elif self._is_plain_pong(data):
            self.pong_received = True
        elif self.connected and not self._take(data):
            self._shut_down()

    def _is_plain_pong(self, data: bytes) -> bool:
        """Return whether this is a browser's plain pong in one piece.

        Once `ws` exists, it must see all data: these bytes may be part of a longer frame.
        """
        return len(data) == PONG_BYTES and data.startswith(PONG) and "ws" not in vars(self)

    def _take(self, data: bytes) -> bool:
        """Process the page's frames; return whether the connection stays open."""
        try:
            self.ws.receive_data(data)
            return bool(self._handle_events())  # type: ignore[attr-defined]  # missing in the stub
        except LocalProtocolError:
            return False
        except TooManyMessages:
            self.close(TOO_MANY, "too many messages")
            return True

    def _resume(self) -> None:
        if self._ended:
            return
        self._reading.start(self._read)
        if self.connected:
            self._when_ready()
        else:
            self._shut_down()

    def _shut_down(self) -> None:
        """Shut down writing, and close after LINGER_SECONDS.

        Closing a socket with unread input resets the connection, and the page could lose the last frame.
        """
        self.connected = False
        self._notify_end()
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
        self._notify_end()

    def _notify_end(self) -> None:
        when_over, self._when_ready, self._when_over = self._when_over, nothing, nothing
        if when_over is not nothing:
            gevent.spawn(when_over)
