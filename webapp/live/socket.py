"""A WebSocket that holds: whole frames, a deadline for slow readers, no compression, codes that make pages return."""

import socket
import threading
from typing import Any

import gevent
from simple_websocket import Server
from werkzeug.exceptions import BadRequest
from wsproto.utilities import RemoteProtocolError

SEND_SECONDS = 20
PING_SECONDS = 25
LARGEST_MESSAGE_BYTES = 64 * 1024

RESTART = 1012  # the page connects again and gets a snapshot
POLICY_VIOLATION = 1008
SIGNED_OUT = 4401  # the page stays disconnected and asks to sign in
TOO_MANY = 4429  # the page stays disconnected and looks again and again by itself


class WholeWrites:
    """A connected socket on which every write is whole and alone.

    simple-websocket writes frames with one `send` each, from the handler and from its reader: a frame larger than the
    peer's window would be cut, and a pong could land inside it. A peer that does not read for SEND_SECONDS loses the
    connection; half a frame has been written by then, so no close code can follow.
    """

    def __init__(self, wrapped: socket.socket) -> None:
        self._wrapped = wrapped
        self._lock = threading.Lock()

    def send(self, data: bytes) -> int:
        with self._lock:
            try:
                with gevent.Timeout(SEND_SECONDS, TimeoutError):
                    self._wrapped.sendall(data)
            except TimeoutError:
                self._wrapped.shutdown(socket.SHUT_RDWR)
                raise
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class LiveSocket(Server):
    """simple-websocket's server with our limits; `event` is set when there is something to do."""

    def __init__(self, environ: dict[str, Any], **_options: Any) -> None:
        wrapped = {**environ}
        for key in ("gunicorn.socket", "werkzeug.socket"):
            if key in wrapped:
                wrapped[key] = WholeWrites(wrapped[key])
        # A client offers compression and the library would take it, at 80 KB of memory for each connection.
        wrapped.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        super().__init__(wrapped, ping_interval=PING_SECONDS, max_message_size=LARGEST_MESSAGE_BYTES)

    def handshake(self) -> None:
        try:
            super().handshake()
        except RemoteProtocolError as error:
            raise BadRequest from error  # nothing has been written yet: it is still a request, and answered as one

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        # The library closes with 1008 when a pong is missing, and htmx would not come back from that.
        code = RESTART if reason == POLICY_VIOLATION else reason
        super().close(code, message)  # type: ignore[arg-type]  # the stub knows no application's own codes
        self.event.set()

    @property
    def input_buffer(self) -> list[Any]:
        """Where the library puts what the page sends: nowhere, however much it is while nobody can look."""
        return []

    @input_buffer.setter
    def input_buffer(self, _value: list[Any]) -> None:
        pass

    def wait(self) -> bool:
        """Wait until there is something to do; False when the connection has ended."""
        self.event.wait()
        self.event.clear()
        return bool(self.connected)
