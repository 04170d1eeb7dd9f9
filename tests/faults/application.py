"""Everything as it is deployed, web processes included, with a Redis that a test may break."""

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
from sqlalchemy import select

from jobs.runs.backend import Backend, open_backend
from jobs.runs.run import Run, State
from tests.conftest import settings_for
from tests.faults.audit import claims, completions
from tests.faults.processes import RedisServer
from tests.faults.relay import Relay
from tests.support import databases
from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.waiting import until


class Application:
    """Everything as it is deployed, with a Redis elsewhere that a test may break."""

    def __init__(self, folder: Path, **settings: str) -> None:
        there = open_backend(settings_for(folder, database_url=databases.url_of(folder)))
        self.redis = RedisServer(there)
        self.redis.start()
        self.relay = Relay(there.settings.redis_socket)
        self.stack = Stack(folder, REDIS_URL=self.relay.url, **settings)
        self.backend: Backend = there
        self._last_forgotten = 0

    def person(self) -> Person:
        """Register somebody."""
        return Person(self.stack.url, f"somebody{time.time_ns()}@example.com")

    def forget_runs(self) -> None:
        """Leave the runs so far out of all that follows: they are those of other tests."""
        self._last_forgotten = max(self.runs(), default=self._last_forgotten)

    def runs(self) -> dict[int, Run]:
        with self.backend.database.read() as session:
            return {run.id: run for run in session.scalars(select(Run).where(Run.id > self._last_forgotten))}

    def all_executed_once(self, accepted: list[int]) -> bool:
        """Wait for the end of all runs: those that were accepted and no others, each claimed and ended once."""
        until(lambda: all(run.state.ended for run in self.runs().values()), "the end of every run", 180)
        once = dict.fromkeys(accepted, 1)
        assert {run.state for run in self.runs().values()} == {State.SUCCEEDED}
        return self._counted(claims(self.backend.database)) == self._counted(completions(self.backend.database)) == once

    def _counted(self, times: Counter[int]) -> dict[int, int]:
        return {run_id: count for run_id, count in times.items() if run_id > self._last_forgotten}

    def web_workers(self) -> list[psutil.Process]:
        """The processes that answer requests: the children of gunicorn's first one."""
        with suppress(psutil.NoSuchProcess):  # one that is just ending
            return [worker for server in self.web_servers() for worker in server.children()]
        return []

    def web_servers(self) -> list[psutil.Process]:
        """Gunicorn's first process; none while it is replaced."""
        return [child for child in psutil.Process(self.stack.process.pid).children() if "gunicorn" in child.cmdline()]

    def close(self) -> None:
        self.redis.resume()
        self.stack.stop()
        self.relay.refuse()
        if self.redis.running:
            self.redis.kill()
        self.backend.database.engine.dispose()
