"""Runs everything as children of one process: Redis where none is given, the workers, the web server."""

import contextlib
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import click
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from config import Settings
from jobs.backend import open_backend
from jobs.catalog import Catalog
from jobs.db import Database
from jobs.embedded_redis import start_redis
from jobs.process import die_with_parent
from webapp import schema
from webapp.catalog import usable
from webapp.watch import TaskFiles

log = logging.getLogger("dumbwaiter")

ROOT = Path(__file__).parent.parent
REDIS_SECONDS = 20
WEB_SECONDS = 60
STOP_SECONDS = 27  # platforms kill everything 30 s after they asked
REDIS_STOP_SECONDS = 2
RESTART_PAUSE_SECONDS = 1.0
LOOK_SECONDS = 0.5

Start = Callable[[], "subprocess.Popen[bytes]"]


class CannotStart(Exception):
    """Something outside prevents the start; the message says what to do."""


def serve(settings: Settings) -> None:
    """Start everything, keep it running, and stop it all at SIGINT or SIGTERM.

    Raises CannotStart or NoRedis with a line that says what to do.
    """
    logging.basicConfig(level=settings.log_level, format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with _lock(settings), contextlib.ExitStack() as stack:
        backend = open_backend(settings, _tasks())
        settings.session_key()
        _check_port(settings)
        children = Children()
        stack.callback(children.stop)
        if settings.embeds_redis:
            children.start("Redis", lambda: start_redis(settings, _tie_to(os.getpid())))
        _wait_for_redis(settings, backend.redis.ping, children)
        _migrate(settings, backend.database)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        children.start("workers", _python("-m", "jobs", env=environment))
        children.start("web", _python("-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), env=environment))
        _announce(settings, children)
        children.watch(None if settings.production else TaskFiles())


class Children:
    """The processes started here, in order; each is started again when it ends, until all are to stop."""

    def __init__(self) -> None:
        self._starts: dict[str, Start] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)

    def start(self, name: str, start: Start) -> None:
        self._starts[name] = start
        self._running[name] = start()

    def ended(self, name: str) -> bool:
        return self._running[name].poll() is not None

    def watch(self, files: TaskFiles | None) -> None:
        """Start again whatever ends, until all are to stop; and take up tasks that have changed, if there are files."""
        look_at = time.monotonic()
        while not self.stopping:
            if files and time.monotonic() >= look_at:
                self._take_up(files)
                look_at = time.monotonic() + LOOK_SECONDS
            for name in [name for name in self._running if self.ended(name)]:
                log.warning("%s ended with %s and is started again", name, self._running[name].returncode)
                time.sleep(RESTART_PAUSE_SECONDS)
                if not self.stopping:
                    self._running[name] = self._starts[name]()
            time.sleep(0.2)

    def _take_up(self, files: TaskFiles) -> None:
        """Have the tasks as they are now; the workers of before end what they have at hand beside the new ones."""
        if not files.changed():
            return
        if problems := files.problems():
            log.warning("%s\nUntil this is right, what runs is left alone.", problems)
            return
        log.warning("The tasks have changed; web server and workers take them up.")
        self._leaving = [process for process in self._leaving if process.poll() is None]
        self._leaving.append(self._running["workers"])
        self._running["workers"].terminate()
        self._running["workers"] = self._starts["workers"]()
        self._running["web"].send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop the web server and the workers together, and Redis after them, all within STOP_SECONDS."""
        deadline = time.monotonic() + STOP_SECONDS
        others = [process for name, process in self._running.items() if name != "Redis"]
        _end([*others, *self._leaving], deadline - REDIS_STOP_SECONDS)
        _end([process for name, process in self._running.items() if name == "Redis"], deadline)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True


def _end(processes: list["subprocess.Popen[bytes]"], deadline: float) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _python(*arguments: str, env: dict[str, str]) -> Start:
    # A session of its own for each child: Ctrl-C reaches this process alone, which then stops them in order.
    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_tie_to(os.getpid()),
        )

    return start


def _tie_to(parent: int) -> Callable[[], None]:
    return lambda: die_with_parent(parent, signal.SIGTERM)


@contextlib.contextmanager
def _lock(settings: Settings) -> Iterator[None]:
    """Hold DATA_DIR for this process: a second one on the same data would start a second Redis on the same files."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (settings.data_dir / "lock").open("w")
    except OSError as error:
        raise CannotStart(f"DATA_DIR ({settings.data_dir}) cannot be written to: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"It is running on {settings.data_dir} already. Stop it first, or give this one another DATA_DIR."
            ) from None
        yield


def _tasks() -> Catalog:
    catalog, errors = usable()
    if errors:
        raise CannotStart("\n".join(map(str, errors)))
    return catalog


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise CannotStart(
                f"Port {settings.port} on {settings.host} cannot be used ({error.strerror}). "
                f"Stop what uses it, or choose another: PORT={settings.port + 1} make run"
            ) from None


def _wait_for_redis(settings: Settings, ping: Callable[[], Any], children: Children) -> None:
    deadline = time.monotonic() + REDIS_SECONDS
    while not children.stopping:
        try:
            ping()
            return
        except RedisError as error:
            if settings.embeds_redis and children.ended("Redis"):
                raise CannotStart(f"Redis ended at once; {settings.data_dir}/redis/redis.log says why.") from None
            if time.monotonic() > deadline:
                place = settings.redis.rpartition("@")[2]
                raise CannotStart(f"Redis at REDIS_URL ({place}) does not answer: {error}") from None
        time.sleep(0.05)


def _migrate(settings: Settings, database: Database) -> None:
    """Bring the schema up to date; in production that is the release step's work, and here only checked."""
    try:
        if newer := schema.newer(database):
            raise CannotStart(f"The database's {newer}")
        if settings.production and not schema.is_current(database):
            raise CannotStart("The database's schema is behind. Run the release step first: alembic upgrade head")
        schema.upgrade(database)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise CannotStart(f"The database at DATABASE_URL cannot be used: {reason}") from None
    finally:
        database.engine.dispose()


def _announce(settings: Settings, children: Children) -> None:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104  # compared, not bound
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + WEB_SECONDS
    while not children.stopping:
        with contextlib.suppress(OSError), direct.open(f"{address}/healthz", timeout=5):
            click.echo(f"Dumbwaiter is ready: {address} (Ctrl-C stops it)")
            return
        if children.ended("web") or time.monotonic() > deadline:
            raise CannotStart("The web server did not start; what it printed above says why.")
        time.sleep(0.1)
