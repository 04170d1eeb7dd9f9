"""Thousands of open pages without a browser: a separate process that opens sockets and records when frames arrive.

It does as little as possible, so that the benchmark measures the server: it sends a prepared handshake, parses only
frame headers, answers pings, and stores the time of each socket's first message and the last text.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from tests.support.frames import PING, TEXT, frames

AT_ONCE = 100
PATIENCE_SECONDS = 300.0
PONG = bytes((0x8A, 0x80, 0, 0, 0, 0))  # empty, as are the server's pings; masked with zeros

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZHVtYndhaXRlciBhbmQgY28=\r\n\r\n"
)


@dataclass(frozen=True)
class Place:
    """The address to which a page connects; with `greeted`, the page is open once it has received a first message."""

    port: int
    path: str
    cookie: str = ""
    greeted: bool = True


@dataclass(frozen=True)
class Heard:
    """The times when the first and the last socket received a message, by time.monotonic()."""

    first: float
    last: float


class Crowd:
    """The benchmark's interface to the pages in their process."""

    def __enter__(self) -> "Crowd":
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=attend, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pipe.close()
        self._process.join(10)
        self._process.kill()

    def open(self, places: Sequence[Place]) -> None:
        """Open a socket at each place, in addition to those that are open."""
        self._ask("open", places)

    def listen(self) -> None:
        """Discard the messages recorded so far."""
        self._ask("listen")

    def heard(self) -> Heard:
        """Wait until every socket has received a message since `listen`, and return the times."""
        heard = self._ask("heard")
        assert isinstance(heard, Heard)
        return heard

    def text(self) -> str:
        """Return the last message."""
        return str(self._ask("text"))

    def count(self) -> int:
        """Return the number of open sockets."""
        return int(self._ask("count"))

    def leave(self) -> None:
        """Close all sockets."""
        self._ask("leave")

    def _ask(self, what: str, *arguments: Any) -> Any:
        self._pipe.send((what, arguments))
        answer = self._pipe.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer


def attend(pipe: "Connection[Any, Any]") -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: "Connection[Any, Any]") -> None:
    room = Room()
    while True:
        try:
            what, arguments = await asyncio.to_thread(pipe.recv)
        except EOFError:
            return
        try:
            answer = await asyncio.wait_for(getattr(room, what)(*arguments), PATIENCE_SECONDS)
        except Exception as error:
            answer = RuntimeError(f"{what}: {error!r}, with {len(room.lines)} sockets open")
        pipe.send(answer)


class Room:
    """The pages, inside their process."""

    def __init__(self) -> None:
        self.lines: set[Line] = set()
        self._heard: dict[Line, float] = {}
        self._text = b""
        self._all = asyncio.Event()

    async def open(self, places: Sequence[Place]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._open(place, gate) for place in places))

    async def _open(self, place: Place, gate: asyncio.Semaphore) -> None:
        async with gate:
            loop = asyncio.get_running_loop()
            _transport, line = await loop.create_connection(lambda: Line(self, place), "127.0.0.1", place.port)
            await line.ready
        self.lines.add(line)

    async def listen(self) -> None:
        self._heard.clear()
        self._all.clear()

    async def heard(self) -> Heard:
        await self._all.wait()
        return Heard(min(self._heard.values()), max(self._heard.values()))

    async def text(self) -> str:
        return self._text.decode()

    async def count(self) -> int:
        return len(self.lines)

    async def leave(self) -> None:
        gone = [line.gone for line in self.lines]
        for line in self.lines:
            line.transport.abort()
        await asyncio.gather(*gone)

    def note(self, line: "Line", text: bytes) -> None:
        self._heard.setdefault(line, time.monotonic())
        self._text = text
        if len(self._heard) == len(self.lines):
            self._all.set()


class Line(asyncio.Protocol):
    """The socket of a page."""

    def __init__(self, room: Room, place: Place) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport
        self._room = room
        self._place = place
        self._received = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        place = self._place
        transport.write(HANDSHAKE.format(path=place.path, port=place.port, cookie=place.cookie).encode())

    def connection_lost(self, _error: Exception | None) -> None:
        self.gone.set_result(None)
        self._room.lines.discard(self)
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the server closed the connection before the first message"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._upgraded and not self._upgrade():
            return
        for opcode, payload in frames(self._received):
            if opcode == PING:
                self.transport.write(PONG)
            elif opcode != TEXT or not payload:
                continue
            elif self.ready.done():
                self._room.note(self, payload)
            else:
                self.ready.set_result(None)

    def _upgrade(self) -> bool:
        head, end, rest = bytes(self._received).partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self.ready.set_exception(ConnectionError(head.decode("latin-1")))
            return False
        self._received = bytearray(rest)
        self._upgraded = True
        if not self._place.greeted:
            self.ready.set_result(None)
        return True
