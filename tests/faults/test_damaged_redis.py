"""Damaged and foreign data in Redis: no run is lost, and no other function is called.

A key that somebody gave another type is not repaired: its runs wait until it is deleted, or Redis is flushed.
"""

import itertools
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.runs.queue import DISPATCHER, QUEUE, job_id
from jobs.runs.run import Run, State
from tests.faults.harness import Harness
from tests.support.waiting import until

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


# Our function takes the number of a run, and nothing else.
STRANGE: list[Any] = [["1"], [None], [[]], [1.5], [-1], [2**70], ["läuft"], [], [1, 2], "text", 5]


def key_of(run: Run) -> str:
    return f"rq:job:{job_id(run.id, run.attempt)}"


def encoded(*parts: Any) -> bytes:
    """A job's data as RQ keeps it: function, instance, arguments, named arguments."""
    return zlib.compress(json.dumps(parts).encode())


def all_succeeded_at_once(harness: Harness, runs: list[Run]) -> bool:
    return [(run.state, run.attempt, harness.noted(run)) for run in harness.check(jobs_left=True)] == [
        (State.SUCCEEDED, 1, 1)
    ] * len(runs)


def test_a_job_with_a_damaged_field_costs_no_process_and_its_run_is_executed_once(harness: Harness) -> None:
    harness.open_pool(2)
    before = harness.pools[0].crew()
    blocker = [harness.submit("wait_for", file=str(harness.folder / "go")) for _worker in before[0]]
    harness.await_start(*blocker)
    cases = list(itertools.product(DAMAGE, FIELDS))
    runs = harness.submit_many(len(cases))
    for run, (damage, field) in zip(runs, cases, strict=True):
        harness.backend.redis.hset(key_of(run), field, DAMAGE[damage])
    (harness.folder / "go").touch()
    harness.settle()
    assert all_succeeded_at_once(harness, blocker + runs)
    assert harness.pools[0].crew() == before


def delete(harness: Harness, key: str) -> None:
    harness.backend.redis.delete(key)


def strip(harness: Harness, key: str) -> None:
    harness.backend.redis.hdel(key, "data")


@pytest.mark.parametrize("ruin", [delete, strip])
def test_a_job_that_is_gone_or_empty_costs_no_process_and_its_run_is_executed_once(
    harness: Harness, ruin: Callable[[Harness, str], None]
) -> None:
    runs = harness.submit_many(5)
    for run in runs:
        ruin(harness, key_of(run))
    harness.open_pool(2)
    before = harness.pools[0].crew()
    harness.settle()
    assert all_succeeded_at_once(harness, runs)
    assert harness.pools[0].crew() == before


def test_a_key_of_the_wrong_type_that_only_rq_reads_stops_no_run(harness: Harness) -> None:
    harness.open_pool(2)
    before, runs = harness.pools[0].crew(), list[Run]()
    for key in (*SETS, *REGISTRIES):
        runs += harness.submit_many(2)
        harness.backend.redis.set(key, "no set or hash")
        runs += harness.submit_many(3)
        harness.settle()
        harness.backend.redis.delete(key)
        assert all_succeeded_at_once(harness, runs), key
    assert harness.pools[0].crew() == before


def delete_ruined(harness: Harness, keys: list[str]) -> None:
    harness.backend.redis.delete(*keys)


def empty(harness: Harness, keys: list[str]) -> None:
    harness.backend.redis.flushall()


@pytest.mark.parametrize("mend", [delete_ruined, empty])
@pytest.mark.parametrize("ruined", [*LISTS, "every job"])
def test_runs_wait_while_a_key_is_of_the_wrong_type_and_go_on_when_it_is_gone(
    harness: Harness, ruined: str, mend: Callable[[Harness, list[str]], None]
) -> None:
    runs = harness.submit_many(3)
    keys = [key_of(run) for run in runs] if ruined == "every job" else [ruined]
    for key in keys:
        harness.backend.redis.set(key, "neither a list nor a hash")
    harness.open_pool(2)
    before = harness.pools[0].crew()
    until(lambda: "could not take a job (ResponseError: WRONGTYPE" in harness.pools[0].output, "the worker's log")
    mend(harness, keys)
    harness.settle()
    assert all_succeeded_at_once(harness, runs)
    assert harness.pools[0].crew() == before


def test_a_worker_whose_own_record_is_something_else_works_on(harness: Harness) -> None:
    harness.open_pool(1)
    before = harness.pools[0].crew()
    (record,) = harness.backend.redis.keys("rq:worker:*")
    harness.backend.redis.set(record, "no hash")
    runs = harness.submit_many(3)
    harness.settle()
    assert all_succeeded_at_once(harness, runs)
    assert harness.pools[0].crew() == before
    harness.backend.redis.delete(record)
    until(lambda: harness.backend.redis.type(record) == b"hash", "a new record of the worker")


def test_unknown_ids_stop_no_worker(harness: Harness) -> None:
    harness.open_pool(2)
    before = harness.pools[0].crew()
    for place in LISTS:
        harness.backend.redis.rpush(place, *GARBAGE.values())
    runs = harness.submit_many(5)
    harness.settle()
    until(lambda: harness.backend.redis.llen(RUNS_QUEUE) == 0, "the end of what is no run")
    harness.backend.redis.execute_command("LREM", LISTS[1], 0, BYTES)  # the checks below read the list as text
    assert all_succeeded_at_once(harness, runs)
    assert harness.pools[0].crew() == before


def test_our_function_with_strange_arguments_harms_nobody(harness: Harness) -> None:
    harness.open_pool(1)
    before, runs = harness.pools[0].crew(), list[Run]()
    for number, arguments in enumerate(STRANGE):
        harness.backend.redis.hset(f"rq:job:strange-{number}", "data", encoded(DISPATCHER, None, arguments, {}))
        harness.backend.redis.rpush(RUNS_QUEUE, f"strange-{number}")
        runs += harness.submit_many(2)
    harness.settle()
    assert all_succeeded_at_once(harness, runs)
    assert harness.pools[0].crew() == before


def test_who_can_write_to_redis_can_have_no_other_function_called(harness: Harness, tmp_path: Path) -> None:
    targets = [tmp_path / f"made-{number}" for number in range(3)]
    functions = [("os.mkdir", None), ("mkdir", "os"), ("pathlib.Path.mkdir", None)]
    for number, (target, function) in enumerate(zip(targets, functions, strict=True)):
        harness.backend.redis.hset(f"rq:job:foreign-{number}", "data", encoded(*function, [str(target)], {}))
        harness.backend.redis.rpush(RUNS_QUEUE, f"foreign-{number}")
    harness.open_pool(1)
    runs = harness.submit_many(2)
    harness.settle()
    assert all_succeeded_at_once(harness, runs)
    assert [target for target in targets if target.exists()] == []


def test_a_job_cannot_bring_a_callback(harness: Harness, tmp_path: Path) -> None:
    # It is called with the job first: a function of ours that writes down what it is given would be seen.
    fields = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
    for number, (field, argument) in enumerate(itertools.product(fields, (999_999, "no number"))):
        data = encoded(DISPATCHER, None, [argument], {})
        job = f"rq:job:foreign-{number}"
        harness.backend.redis.hset(job, mapping={"data": data, field: "tests.faults.tasks.leave_a_trace"})
        harness.backend.redis.rpush(RUNS_QUEUE, job.removeprefix("rq:job:"))
    harness.open_pool(1, TRACE=str(tmp_path / "trace"))
    harness.submit()
    harness.settle()
    assert not (tmp_path / "trace").exists()


def test_a_job_that_was_abandoned_cannot_bring_a_callback(harness: Harness, tmp_path: Path) -> None:
    """RQ calls the failure callback of a job whose worker is gone when it next looks after its registries."""
    harness.backend.redis.hset("rq:job:foreign", "data", encoded(DISPATCHER, None, [999_999], {}))
    harness.backend.redis.hset("rq:job:foreign", "status", "started")
    harness.backend.redis.hset("rq:job:foreign", "failure_callback_name", "tests.faults.tasks.leave_a_trace")
    harness.backend.redis.zadd(f"rq:wip:{QUEUE}", {"foreign:1": 1})
    harness.open_pool(1, TRACE=str(tmp_path / "trace"))
    until(lambda: not harness.backend.redis.zcard(f"rq:wip:{QUEUE}"), "RQ's maintenance")
    assert not (tmp_path / "trace").exists()
