"""The application as a user starts it, on a port of its own."""

import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from config import Settings
from jobs.runs.backend import Backend, open_backend
from jobs.worker.process import die_with_parent
from tests.support import databases
from tests.support.tasks import FOLDER
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
FILES = ("config.py", "alembic.ini", "gunicorn.conf.py", "pyproject.toml", ".flaskenv")
FOLDERS = ("jobs", "webapp", "templates", "static", "migrations", "tests")
START_SECONDS = 120
STOP_SECONDS = 60


def copied_project(copy: Path) -> Path:
    """A copy of the project, to run and to change."""
    copy.mkdir()
    for name in FILES:
        shutil.copy2(ROOT / name, copy / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name)  # with its bytecode, which is compiled for the files' times
    return copy


# Below those that the system gives to whoever connects: a server that is down for a moment finds its port free again.
_ports = itertools.cycle(random.sample(range(10_000, 30_000), 20_000))


def free_port() -> int:
    """A port that no other test is given, also of those that run in the processes beside this one."""
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            if port % 50 == own:
                probe.bind(("127.0.0.1", port))
                return port


class Stack:
    """`python -m webapp` with its own data and the tests' tasks, perhaps of a copy of the project or another Python."""

    root = ROOT
    python = sys.executable
    makes_database = False
    """True if the start has to make the database, instead of finding a migrated one."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Stack":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """The output since the last start."""
        return (self.data_dir / "output.txt").read_text()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def backend(self) -> Backend:
        """The running application's database and Redis."""
        values = {"data_dir": self.data_dir, "database_url": databases.url_of(self.data_dir), "tasks": str(FOLDER)}
        return open_backend(Settings.model_validate(values))

    def start(self) -> "Stack":
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "WORKERS": "2", "LOG_LEVEL": "DEBUG"}
        own["TASKS"] = str(FOLDER)
        if not self.makes_database and "DATABASE_URL" not in self._environment:
            databases.fill(self.data_dir)
        own["DATABASE_URL"] = databases.url_of(self.data_dir)
        parent = os.getpid()
        with (self.data_dir / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [self.python, "-m", "webapp"],
                cwd=self.root,
                env={**kept, **own, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: die_with_parent(parent, signal.SIGTERM),
            )
        try:
            until(lambda: "is ready" in self.output or self.process.poll() is not None, "the start", START_SECONDS)
            assert self.process.poll() is None, self.output
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)
