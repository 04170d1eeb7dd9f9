"""What Redis holds is damaged, or written by somebody else: runs are executed all the same, and nothing else is."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.runs.queue import DISPATCHER, QUEUE, job_id
from jobs.runs.run import Run, State
from tests.faults.kitchen import Kitchen
from tests.waiting import until

RUNS_QUEUE = f"rq:queue:{QUEUE}"

# Every field that RQ 3.0 reads of a job, beside those that ours carry.
READ = (
    "created_at data origin description enqueued_at started_at ended_at last_heartbeat worker_name group_id result "
    "timeout result_ttl failure_ttl ttl status success_callback_name success_callback_timeout failure_callback_name "
    "failure_callback_timeout stopped_callback_name stopped_callback_timeout webhooks dependency_id dependency_ids "
    "allow_dependency_failures enqueue_at_front meta number_of_retries retries_left retry_intervals "
    "enqueue_at_front_on_retry repeats_left repeat_intervals rate_limit_key rate_limit_concurrency exc_info"
)
FIELDS = READ.split()
BYTES, TEXT = b"\xff\xfe\x00\x80", "läuft-\N{SNOWMAN}".encode()
DAMAGE = {"bytes": BYTES, "number": b"9" * 400, "empty": b"", "text": TEXT, "list": b"[[], 0]"}

# Every key of RQ's that our one queue and its workers use.
LISTS = (RUNS_QUEUE, f"{RUNS_QUEUE}:intermediate")
SETS = ("rq:queues", "rq:workers", f"rq:workers:{QUEUE}")
REGISTRIES = tuple(f"rq:{name}:{QUEUE}" for name in ("wip", "failed", "finished", "deferred", "scheduled", "canceled"))

GARBAGE = {
    "no run": b"run-999999-1",
    "no id": b"run-x-y",
    "empty": b"",
    "unicode": TEXT,
    "bytes": BYTES,
    "huge": b"x" * 10_000_000,
}


def key_of(run: Run) -> str:
    return f"rq:job:{job_id(run.id, run.attempt)}"


def encoded(*parts: Any) -> bytes:
    """A job's data as RQ keeps it: function, instance, arguments, named arguments."""
    return zlib.compress(json.dumps(parts).encode())


def all_succeeded_at_once(kitchen: Kitchen, runs: list[Run]) -> bool:
    return [(run.state, run.attempt, kitchen.noted(run)) for run in kitchen.check(jobs_left=True)] == [
        (State.SUCCEEDED, 1, 1)
    ] * len(runs)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_job_with_a_damaged_field_costs_no_process_and_its_run_is_executed_once(
    kitchen: Kitchen, damage: str
) -> None:
    kitchen.open_pool(2)
    before = kitchen.pools[0].crew()
    blocker = [kitchen.submit("wait_for", file=str(kitchen.folder / "go")) for _worker in before[0]]
    kitchen.await_start(*blocker)
    runs = kitchen.submit_many(len(FIELDS))
    for run, field in zip(runs, FIELDS, strict=True):
        kitchen.backend.redis.hset(key_of(run), field, DAMAGE[damage])
    (kitchen.folder / "go").touch()
    kitchen.settle()
    assert all_succeeded_at_once(kitchen, blocker + runs)
    assert kitchen.pools[0].crew() == before


def delete(kitchen: Kitchen, key: str) -> None:
    kitchen.backend.redis.delete(key)


def make_text(kitchen: Kitchen, key: str) -> None:
    kitchen.backend.redis.set(key, "no job at all")


def make_list(kitchen: Kitchen, key: str) -> None:
    kitchen.backend.redis.delete(key)
    kitchen.backend.redis.rpush(key, "no job at all")


def strip(kitchen: Kitchen, key: str) -> None:
    kitchen.backend.redis.hdel(key, "data")


@pytest.mark.parametrize("ruin", [delete, make_text, make_list, strip])
def test_a_job_that_is_gone_or_something_else_costs_no_process_and_its_run_is_executed_once(
    kitchen: Kitchen, ruin: Callable[[Kitchen, str], None]
) -> None:
    runs = kitchen.submit_many(5)
    for run in runs:
        ruin(kitchen, key_of(run))
    kitchen.open_pool(2)
    before = kitchen.pools[0].crew()
    kitchen.settle()
    assert all_succeeded_at_once(kitchen, runs)
    assert kitchen.pools[0].crew() == before


@pytest.mark.parametrize("key", [*LISTS, *SETS, *REGISTRIES])
def test_a_key_of_the_wrong_type_stops_no_run(kitchen: Kitchen, key: str) -> None:
    kitchen.open_pool(2)
    before = kitchen.pools[0].crew()
    runs = kitchen.submit_many(2)
    kitchen.backend.redis.set(key, "no list, set or hash")
    runs += kitchen.submit_many(3)
    kitchen.settle()
    kitchen.backend.redis.delete(key)
    assert all_succeeded_at_once(kitchen, runs)
    assert kitchen.pools[0].crew() == before


def test_a_worker_whose_own_record_is_something_else_works_on(kitchen: Kitchen) -> None:
    kitchen.open_pool(1)
    before = kitchen.pools[0].crew()
    (record,) = kitchen.backend.redis.keys("rq:worker:*")
    kitchen.backend.redis.set(record, "no hash")
    runs = kitchen.submit_many(3)
    kitchen.settle()
    assert all_succeeded_at_once(kitchen, runs)
    assert kitchen.pools[0].crew() == before
    until(lambda: kitchen.backend.redis.type(record) == b"hash", "a new record of the worker")


def test_ids_that_are_no_runs_stop_nobody(kitchen: Kitchen) -> None:
    kitchen.open_pool(2)
    before = kitchen.pools[0].crew()
    for place in LISTS:
        kitchen.backend.redis.rpush(place, *GARBAGE.values())
    runs = kitchen.submit_many(5)
    kitchen.settle()
    until(lambda: kitchen.backend.redis.llen(RUNS_QUEUE) == 0, "the end of what is no run")
    until(lambda: BYTES not in kitchen.backend.redis.lrange(LISTS[1], 0, -1), "the end of what is no text")
    assert all_succeeded_at_once(kitchen, runs)
    assert kitchen.pools[0].crew() == before


@pytest.mark.parametrize("arguments", [["1"], [None], [[]], [1.5], [-1], [2**70], ["läuft"], [], [1, 2], "text", 5])
def test_our_function_with_strange_arguments_harms_nobody(kitchen: Kitchen, arguments: Any) -> None:
    kitchen.open_pool(1)
    before = kitchen.pools[0].crew()
    kitchen.backend.redis.hset("rq:job:strange", mapping={"data": encoded(DISPATCHER, None, arguments, {})})
    kitchen.backend.redis.rpush(RUNS_QUEUE, "strange")
    runs = kitchen.submit_many(2)
    kitchen.settle()
    assert all_succeeded_at_once(kitchen, runs)
    assert kitchen.pools[0].crew() == before


@pytest.mark.parametrize("arguments", [("os.mkdir", None), ("mkdir", "os"), ("pathlib.Path.mkdir", None)])
def test_who_can_write_to_redis_can_have_no_other_function_called(
    kitchen: Kitchen, tmp_path: Path, arguments: tuple[str, str | None]
) -> None:
    target = tmp_path / "made"
    kitchen.backend.redis.hset("rq:job:foreign", mapping={"data": encoded(*arguments, [str(target)], {})})
    kitchen.backend.redis.rpush(RUNS_QUEUE, "foreign")
    kitchen.open_pool(1)
    runs = kitchen.submit_many(2)
    kitchen.settle()
    assert all_succeeded_at_once(kitchen, runs)
    assert not target.exists()


@pytest.mark.parametrize("field", ["success_callback_name", "failure_callback_name", "stopped_callback_name"])
@pytest.mark.parametrize("arguments", [[999_999], ["no number"]])
def test_a_job_cannot_bring_a_callback(kitchen: Kitchen, tmp_path: Path, field: str, arguments: list[Any]) -> None:
    # It is called with the job first: a function of ours that writes down what it is given would be seen.
    data = encoded(DISPATCHER, None, arguments, {})
    kitchen.backend.redis.hset("rq:job:foreign", mapping={"data": data, field: "tests.faults.tasks.leave_a_trace"})
    kitchen.backend.redis.rpush(RUNS_QUEUE, "foreign")
    kitchen.open_pool(1, TRACE=str(tmp_path / "trace"))
    kitchen.submit()
    kitchen.settle()
    assert not (tmp_path / "trace").exists()


def test_a_job_that_was_abandoned_cannot_bring_a_callback(kitchen: Kitchen, tmp_path: Path) -> None:
    """RQ calls the failure callback of a job whose worker is gone when it next looks after its registries."""
    kitchen.backend.redis.hset("rq:job:foreign", "data", encoded(DISPATCHER, None, [999_999], {}))
    kitchen.backend.redis.hset("rq:job:foreign", "status", "started")
    kitchen.backend.redis.hset("rq:job:foreign", "failure_callback_name", "tests.faults.tasks.leave_a_trace")
    kitchen.backend.redis.zadd(f"rq:wip:{QUEUE}", {"foreign:1": 1})
    kitchen.open_pool(1, TRACE=str(tmp_path / "trace"))
    until(lambda: not kitchen.backend.redis.zcard(f"rq:wip:{QUEUE}"), "RQ's maintenance")
    assert not (tmp_path / "trace").exists()
