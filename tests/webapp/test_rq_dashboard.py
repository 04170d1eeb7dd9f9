"""The queue's dashboard, while somebody else writes to Redis."""

import base64
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.runs.backend import Backend
from tests.conftest import opened
from tests.support.visitor import Visitor
from webapp import create_app
from webapp.accounts import users

# RQ warns of the ids that are no executions, which are among what these tests write.
pytestmark = pytest.mark.filterwarnings("ignore:Composite key:DeprecationWarning")

ROOT = "/admin/rq"
JOB = "run-1-1"
REGISTRIES = ("queued", "failed", "deferred", "started", "finished", "canceled", "scheduled")
VIEWS = (
    *("/", "/0/view/workers", "/0/view/jobs", "/0/data/queues.json", "/0/data/workers.json"),
    *(f"/0/view/jobs/runs/{registry}/8/asc/1" for registry in REGISTRIES),
    *(f"/0/data/jobs/runs/{registry}/8/dsc/1.json" for registry in REGISTRIES),
    *(f"/0/view/job/{JOB}", f"/0/data/job/{JOB}.json"),
)
CHANGES = (
    *(f"/job/{JOB}/requeue", "/requeue/runs", "/queue/runs/compact"),
    *(f"/queue/runs/{registry}/empty" for registry in REGISTRIES),
    f"/job/{JOB}/delete",
)
UNKNOWN = (
    *("/0/view/job/nothing", "/0/data/job/nothing.json", "/0/view/job/a:b", "/7/view/workers"),
    *("/0/data/jobs/runs/nothing/8/asc/1.json", "/0/data/jobs/runs/queued/many/asc/1.json"),
    *("/0/data/jobs/runs/queued/8/asc/first.json", "/0/data/jobs/runs/queued/0/asc/1.json"),
)


class Payload:
    """An object that writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


@pytest.fixture(scope="module")
def boss(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Visitor]:
    with opened(tmp_path_factory.mktemp("dashboard"), redis_url, empty_database) as backend:
        boss = Visitor(create_app(backend)).registered("boss@example.com")
        users.set_admin(backend.database, boss.email, True)
        yield boss


def write_everywhere(backend: Backend, value: bytes, status: str) -> None:
    """Put a value wherever the dashboard reads one."""
    redis = backend.redis
    redis.flushdb()
    fields = ("data", "result", "exc_info", "meta", "description", "created_at", "ended_at", "timeout", "webhooks")
    job: dict[Any, Any] = {**dict.fromkeys(fields, value), "status": status, "origin": "runs"}
    redis.hset(f"rq:job:{JOB}", mapping=job)
    encoded = base64.b64encode(value)
    redis.xadd(f"rq:results:{JOB}", {"type": 1, "return_value": encoded, "exc_string": encoded})
    redis.sadd(f"rq:job:{JOB}:dependencies", JOB)
    redis.sadd("rq:queues", "rq:queue:runs", value)
    redis.rpush("rq:queue:runs", JOB, value)
    for registry in REGISTRIES[1:]:
        key = {"failed": "failed", "started": "wip"}.get(registry, registry)
        redis.zadd(f"rq:{key}:runs", {JOB: 2**40})
    redis.sadd("rq:workers", "rq:worker:one")
    worker: dict[Any, Any] = {"current_job": JOB, "queues": "runs", "state": "busy", "birth": value, "pid": value}
    redis.hset("rq:worker:one", mapping=worker)


def test_nothing_in_redis_is_unpickled_whatever_the_dashboard_is_asked(boss: Visitor, tmp_path: Path) -> None:
    backend: Backend = boss.client.application.extensions["dumbwaiter"]
    mark = tmp_path / "unpickled"
    for status in ("queued", "failed", "nonsense"):
        write_everywhere(backend, pickle.dumps(Payload(mark)), status)
        for path in VIEWS:
            assert boss.get(ROOT + path).status_code in (200, 404), path
            assert not mark.exists(), path
        for path in CHANGES:
            write_everywhere(backend, pickle.dumps(Payload(mark)), status)
            assert boss.post(ROOT + path).status_code in (200, 404), path
            assert not mark.exists(), path


def test_a_damaged_job_is_shown_without_what_is_damaged(boss: Visitor) -> None:
    backend: Backend = boss.client.application.extensions["dumbwaiter"]
    write_everywhere(backend, b"\xff\x00", "failed")
    told = boss.get(f"{ROOT}/0/data/job/{JOB}.json").get_json()
    assert (told["id"], told["status"], told["result"], told["exc_info"]) == (JOB, "failed", None, None)
    for registry in REGISTRIES[1:]:
        listed = boss.get(f"{ROOT}/0/data/jobs/runs/{registry}/8/asc/1.json").get_json()["jobs"]
        assert [job["id"] for job in listed] == [JOB], registry


def test_keys_of_another_kind_are_no_error_of_the_dashboard(boss: Visitor) -> None:
    backend: Backend = boss.client.application.extensions["dumbwaiter"]
    backend.redis.flushdb()
    for key in ("rq:queues", "rq:workers", "rq:queue:runs", "rq:failed:runs", f"rq:job:{JOB}", f"rq:results:{JOB}"):
        backend.redis.set(key, "text")
    for path in VIEWS:
        assert boss.get(ROOT + path).status_code in (200, 404), path
    for path in CHANGES:
        assert boss.post(ROOT + path).status_code in (200, 404), path


@pytest.mark.parametrize("path", UNKNOWN)
def test_something_unknown_is_not_found(boss: Visitor, path: str) -> None:
    assert boss.get(ROOT + path).status_code == 404
