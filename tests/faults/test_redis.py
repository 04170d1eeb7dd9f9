"""Redis is emptied, dies, fills up or loses its replies: no run is lost, and none is executed twice."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psutil
import pytest
from rq.utils import as_text
from sqlalchemy import insert

from jobs.runs.backend import open_backend
from jobs.runs.queue import QUEUE
from jobs.runs.run import Run, State
from jobs.runs.submission import submit
from jobs.storage.database import utcnow
from jobs.worker.sweeper import MOST_PUSHES, Sweeper
from tests.faults.harness import Harness
from tests.faults.relay import Relay
from tests.faults.scale import scale
from tests.faults.tasks import TASKS
from tests.support.waiting import until

REBUILT_SECONDS = 10
FOR_EVER = -1
BLOCKED_SECONDS = 5


@pytest.fixture
def relay(harness: Harness) -> Iterator[Relay]:
    one = Relay(harness.backend.settings.redis_socket)
    yield one
    one.refuse()


def executed_once(harness: Harness, runs: list[Run], jobs_left: bool = False) -> bool:
    harness.settle()
    ended = harness.check(jobs_left)
    redis, started = harness.backend.redis, harness.backend.queue.started_job_registry.get_job_ids(cleanup=False)
    left = [key for key in redis.keys("rq:job:*") if as_text(key).removeprefix("rq:job:") not in started]
    until(lambda: not any(redis.ttl(key) == FOR_EVER for key in left), "what is left in Redis going by itself")
    once = [(run.state, run.attempt, harness.noted(run)) for run in ended] == [(State.SUCCEEDED, 1, 1)] * len(runs)
    return once and len(ended) == len(runs)


def occupy(harness: Harness, workers: int) -> list[Run]:
    """Open a pool whose workers are all at work until `release`."""
    harness.open_pool(workers)
    runs = harness.submit_many(workers, "wait_for", file=str(harness.folder / "go"))
    harness.await_start(*runs)
    return runs


def release(harness: Harness) -> None:
    (harness.folder / "go").touch()


def empty(harness: Harness) -> None:
    harness.backend.redis.flushall()


def restart_without_its_file(harness: Harness) -> None:
    harness.redis.kill()
    shutil.rmtree(harness.folder / "redis" / "appendonlydir")
    harness.redis.start()


@pytest.mark.parametrize("lose_everything", [empty, restart_without_its_file])
def test_a_queue_that_was_lost_is_rebuilt_soon_and_every_run_executed_once(
    harness: Harness, lose_everything: Callable[[Harness], None]
) -> None:
    at_work = occupy(harness, 2)
    waiting = harness.submit_many(scale(100, 30))
    lose_everything(harness)
    began = time.monotonic()
    until(lambda: len(harness.backend.queue.get_job_ids()) == len(waiting), "the new queue")
    assert time.monotonic() - began < REBUILT_SECONDS
    release(harness)
    assert executed_once(harness, at_work + waiting, jobs_left=True)


def test_emptying_redis_again_and_again_loses_no_run(harness: Harness) -> None:
    harness.open_pool(2)
    runs = []
    for _ in range(scale(50, 10)):
        runs += harness.submit_many(5, seconds=0.02)
        harness.backend.redis.flushall()
    assert executed_once(harness, runs, jobs_left=True)


@pytest.mark.parametrize("comes_back_after", [0.0, 3.0])
def test_redis_dying_as_a_run_ends_costs_neither_the_outcome_nor_the_warm_process(
    harness: Harness, comes_back_after: float
) -> None:
    harness.open_pool(1)
    before = harness.pools[0].crew()
    runs = []
    for _ in range(scale(10, 2)):
        runs.append(run := harness.submit("strike", pid=harness.redis.pid))
        until(lambda: not harness.redis.running, "the end of Redis")
        harness.await_end(run)
        threading.Event().wait(comes_back_after)
        harness.redis.start()
        runs.append(harness.submit())
        harness.settle()
    assert executed_once(harness, runs, jobs_left=True)
    assert harness.pools[0].crew() == before


@pytest.mark.parametrize("replies", [1, 2], ids=["the first reply", "both replies"])
def test_a_push_whose_reply_is_lost_is_executed_once(harness: Harness, relay: Relay, replies: int) -> None:
    # Two attempts at a push are all that the client makes: with one reply lost it pushes twice, with both lost it
    # believes that it has not pushed at all.
    away = open_backend(harness.backend.settings.model_copy(update={"redis_url": relay.url}), TASKS)
    harness.open_pool(2)
    runs, task = [], TASKS["count"]
    for number in range(scale(100, 20)):
        relay.lose_replies(replies)
        parameters = task.parameters.model_validate({"ledger": str(harness.ledger), "number": number})
        runs.append(submit(away, task, harness.owner_id, parameters))
    away.redis.close()
    away.database.engine.dispose()
    assert relay.lost == replies * len(runs)
    assert executed_once(harness, runs, jobs_left=True)


def test_a_full_redis_takes_no_run_and_gives_it_back_when_there_is_room(harness: Harness) -> None:
    harness.open_pool(2)
    before = harness.pools[0].crew()
    first = harness.submit_many(5)
    harness.settle()
    harness.backend.redis.config_set("maxmemory", 1)
    waiting = harness.submit_many(scale(100, 10))
    until(lambda: all(harness.read(run).push_failed_at for run in waiting), "the note that they could not be pushed")
    harness.backend.redis.config_set("maxmemory", 0)
    assert executed_once(harness, first + waiting, jobs_left=True)
    assert harness.pools[0].crew() == before


def test_redis_filling_up_while_runs_are_at_work_costs_no_outcome(harness: Harness) -> None:
    at_work = occupy(harness, 2)
    before = harness.pools[0].crew()
    waiting = harness.submit_many(5)
    harness.backend.redis.config_set("maxmemory", 1)
    release(harness)
    until(lambda: all(harness.read(run).state.ended for run in at_work), "the end of what was at work")
    harness.backend.redis.config_set("maxmemory", 0)
    assert executed_once(harness, at_work + waiting, jobs_left=True)
    assert harness.pools[0].crew() == before


def test_redis_that_cannot_write_its_file_takes_no_run_and_gives_it_back_later(harness: Harness) -> None:
    harness.redis.allow_files(0)
    harness.open_pool(2, ready=False)
    runs = harness.submit_many(5)
    until(lambda: harness.read(runs[-1]).push_failed_at, "the note that it could not be pushed")
    harness.redis.allow_files(psutil.RLIM_INFINITY)
    assert executed_once(harness, runs, jobs_left=True)


def test_a_long_queue_that_was_lost_is_rebuilt_without_holding_up_the_pool(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes several turns of the sweeper; in the short form, because a turn pushes less."""
    count, at_once = scale((10_000, MOST_PUSHES), (250, 100))
    monkeypatch.setattr("jobs.worker.sweeper.MOST_PUSHES", at_once)
    old = {"owner_id": harness.owner_id, "task": "count", "queued_at": utcnow() - timedelta(minutes=1)}
    with harness.backend.database.write() as session:
        ledger = str(harness.ledger)
        session.execute(insert(Run), [{**old, "parameters": {"ledger": ledger, "number": n}} for n in range(count)])
    sweeper, longest = Sweeper(harness.backend), 0.0
    while harness.backend.queue.count < at_once:
        before = time.monotonic()
        sweeper.sweep()
        longest = max(longest, time.monotonic() - before)
    assert longest < BLOCKED_SECONDS
    sweeper.leave()
    harness.backend.redis.flushall()
    harness.open_pool(2, constants={"jobs.worker.sweeper.MOST_PUSHES": at_once})
    harness.settle(scale(3600, 600))
    assert {(run.state, run.attempt) for run in harness.check(jobs_left=True)} == {(State.SUCCEEDED, 1)}
    assert harness.backend.redis.llen(f"rq:queue:{QUEUE}") == 0
