"""Regular pings of a process's open pages, in one thread for all of them."""

import threading
import time
from collections import deque

from webapp.live.socket import LiveSocket

ROUND_SECONDS = 1.0
PINGS_AT_ONCE = 100


class PingQueue:
    """The sockets of the open pages in ping order, the next one first."""

    def __init__(self) -> None:
        self._sockets: deque[LiveSocket] = deque()

    def add(self, socket: LiveSocket) -> None:
        self._sockets.append(socket)

    def run(self, stopping: threading.Event) -> None:
        """Ping the pages that are due until `stopping` is set."""
        while not stopping.wait(ROUND_SECONDS):
            while self._ping_due():
                time.sleep(0)  # yield to other greenlets: after a deployment all pages may be due at once

    def _ping_due(self) -> bool:
        """Ping a batch of the pages that are due, dropping closed ones; return whether more may be due."""
        now = time.monotonic()
        for _ in range(PINGS_AT_ONCE):
            if not self._sockets or self._sockets[0].ping_at > now:
                return False
            socket = self._sockets.popleft()
            if socket.connected:
                socket.ping()
                self._sockets.append(socket)
        return True
