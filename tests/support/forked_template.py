"""A template with a test's own tasks: forked from the process that has them, instead of started anew."""

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from multiprocessing import forkserver, resource_tracker
from typing import Any

from jobs.authoring.catalog import Catalog
from jobs.task_user import find_task_user
from jobs.worker.channel import Channel
from jobs.worker.process import LIBC
from jobs.worker.template import serve

PR_SET_NAME = 15
TEMPLATE = "template"
"""The name that tells it, and what it forks, from the process that it was forked from."""


class ForkedProcess:
    """A child of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def forked(
    catalog: Catalog, user: str = ""
) -> Callable[[socket.socket, socket.socket, Mapping[str, str]], ForkedProcess]:
    """Return how a supervisor starts a template that serves these tasks."""

    def start(supervisor: socket.socket, requests: socket.socket, environment: Mapping[str, str]) -> ForkedProcess:
        pid = os.fork()
        if pid:
            return ForkedProcess(pid)
        try:
            close_all_but({supervisor.fileno(), requests.fileno()})
            LIBC.prctl(PR_SET_NAME, TEMPLATE.encode())
            os.environ.clear()
            os.environ.update(environment)
            serve(catalog, Channel(supervisor), requests, find_task_user(user))
        finally:
            os._exit(1)

    return start


def close_all_but(kept: set[int]) -> None:
    """Close what the process was forked with: as long as it holds its own request's end, nobody ever hangs up."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))
    tracker: Any = resource_tracker._resource_tracker  # of what it has started it would use the pipe that was closed
    tracker._fd = tracker._pid = None
    server: Any = forkserver._forkserver  # the same: it is no child of this process
    server.__init__()
