"""Runs are submitted over HTTP while Redis is away or the web process dies: what was accepted is executed."""

import os
import signal
import threading
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from config import Settings
from jobs import Backend, Run, State, open_backend
from tests import databases
from tests.faults.audit import begin_audit, claims, completions
from tests.faults.processes import RedisServer
from tests.faults.relay import Relay
from tests.faults.scale import scale
from tests.person import Person
from tests.stack import Stack
from tests.waiting import until

AWAY_SECONDS = scale(60.0, 10.0)


class Restaurant:
    """Everything as it is deployed, with a Redis elsewhere that a test may break."""

    def __init__(self, folder: Path) -> None:
        values = {"data_dir": folder, "database_url": databases.url_of(folder)}
        there = open_backend(Settings.model_validate(values))
        self.redis = RedisServer(there)
        self.redis.start()
        self.relay = Relay(there.settings.redis_socket)
        self.stack = Stack(folder, REDIS_URL=self.relay.url)
        self.backend: Backend = there

    def runs(self) -> dict[int, Run]:
        with self.backend.database.read() as session:
            return {run.id: run for run in session.scalars(select(Run))}

    def all_executed_once(self, accepted: list[int]) -> bool:
        """Wait for the end of all runs: those that were accepted and no others, each claimed and ended once."""
        until(lambda: all(run.state.ended for run in self.runs().values()), "the end of every run", 180)
        once = dict.fromkeys(accepted, 1)
        assert {run.state for run in self.runs().values()} == {State.SUCCEEDED}
        return claims(self.backend.database) == completions(self.backend.database) == once

    def web_workers(self) -> list[psutil.Process]:
        """The processes that answer requests: the children of gunicorn's first one."""
        ours = psutil.Process(self.stack.process.pid).children()
        return [worker for child in ours if "gunicorn" in child.cmdline() for worker in child.children()]

    def close(self) -> None:
        self.redis.resume()
        self.stack.stop()
        self.relay.refuse()
        if self.redis.running:
            self.redis.kill()
        self.backend.database.engine.dispose()


@pytest.fixture
def restaurant(tmp_path: Path) -> Iterator[Restaurant]:
    one = Restaurant(tmp_path)
    try:
        one.stack.start()
        begin_audit(one.backend.database)
        yield one
    finally:
        one.close()


def kill(restaurant: Restaurant) -> None:
    restaurant.redis.kill()


def start(restaurant: Restaurant) -> None:
    restaurant.redis.start()


def suspend(restaurant: Restaurant) -> None:
    restaurant.redis.suspend()


def resume(restaurant: Restaurant) -> None:
    restaurant.redis.resume()


def refuse(restaurant: Restaurant) -> None:
    restaurant.relay.refuse()


def take(restaurant: Restaurant) -> None:
    restaurant.relay.open()


def fill(restaurant: Restaurant) -> None:
    restaurant.backend.redis.config_set("maxmemory", 1)


def make_room(restaurant: Restaurant) -> None:
    restaurant.backend.redis.config_set("maxmemory", 0)


Act = Callable[[Restaurant], None]


@pytest.mark.parametrize(("leave", "come_back"), [(kill, start), (suspend, resume), (refuse, take), (fill, make_room)])
def test_what_is_submitted_while_redis_is_away_is_accepted_and_executed_when_it_is_back(
    restaurant: Restaurant, leave: Act, come_back: Act
) -> None:
    ada = Person(restaurant.stack.url, "ada@example.com")
    accepted = [ada.submit("reverse_text", text="before")]
    leave(restaurant)
    over = threading.Event()
    timer = threading.Timer(AWAY_SECONDS, over.set)
    timer.start()
    try:
        while not over.is_set():
            accepted.append(run_id := ada.submit("reverse_text", text="meanwhile"))
            assert restaurant.runs()[run_id].push_failed_at is not None, "the page can tell that the queue is away"
            assert ada.get(f"/runs/{run_id}").select_one("[data-state=queued]")
    finally:
        timer.cancel()
        come_back(restaurant)
    accepted.append(ada.submit("reverse_text", text="after"))
    assert restaurant.all_executed_once(accepted)
    assert [run.id for run in restaurant.runs().values() if run.push_failed_at] == []


def test_a_run_is_executed_whose_web_process_was_killed_between_its_row_and_its_push(restaurant: Restaurant) -> None:
    ada = Person(restaurant.stack.url, "ada@example.com")
    accepted = []
    for number in range(scale(10, 2)):
        restaurant.redis.suspend()
        with ThreadPoolExecutor(1) as submitting:
            answer = submitting.submit(ada.submit, "reverse_text", text="hello")
            until(lambda: len(restaurant.runs()) > number, "the row")  # noqa: B023  # asked at once
            killed = restaurant.web_workers()
            for worker in killed:
                os.kill(worker.pid, signal.SIGKILL)
            assert killed
            assert isinstance(answer.exception(), OSError | urllib.error.URLError), "nobody was answered"
        restaurant.redis.resume()
        accepted = list(restaurant.runs())
        until(restaurant.web_workers, "another web process")
    assert restaurant.all_executed_once(accepted)
