"""The configuration of gunicorn: gevent workers, whose loop watches ten thousand open sockets.

gunicorn's first process reads this too and stays as long as the others, so nothing of the application is imported here.
webapp.server.serve gives the settings as arguments: address, number of processes, proxies, level of logging.
"""

import contextlib
import fcntl
import gc
import logging
import os
import resource
import termios
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
control_socket_disable = True  # it would be written under the home directory


# A full collection stops every page, for 25 ms with each thousand of them, and finds nothing in them: what a page holds
# is freed when it goes. With Python's own threshold of 700 young collections come in the middle of what a request or a
# push is made of, so that it counts as lasting, and full ones follow. Of the last ten thousand objects few are in use.
COLLECT = (10_000, 10, 100)

MOST_FILES = 65_536  # the usual soft limit, 1,024, would be reached by as many pages

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted = MOST_FILES if _hard == resource.RLIM_INFINITY else min(MOST_FILES, _hard)
if _soft != resource.RLIM_INFINITY and _soft < _wanted:
    with contextlib.suppress(OSError, ValueError):  # some systems say that they have no limit, and have one
        resource.setrlimit(resource.RLIMIT_NOFILE, (_wanted, _hard))


class Connection(gevent.socket.socket):
    """A client's connection; `waits` is the time-out under which it waits for the first bytes of a request, or None."""

    waits: gevent.Timeout | None = None

    def recv(self, *arguments: Any) -> bytes:
        received = super().recv(*arguments)
        self.waits = None
        return received

    @property
    def is_idle(self) -> bool:
        """Return whether nothing of a request has come, not even what is still unread in the system's buffer."""
        return self.waits is not None and fcntl.ioctl(self, termios.FIONREAD, bytes(4)) == bytes(4)


class Worker(GeventWorker):
    """Finishes at its end what has been asked, and closes connections that ask nothing.

    gunicorn's own waits for those too, until graceful_timeout: for 20 seconds when one browser has a page open. Here
    gevent's loop itself looks at a connection and ends it, so that nothing can be read from it in between.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections: dict[gevent.Greenlet, Connection] = {}

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        connection = Connection(client.family, client.type, client.proto, fileno=client.detach())
        self._connections[gevent.getcurrent()] = connection
        try:
            super().handle(listener, connection, addr)
        finally:
            del self._connections[gevent.getcurrent()]

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
        """Report every second that the worker lives; connections may have become idle since it was asked to end."""
        super().notify()
        if not self.alive:
            gevent.get_hub().loop.run_callback(self._end_idle)

    def _end_idle(self) -> None:
        for greenlet, connection in list(self._connections.items()):
            if connection.is_idle:
                greenlet.throw(connection.waits)


worker_class = Worker


def post_worker_init(worker: Any) -> None:
    """Log as the workers do, and let open pages hear that their process ends: the next one takes them at once."""
    from config import load  # in this process, which has it already; gunicorn's first one would keep 12 MB of it

    logging.basicConfig(level=load().log_level, format="%(levelname)s %(name)s: %(message)s")
    worker.wsgi.extensions["hub"].stop_when(lambda: worker.alive)
    gc.collect()
    gc.freeze()  # a full collection stops every page: it need not look at what stays for good
    gc.set_threshold(*COLLECT)


def worker_exit(_server: Any, worker: Any) -> None:
    """Send open pages away, also when the process had nothing else to finish and ends before its hub has noticed."""
    if worker.pid == os.getpid() and hasattr(worker, "wsgi"):
        worker.wsgi.extensions["hub"].send_away()
    gc.unfreeze()  # extensions that count their objects at the end would report all that is frozen as leaks
