"""`python -m webapp.server.serve`, the launcher that `python -m webapp` turns into.

It runs the workers, the web server and, unless REDIS_URL is set, Redis as its children. It lives as long as they do, so
to save memory it imports neither the application nor pydantic: it receives its settings as an argument, and a child
process runs the startup checks and migrations.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from webapp.server.children import REDIS_STOP_SECONDS, Children, Start, end, say
from webapp.server.embedded_redis import NoRedis, start_redis, why_redis_ended
from webapp.server.process import die_with_parent
from webapp.server.watch import TaskFiles

log = logging.getLogger("dumbwaiter")

ROOT = Path(__file__).parents[2]
WEB_SECONDS = 60


class CannotStart(Exception):
    """The environment prevents the start; the message says what to do."""


class Options(NamedTuple):
    """The settings that this process needs, named as in config.Settings; paths are strings, as in JSON."""

    production: bool
    host: str
    port: int
    url_prefix: str
    data_dir: str
    embeds_redis: bool
    redis_folder: str
    redis_socket: str
    workers: int
    web_concurrency: int
    log_level: str
    tasks: Sequence[str]


def main() -> None:
    try:
        serve(Options(**json.loads(sys.argv[1])))
    except (NoRedis, CannotStart) as error:
        sys.exit(f"Dumbwaiter cannot start: {error}")


def serve(options: Options) -> None:
    """Start all processes, keep them running, and stop them on SIGINT or SIGTERM.

    Raises CannotStart or NoRedis with a message that says what to do.
    """
    logging.basicConfig(level=options.log_level, format="%(message)s")
    with _lock(Path(options.data_dir)), contextlib.ExitStack() as stack:
        _check_port(options)
        children = Children()
        stack.callback(children.stop)
        if options.embeds_redis:
            folder, path = Path(options.redis_folder), Path(options.redis_socket)
            children.start("Redis", lambda: start_redis(folder, path, _tie_to(os.getpid())))
        # The first look comes before anything imports the tasks, so that no change during the start is missed.
        files = None if options.production else TaskFiles(options.tasks)
        _prepare(options, children)
        if children.stopping:
            return
        if options.workers:
            children.start("workers", _python("-m", "jobs"))
        children.start("web", _python("-m", "gunicorn", *_gunicorn_arguments(options)))
        _announce(options, children)
        children.watch(files)


def _python(*arguments: str) -> Start:
    # Each child gets its own session, so that Ctrl-C reaches only this process, which then stops them in order.
    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_tie_to(os.getpid()),
        )

    return start


def _gunicorn_arguments(options: Options) -> list[str]:
    return [
        f"--config={ROOT / 'gunicorn.conf.py'}",
        f"--bind={_in_brackets(options.host)}:{options.port}",
        f"--workers={options.web_concurrency}",
        f"--log-level={'warning' if options.log_level == 'INFO' else options.log_level.lower()}",
    ]


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _tie_to(parent: int) -> Callable[[], None]:
    return lambda: die_with_parent(parent, signal.SIGTERM)


@contextlib.contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    """Lock DATA_DIR: a second launcher on the same data would start a second Redis on the same files."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(PermissionError):  # it is another user's, and the doctor says so
            data_dir.chmod(0o700)
        file = (data_dir / "lock").open("w")
    except OSError as error:
        words = f"DATA_DIR ({data_dir}) is not writable: {error.strerror}. Change its owner, or set another DATA_DIR."
        raise CannotStart(words) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"Dumbwaiter is already running on {data_dir}. Stop it first, or set another DATA_DIR."
            ) from None
        yield


def _check_port(options: Options) -> None:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            advice = {
                errno.EADDRINUSE: "Stop the program that uses it, or choose another port: "
                f"PORT={options.port % 65535 + 1} make run",
                errno.EACCES: "Ports below 1024 need special rights. Choose another port: PORT=8000 make run",
            }.get(error.errno or 0, "Set HOST to an address of this machine, such as 127.0.0.1.")
            words = f"Port {options.port} on {options.host} cannot be used ({error.strerror}). {advice}"
            raise CannotStart(words) from None


def _prepare(options: Options, children: Children) -> None:
    """Run the startup checks and migrations in a child process, which prints its own errors."""
    child = _python("-m", "webapp.server.prepare")()
    while child.poll() is None:
        if children.stopping or (options.embeds_redis and children.ended("Redis")):
            end([child], time.monotonic() + REDIS_STOP_SECONDS)
        time.sleep(0.05)
    if children.stopping:
        return
    if options.embeds_redis and children.ended("Redis"):
        raise CannotStart(f"Redis exited during startup: {why_redis_ended(Path(options.redis_folder))}")
    if child.returncode < 0:
        raise CannotStart(f"The startup checks were killed by signal {-child.returncode}.")
    if child.returncode:
        sys.exit(child.returncode)


def _announce(options: Options, children: Children) -> None:
    host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host  # noqa: S104  # compared, not bound
    deadline = time.monotonic() + WEB_SECONDS
    while not children.stopping:
        if _answers(host, options.port):
            address = f"http://{_in_brackets(host)}:{options.port}{options.url_prefix}"
            say(f"Dumbwaiter is ready: {address} (press Ctrl-C to stop)")
            if not options.workers:
                say("WORKERS is 0: runs wait until python -m jobs runs somewhere.")
            return
        if children.ended("web") or time.monotonic() > deadline:
            raise CannotStart("The web server did not start. See its output above for the reason.")
        time.sleep(0.1)


def _answers(host: str, port: int) -> bool:
    # Importing http.client for this single request would take 3 MB permanently.
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {_in_brackets(host)}\r\n\r\n".encode())
        return connection.makefile("rb").readline().split()[1:2] == [b"200"]
    return False


if __name__ == "__main__":
    main()
