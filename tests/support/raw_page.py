"""A page's end of a socket, of which every byte is in a test's hands."""

import socket
from urllib.parse import urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event
from wsproto.frame_protocol import CloseReason

from tests.support.person import Person
from tests.support.waiting import PATIENCE_SECONDS

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class RawPage:
    """A page that has asked for a socket."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            byte = end.recv(1)
            assert byte, self.head
            self.head += byte
        self._protocol = Connection(ConnectionType.CLIENT)

    def __enter__(self) -> "RawPage":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.end.close()

    def tell(self, event: Event) -> None:
        self.end.sendall(self._protocol.send(event))

    def read(self, size: int = 65536) -> list[Event]:
        """Return the events in the next bytes. Raises the protocol errors of a client that receives invalid frames."""
        self._protocol.receive_data(self.end.recv(size) or None)
        return list(self._protocol.events())

    def close_code(self) -> int:
        """The code with which the server closes; 1006 when it just hangs up."""
        try:
            while True:
                for event in self.read():
                    if isinstance(event, CloseConnection):
                        return int(event.code)
        except ConnectionResetError:
            return CloseReason.ABNORMAL_CLOSURE


def connect(
    person: Person, query: str = "", receive_buffer: int = 65536, handshake: dict[str, str] = HANDSHAKE
) -> RawPage:
    place = urlsplit(person.url)
    assert place.port
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    end.settimeout(PATIENCE_SECONDS)
    end.connect((place.hostname, place.port))
    headers = {"Host": place.netloc, "Origin": person.url, "Cookie": person.cookie, **handshake}
    lines = [f"GET /live{query} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    end.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    return RawPage(end)
