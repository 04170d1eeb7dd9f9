"""The two compared socket servers: ours with its users, and a bare one under the same gunicorn configuration."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from urllib.request import Request, urlopen

import psutil
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import update

from benchmarks.crowd import Place
from jobs.runs import events
from jobs.runs.lease import Change
from jobs.runs.run import Run, State
from jobs.storage.database import utcnow
from tests.support.people import make_owner
from tests.support.stack import ROOT, Stack, free_port
from tests.support.waiting import until
from webapp import create_app
from webapp.accounts import sessions
from webapp.accounts.users import Account
from webapp.security import COOKIE

PAGES_A_USER = 20
RUNS_A_USER = 10
START_PAGE = f"/live?limit={RUNS_A_USER}"
WAIT_SECONDS = 60


class Server:
    """A server on `port` with a single web process, which is measured."""

    port: int
    worker: psutil.Process

    def places(self, count: int) -> list[Place]:
        """Return the addresses for this number of pages."""
        raise NotImplementedError

    def kilobytes(self) -> float:
        """Return the proportional set size of the web process."""
        return float(self.worker.memory_full_info().pss) / 1024

    def cpu_seconds(self) -> float:
        times = self.worker.cpu_times()
        return times.user + times.system


class Ours(Server):
    """The complete application, with as many users as the pages need and RUNS_A_USER runs per user."""

    def __init__(self, folder: Path, workers: int) -> None:
        settings = {"WORKERS": str(workers), "LOG_LEVEL": "WARNING"}
        limit = "--worker-class benchmarks.unlimited.UnlimitedWorker"
        self.stack = Stack(folder, GUNICORN_CMD_ARGS=limit, **settings)
        self._users: list[int] = []
        self._runs: dict[int, int] = {}

    def __enter__(self) -> "Ours":
        self.stack.start()
        self.port = self.stack.port
        self.worker = web_process(self.stack.process.pid)
        self.backend = self.stack.backend()
        self._app = create_app(self.backend)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.backend.database.close()
        self.stack.stop()

    def places(self, count: int, pages_a_user: int = PAGES_A_USER) -> list[Place]:
        """Return the addresses for this number of pages, spread over as few users as the limit allows."""
        users = -(-count // pages_a_user)
        while len(self._users) < users:
            self._users.append(self._make_user())
        cookies = [self._cookie(user) for user in self._users[:users]]
        return [Place(self.port, START_PAGE, cookies[number // pages_a_user]) for number in range(count)]

    def change(self, users: int) -> float:
        """Commit and publish a change of one run for each of `users` users; return when that began."""
        changed = [self._runs[user] for user in self._users[:users]]
        begun = time.monotonic()
        with self.backend.database.write() as session:
            condition = Run.id.in_(changed)
            values = {"version": Run.version + 1, "result": f"at {begun}"}
            rows = session.execute(
                update(Run).where(condition).values(values).returning(Run.id, Run.owner_id, Run.version)
            )
            changes = [Change(*row) for row in rows]
        events.publish(self.backend.redis, *changes)
        return begun

    def _make_user(self) -> int:
        user = make_owner(self.backend, f"user{len(self._users)}@example.com")
        ended = {"state": State.SUCCEEDED, "result": "olleh", "started_at": utcnow(), "ended_at": utcnow()}
        with self.backend.database.write() as session:
            runs = [
                Run(owner_id=user, task="reverse_text", parameters={"text": "hello"}, **ended)
                for _ in range(RUNS_A_USER)
            ]
            session.add_all(runs)
        self._runs[user] = runs[-1].id
        return user

    def _cookie(self, user: int) -> str:
        """Return a session cookie like that of a signed-in user."""
        signer = SecureCookieSessionInterface().get_signing_serializer(self._app)
        assert signer is not None
        with self.backend.database.read() as session:
            account = session.get_one(Account, user)
        begun = sessions.begin(self.backend.database, account)
        values = {"_user_id": begun, "_fresh": True, "_permanent": True}
        return f"{COOKIE}={signer.dumps(values)}"


class Bare(Server):
    """The reference server of benchmarks.bare."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> "Bare":
        environment = {**os.environ, "PORT": str(self.port), "DATA_DIR": str(self._folder), "LOG_LEVEL": "WARNING"}
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "gunicorn.conf.py"),
            f"--bind=127.0.0.1:{self.port}",
            "--log-level=warning",
            "benchmarks.bare:create_app()",
        ]
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        until(self._answers, "the start of the reference")
        self.worker = web_process(self._process.pid)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGQUIT)  # stop immediately, without closing the pages
        self._process.wait(WAIT_SECONDS)

    def places(self, count: int) -> list[Place]:
        return [Place(self.port, "/live", greeted=False)] * count

    def publish(self, text: str) -> float:
        """Send a text to every open socket; return when that began."""
        begun = time.monotonic()
        with urlopen(Request(f"{self._url}/publish", text.encode()), timeout=WAIT_SECONDS):
            return begun

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self._url}/healthz", timeout=WAIT_SECONDS):
                return True
        except OSError:
            return False


def web_process(pid: int) -> psutil.Process:
    """Return the only gunicorn worker among a process and its descendants."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    (found,) = [one for one in family if "gunicorn" in one.cmdline() and not one.children()]
    return found
