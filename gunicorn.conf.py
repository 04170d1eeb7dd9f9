"""How gunicorn serves the application: gevent workers, whose loop watches ten thousand open sockets."""

import contextlib
import gc
import logging
import os
import resource
from typing import Any

from config import load

_settings = load()

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "gevent"
workers = _settings.web_concurrency
worker_connections = 10_000
wsgi_app = "webapp:create_app()"

graceful_timeout = 20
keepalive = 75
timeout = 60
forwarded_allow_ips = "*" if _settings.trusted_proxies else "127.0.0.1"
control_socket_disable = True  # it would be written under the home directory
loglevel = "warning" if _settings.log_level == "INFO" else _settings.log_level.lower()


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


def post_worker_init(worker: Any) -> None:
    """Log as the workers do, and let open pages hear that their process ends: the next one takes them at once."""
    logging.basicConfig(level=_settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    worker.wsgi.extensions["hub"].stop_when(lambda: worker.alive)
    gc.collect()
    gc.freeze()  # a full collection stops every page: it need not look at what stays for good
    gc.set_threshold(*COLLECT)


def worker_exit(_server: Any, worker: Any) -> None:
    """Send open pages away, also when the process had nothing else to finish and ends before its hub has noticed."""
    if worker.pid == os.getpid() and hasattr(worker, "wsgi"):
        worker.wsgi.extensions["hub"].send_away()
    gc.unfreeze()  # extensions that count their objects at the end would report all that is frozen as leaks
