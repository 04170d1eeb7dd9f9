"""A relay between us and a server that a test may have refuse, fall silent, or lose replies on their way back."""

import contextlib
import socket
import threading
from pathlib import Path

PUSH = b"rpush"


class Relay:
    """A relay from a TCP port to a Unix socket."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._sockets: set[socket.socket] = set()
        self._replies_to_lose = 0
        self.silent = False
        """True while data is dropped, as in a network partition; connections stay open."""
        self._lock = threading.Lock()
        self.lost = 0
        """The number of replies lost so far."""
        self._listener: socket.socket | None = None
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def open(self) -> None:
        """Take connections, from now on or again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake the thread that accepts
            self._listener.close()
        for one in list(self._sockets):
            _cut(one)

    def lose_replies(self, count: int) -> None:
        """Pass the next pushes on to Redis, but drop its replies."""
        with self._lock:
            self._replies_to_lose = count

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(str(self._target))
                except OSError:
                    client.close()
                    continue
                self._sockets |= {client, server}
                loses = threading.Event()
                threading.Thread(target=self._ask, args=(client, server, loses), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, loses), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, loses: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while asked := client.recv(65536):
                if PUSH in asked.lower() and self._take_one():
                    loses.set()
                if not self.silent:
                    server.sendall(asked)
        self._end(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, loses: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while answer := server.recv(65536):
                if loses.is_set():
                    break
                if not self.silent:
                    client.sendall(answer)
        self._end(client, server)

    def _take_one(self) -> bool:
        with self._lock:
            if self._replies_to_lose == 0:
                return False
            self._replies_to_lose -= 1
            self.lost += 1
            return True

    def _end(self, *sockets: socket.socket) -> None:
        for one in sockets:
            self._sockets.discard(one)
            _cut(one)


def _cut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
