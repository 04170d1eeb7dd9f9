"""Runs are submitted over HTTP while Redis is away or the web process dies: what was accepted is executed."""

import os
import signal
import threading
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.faults.application import Application
from tests.faults.scale import scale
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("application")

AWAY_SECONDS = scale(60.0, 4.0)


def kill(application: Application) -> None:
    application.redis.kill()


def start(application: Application) -> None:
    application.redis.start()


def suspend(application: Application) -> None:
    application.redis.suspend()


def resume(application: Application) -> None:
    application.redis.resume()


def refuse(application: Application) -> None:
    application.relay.refuse()


def has_more_runs(application: Application, number: int) -> bool:
    return len(application.runs()) > number


def take(application: Application) -> None:
    application.relay.open()


def fill(application: Application) -> None:
    application.backend.redis.config_set("maxmemory", 1)


def make_room(application: Application) -> None:
    application.backend.redis.config_set("maxmemory", 0)


Act = Callable[[Application], None]


@pytest.mark.parametrize(("leave", "come_back"), [(kill, start), (suspend, resume), (refuse, take), (fill, make_room)])
def test_what_is_submitted_while_redis_is_away_is_accepted_and_executed_when_it_is_back(
    application: Application, leave: Act, come_back: Act
) -> None:
    ada = application.person()
    accepted = [ada.submit("reverse_text", text="before")]
    leave(application)
    over = threading.Event()
    timer = threading.Timer(AWAY_SECONDS, over.set)
    timer.start()
    try:
        while not over.is_set():
            accepted.append(run_id := ada.submit("reverse_text", text="meanwhile"))
            assert application.runs()[run_id].push_failed_at is not None, "the page can tell that the queue is away"
            assert ada.get(f"/runs/{run_id}").select_one("[data-state=queued]")
    finally:
        timer.cancel()
        come_back(application)
    accepted.append(ada.submit("reverse_text", text="after"))
    assert application.all_executed_once(accepted)
    assert [run.id for run in application.runs().values() if run.push_failed_at] == []


def test_a_run_is_executed_whose_web_process_was_killed_between_its_row_and_its_push(application: Application) -> None:
    ada = application.person()
    accepted = []
    for number in range(scale(10, 2)):
        application.redis.suspend()
        with ThreadPoolExecutor(1) as submitting:
            answer = submitting.submit(ada.submit, "reverse_text", text="hello")
            until(partial(has_more_runs, application, number), "the row")
            killed = application.web_workers()
            for worker in killed:
                os.kill(worker.pid, signal.SIGKILL)
            assert killed
            assert isinstance(answer.exception(), OSError | urllib.error.URLError), "nobody was answered"
        application.redis.resume()
        accepted = list(application.runs())
        until(application.web_workers, "another web process")
    assert application.all_executed_once(accepted)
