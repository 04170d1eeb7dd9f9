"""The supervisor's handle on the template process: start it, read its task list, and restart it when it exits."""

import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from jobs.authoring.task import TaskError, TaskSummary
from jobs.worker.channel import BadMessage, Channel, channel_pair

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("template_start.py")
RESTART_SECONDS = 1.0

# Environment variables that task code may see: those that Python, libraries and programs need to work. Everything else,
# above all the application's keys and addresses, is withheld unless TASK_ENVIRONMENT names it.
SEEN = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|PWD|TZ|TZDIR|TMPDIR|TEMP|TMP|HOSTNAME|VIRTUAL_ENV|LANG|LANGUAGE|LC_\w+|XDG_\w+"
    r"|PYTHON\w+|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_\w+|MALLOC_\w+|GLIBC_TUNABLES|FONTCONFIG_\w+|MPL\w+"
    r"|(HTTP|HTTPS|NO|ALL|FTP)_PROXY|(http|https|no|all|ftp)_proxy|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|(OMP|OPENBLAS|MKL|NUMEXPR|NUMBA|BLIS|VECLIB|GOTO|KMP|POLARS|RAYON|TBB)_\w+"
    r"|(CUDA|NVIDIA|NCCL|CUDNN|ROCR|HIP|HSA|ROCM)_\w+",
    re.ASCII,
)


class TaskProcess(Protocol):
    """A process started by a supervisor."""

    def poll(self) -> int | None: ...


Start = Callable[[socket.socket, socket.socket, Mapping[str, str]], TaskProcess]


def task_environment(environment: Mapping[str, str], named: str = "") -> dict[str, str]:
    """Return the part of an environment that task code may see.

    `named` lists additional variables, separated by commas, with * as a wildcard ("HF_HOME,MODEL_*").
    """
    patterns = [re.escape(name.strip()).replace(r"\*", ".*") for name in named.split(",") if name.strip()]
    also = re.compile("|".join(patterns)) if patterns else None
    return {
        name: value
        for name, value in environment.items()
        if SEEN.fullmatch(name) or (also is not None and also.fullmatch(name))
    }


def start_template(folders: Sequence[Path], module: str = "jobs.worker.template", user: str = "") -> Start:
    """Return a function that starts a template process: `main` of the module, with the tasks in these folders.

    Its children are those of the user of this name, if there is one.

    The process inherits nothing from this one but the two sockets.
    """
    return partial(_start, module, (user, *map(str, folders)))


def _start(
    module: str,
    arguments: Sequence[str],
    supervisor: socket.socket,
    requests: socket.socket,
    environment: Mapping[str, str],
) -> "subprocess.Popen[bytes]":
    descriptors = (supervisor.fileno(), requests.fileno())
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), module, *map(str, descriptors), *arguments],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        pass_fds=descriptors,
    )


class TemplateProcess:
    """A supervisor's template process, which runs until the last worker has exited.

    Workers send requests through a socket that all of them inherit. The supervisor keeps its other end open, too, so
    that requests made while there is no template wait for the next one.
    """

    def __init__(self, start: Start, named: str = "") -> None:
        self._start = start
        self._environment = task_environment(os.environ, named)
        self._asks, self._serves = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: TaskProcess | None = None
        self._channel: Channel | None = None
        self._start_at = 0.0
        self.tasks: Mapping[str, TaskSummary] | None = None
        """The tasks by name, or None until the template has imported them."""

    def look(self) -> bool:
        """Start the template if it is not running, process its messages, and return whether the tasks are known.

        Raises TaskError if no task can be served.
        """
        if self._process is None and time.monotonic() >= self._start_at:
            ours, theirs = channel_pair()
            ours.setblocking(False)
            with theirs:
                self._process = self._start(theirs, self._serves, self._environment)
            self._channel = Channel(ours)
        self._receive()
        if self._process and (code := self._process.poll()) is not None:
            log.warning("the template process exited with code %s; restarting it", code)
            self._process, self._start_at = None, time.monotonic() + RESTART_SECONDS
        return self.tasks is not None

    def ask_for_copy(self, channel: socket.socket) -> None:
        """Request a template copy that serves the other end of `channel`. Call this in a worker."""
        socket.send_fds(self._asks, [b"!"], [channel.fileno()])

    def forget(self) -> None:
        """Close the descriptors that only the supervisor needs. Call this in a process forked from it."""
        self._serves.close()
        if self._channel:
            self._channel.close()

    def close(self) -> None:
        """Close the supervisor's descriptors; the template exits with the last worker."""
        self._asks.close()
        self._serves.close()
        if self._channel:
            self._channel.close()

    def _receive(self) -> None:
        if self._channel is None:
            return
        try:
            for message in self._channel.receive():
                self._handle(message.body)
        except (EOFError, BadMessage):
            self._channel.close()
            self._channel = None

    def _handle(self, body: object) -> None:
        match body:
            case {"tasks": list(tasks)}:
                self.tasks = {task["name"]: TaskSummary(**task) for task in tasks}
            case {"error": str(words)} if self.tasks is None:
                raise TaskError(words)
            case {"error": str(words)}:
                log.error("%s", words)
