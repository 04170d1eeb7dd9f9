"""The configuration of gunicorn, with gevent workers that can hold ten thousand open sockets.

gunicorn's master process also reads this file and lives as long as its workers, so nothing from the application is
imported here. webapp.server.serve passes the address, number of processes and log level as arguments.
"""

import contextlib
import fcntl
import gc
import os
import resource
import termios
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.socket
from gunicorn.workers.ggevent import GeventWorker

worker_connections = 10_000
wsgi_app = "webapp:create_app()"

graceful_timeout = 20
keepalive = 75
timeout = 60
forwarded_allow_ips = ""  # the application decides which headers of proxies it believes (TRUSTED_PROXIES)
control_socket_disable = True  # gunicorn would create it in the home directory


# Thresholds of the garbage collector. A full collection blocks all pages, for 25 ms per thousand of them, and frees
# nothing there: a page has no reference cycles and is freed when it closes. With Python's default of 700, young
# collections run in the middle of a request or a push and promote its temporary objects, which leads to full
# collections. Of the last ten thousand objects, few are still in use.
COLLECT = (10_000, 10, 100)

MOST_FILES = 65_536  # the usual soft limit of 1,024 allows no more than that many pages

# Connections of one address, in any state. All of a proxy's come from its own; there the application counts requests.
MOST_OF_PEER = 500
HERE = ("127.0.0.1", "::1")
PROXIED = os.environ.get("TRUSTED_PROXIES", "") not in ("", "0")

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted = MOST_FILES if _hard == resource.RLIM_INFINITY else min(MOST_FILES, _hard)
if _soft != resource.RLIM_INFINITY and _soft < _wanted:
    with contextlib.suppress(OSError, ValueError):  # some systems report no limit but enforce one
        resource.setrlimit(resource.RLIMIT_NOFILE, (_wanted, _hard))


class Connection(gevent.socket.socket):
    """A client's connection; `waits` is the timeout while it waits for the first bytes of a request, otherwise None."""

    waits: gevent.Timeout | None = None

    def recv(self, *arguments: Any) -> bytes:
        received = super().recv(*arguments)
        self.waits = None
        return received

    @property
    def is_idle(self) -> bool:
        """Return whether no part of a request has arrived, not even unread in the system's buffer."""
        return self.waits is not None and fcntl.ioctl(self, termios.FIONREAD, bytes(4)) == bytes(4)


class Worker(GeventWorker):
    """A gevent worker that finishes open requests on shutdown and closes idle connections immediately.

    gunicorn's own worker also waits for idle connections until graceful_timeout: 20 seconds if one browser has a page
    open. The check and the close run in a single callback of gevent's event loop, so that no request can be read in
    between.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections: dict[gevent.Greenlet, Connection] = {}
        self._peers = Counter[str]()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        peer = addr[0] if isinstance(addr, tuple) else ""
        if self._peers[peer] >= MOST_OF_PEER and not (PROXIED or peer in HERE):
            client.close()
            return
        connection = Connection(client.family, client.type, client.proto, fileno=client.detach())
        self._connections[gevent.getcurrent()] = connection
        self._peers[peer] += 1
        try:
            super().handle(listener, connection, addr)
        finally:
            del self._connections[gevent.getcurrent()]
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        connection = self._connections[gevent.getcurrent()]
        with gevent.Timeout(self.cfg.keepalive, False) as connection.waits:
            try:
                yield
            finally:
                connection.waits = None

    def handle_exit(self, sig: Any, frame: Any) -> None:
        super().handle_exit(sig, frame)
        gevent.get_hub().loop.run_callback(self._end_idle)

    def notify(self) -> None:
        """Send the heartbeat, and during shutdown close connections that have become idle."""
        super().notify()
        if not self.alive:
            gevent.get_hub().loop.run_callback(self._end_idle)

    def _end_idle(self) -> None:
        for greenlet, connection in list(self._connections.items()):
            if connection.is_idle:
                greenlet.throw(connection.waits)


worker_class = Worker


def post_worker_init(worker: Any) -> None:
    """Configure logging and garbage collection, and have open pages reconnect as soon as the worker shuts down."""
    from config import load  # imported here because they would take 12 MB in gunicorn's master process
    from jobs.logs import begin_log, write_one_line

    begin_log(load().log_level)
    write_one_line(worker.log.error_log)
    worker.wsgi.extensions["hub"].stop_when(lambda: worker.alive)
    gc.collect()
    gc.freeze()  # exclude permanent objects from full collections, which block all pages
    gc.set_threshold(*COLLECT)


def worker_exit(_server: Any, worker: Any) -> None:
    """Close open pages so that they reconnect, in case the process exits before the hub notices the shutdown."""
    if worker.pid == os.getpid() and hasattr(worker, "wsgi"):
        worker.wsgi.extensions["hub"].close_pages()
    gc.unfreeze()  # extensions that count their objects at exit would report frozen ones as leaks
