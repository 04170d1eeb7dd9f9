"""The template as its supervisor sees it: started, asked for the tasks, and started again when it has ended."""

import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from jobs.authoring.task import TaskError, TaskSummary
from jobs.worker.channel import BadMessage, Channel, channel_pair

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("template_start.py")
RESTART_SECONDS = 1.0

# What task code sees of the environment: what Python, libraries and programs need to work. Everything else, first of
# all the application's own keys and addresses, stays out, unless TASK_ENVIRONMENT names it.
SEEN = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|PWD|TZ|TZDIR|TMPDIR|TEMP|TMP|HOSTNAME|VIRTUAL_ENV|LANG|LANGUAGE|LC_\w+|XDG_\w+"
    r"|PYTHON\w+|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_\w+|MALLOC_\w+|GLIBC_TUNABLES|FONTCONFIG_\w+|MPL\w+"
    r"|(HTTP|HTTPS|NO|ALL|FTP)_PROXY|(http|https|no|all|ftp)_proxy|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|(OMP|OPENBLAS|MKL|NUMEXPR|NUMBA|BLIS|VECLIB|GOTO|KMP|POLARS|RAYON|TBB)_\w+"
    r"|(CUDA|NVIDIA|NCCL|CUDNN|ROCR|HIP|HSA|ROCM)_\w+",
    re.ASCII,
)


class TaskProcess(Protocol):
    """A process that a supervisor has started."""

    def poll(self) -> int | None: ...


Start = Callable[[socket.socket, socket.socket, Mapping[str, str]], TaskProcess]


def task_environment(environment: Mapping[str, str], named: str = "") -> dict[str, str]:
    """Return what task code sees of an environment; `named` lists what is to be seen beside it ("HF_HOME,MODEL_*")."""
    patterns = [re.escape(name.strip()).replace(r"\*", ".*") for name in named.split(",") if name.strip()]
    also = re.compile("|".join(patterns)) if patterns else None
    return {
        name: value
        for name, value in environment.items()
        if SEEN.fullmatch(name) or (also is not None and also.fullmatch(name))
    }


def start_template(supervisor: socket.socket, requests: socket.socket, environment: Mapping[str, str]) -> TaskProcess:
    """Start a template, a process that has nothing of this one but the two sockets."""
    return start_process("jobs.worker.template", supervisor, requests, environment)


def start_process(
    module: str, supervisor: socket.socket, requests: socket.socket, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start a template whose `main` is in this module."""
    descriptors = (supervisor.fileno(), requests.fileno())
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), module, *map(str, descriptors)],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        pass_fds=descriptors,
    )


class TemplateProcess:
    """The one template of a supervisor, which lives until the last worker has gone.

    Workers ask through a socket that all of them inherit. Its other end is kept here too, so that what is asked while
    there is no template waits for the next one.
    """

    def __init__(self, named: str = "", start: Start = start_template) -> None:
        self._start = start
        self._environment = task_environment(os.environ, named)
        self._asks, self._serves = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: TaskProcess | None = None
        self._channel: Channel | None = None
        self._start_at = 0.0
        self.tasks: Mapping[str, TaskSummary] | None = None
        """The tasks, once the template has imported them."""

    def look(self) -> bool:
        """Start the template if there is none, and hear what it has to say; return whether the tasks are known.

        Raises TaskError for a broken task file.
        """
        if self._process is None and time.monotonic() >= self._start_at:
            ours, theirs = channel_pair()
            ours.setblocking(False)
            with theirs:
                self._process = self._start(theirs, self._serves, self._environment)
            self._channel = Channel(ours)
        self._hear()
        if self._process and (code := self._process.poll()) is not None:
            log.warning("the process that has imported the tasks ended with %s; another one takes its place", code)
            self._process, self._start_at = None, time.monotonic() + RESTART_SECONDS
        return self.tasks is not None

    def ask_for_copy(self, channel: socket.socket) -> None:
        """Ask for a copy of the template that serves the other end of a channel; to be called in a worker."""
        socket.send_fds(self._asks, [b"!"], [channel.fileno()])

    def forget(self) -> None:
        """In a process that was forked from the supervisor: let go of what only that needs."""
        self._serves.close()
        if self._channel:
            self._channel.close()

    def close(self) -> None:
        """Let go of the template, which ends with the last worker."""
        self._asks.close()
        self._serves.close()
        if self._channel:
            self._channel.close()

    def _hear(self) -> None:
        if self._channel is None:
            return
        try:
            for message in self._channel.receive():
                self._understand(message.body)
        except (EOFError, BadMessage):
            self._channel.close()
            self._channel = None

    def _understand(self, body: object) -> None:
        match body:
            case {"tasks": list(tasks)}:
                self.tasks = {task["name"]: TaskSummary(**task) for task in tasks}
            case {"error": str(words)} if self.tasks is None:
                raise TaskError(words)
            case {"error": str(words)}:
                log.error("%s", words)
