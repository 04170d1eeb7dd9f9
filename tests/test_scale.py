"""A long history costs nothing: no statement reads a whole table, and none takes work that grows with the history."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from jobs.runs import State, checkpoints, deliveries, heartbeats, lease, output, rights, turns, webhooks
from jobs.runs.backend import Backend
from jobs.runs.lease import Claim
from jobs.runs.limits import Limit
from jobs.runs.output_entries import Batch, Entry, OutputKind
from jobs.runs.queue import push, take_next
from jobs.runs.run import Run
from jobs.storage.database import Base, utcnow
from jobs.values.outcome import Failure, Success
from jobs.worker import attempt
from jobs.worker.sweeper import Sweeper, revive
from tests.conftest import opened
from tests.support.history import refresh_statistics, write_history, write_queue
from tests.support.people import make_run, note_file, owner_id
from tests.support.recorded import Recorded, recorded
from tests.support.uploading import file
from tests.support.visitor import Visitor
from tests.webapp.test_access import ADMIN, addresses, fill, tell
from webapp import create_app
from webapp.accounts import sessions, users
from webapp.live.subscribers import Subscribers, outdated
from webapp.live.toasts import KEPT, Toasts
from webapp.rendering.listings import Listing

RUNS = 20_000
WAITING = 20_000
POSTPONED = 500
# More than reading a page takes, or a thousand runs to push, and less than reading an index once.
MOST_WORK = {"sqlite": 20_000, "postgresql": 3_000}
MOST_WORK_OF_A_CLAIM = 1_500
SMALL = {
    "groups",
    "invitations",
    "lanes",
    "leaders",
    "pauses",
    "predictions",
    "retention_rules",
    "task_groups",
    "workers",
}
# A step of a search is as long as its time allows, however many runs there are.
MOST_WORK_OF_A_STEP = {"sqlite": 50_000, "postgresql": 50_000}
"""The tables with a row for each process, group, task, pause, person who has not come yet, or owner of waiting runs."""

MANY_OWNERS = """
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :owners)
INSERT INTO users (email, password_hash, session_version, is_active, created_at)
SELECT 'many' || i, '', 1, true, CURRENT_TIMESTAMP FROM numbers
"""

SEARCHES = (
    *("hello", "rare", "seldom7", "none", '"hello olleh"', "seld* rare", "input.text:hello", "hello none"),
    *("since:1h", "since:2h before:yesterday", "task:mandelbrot hello", "state:failed hello", "state:cancelled rare"),
    "task:factorise state:failed since:1d seldom7",
)
TASKS = (None, "reverse_text", "factorise", "mandelbrot", "none such")
STATES = (None, *State)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, redis_url: str, empty_database: Path) -> Iterator[Backend]:
    with opened(tmp_path_factory.mktemp("scale"), redis_url, empty_database) as one:
        yield one


@pytest.fixture(scope="module")
def app(backend: Backend) -> Flask:
    return create_app(backend)


@pytest.fixture(scope="module")
def ada(app: Flask, backend: Backend) -> Visitor:
    """Somebody with a long history, and with runs in a long queue; an administrator."""
    visitor = Visitor(app).registered("ada@example.com")
    users.set_admin(backend.database, visitor.email, True)
    me = owner_id(backend, visitor.email)
    write_history(backend.database, me, RUNS)
    write_queue(backend.database, me, WAITING, POSTPONED)
    heartbeats.seen(backend.database, "worker")
    return visitor


def assert_costs_little(found: Recorded, backend: Backend, limits: dict[str, int] = MOST_WORK) -> None:
    most = limits[backend.database.engine.dialect.name]
    large = set(Base.metadata.tables) - SMALL
    assert found.work
    costly = [
        f"{statement}: reads {found.scans[statement]}, {work} steps"
        for statement, work in found.work.items()
        if found.scans[statement] & large or work > most
    ]
    assert not costly, "\n".join(costly)


def test_a_statement_that_would_read_all_runs_is_found(backend: Backend, ada: Visitor) -> None:
    of_its_worker, all_of_mine = select(Run.id).where(Run.worker == ada.email), select(Run.id).where(Run.version == 7)
    for statement in (of_its_worker, all_of_mine.where(Run.owner_id == owner_id(backend, ada.email))):
        with recorded(backend.database) as found, backend.database.read() as session:
            assert session.scalars(statement).all() == []
        with pytest.raises(AssertionError, match="FROM runs"):
            assert_costs_little(found, backend)


def test_pages(backend: Backend, app: Flask, ada: Visitor) -> None:
    """Every address, and the history with every pair of filters, also from a place within it."""
    me = owner_id(backend, ada.email)
    with recorded(backend.database) as found:
        for method, rule in addresses():
            if rule == "/logout" or rule.startswith(f"{ADMIN}rq"):
                continue
            run = make_run(backend, me)
            note_file(backend, run.id, b"noted", "text/plain")
            path = fill(rule, run.id, tell(backend, ada.email))
            assert getattr(ada, method.lower())(path).status_code < 500
        for task, state, before in product(TASKS, STATES, (None, 5000)):
            query = {"task": task, "state": state, "before": before}
            assert ada.get("/runs", query_string={k: v for k, v in query.items() if v}).status_code == 200
        for filters in ("starred=yes", "tag=board", "tag=none", "tag=board&state=failed", "starred=yes&task=factorise"):
            assert ada.get(f"/runs?{filters}").status_code == 200
        assert ada.post("/tasks/reverse_text", {"text": "abc"}).status_code == 429, "she has too many runs waiting"
        ben = Visitor(app).registered("ben@example.com")
        assert ben.post("/tasks/count_words", {"texts": [file()], "most": "3"}).status_code == 303
        assert ben.post("/tasks/reverse_text", {"text": "abc"}, HX_Request="true").status_code == 200
    assert_costs_little(found, backend)


def test_searches(backend: Backend, ada: Visitor) -> None:
    """Every kind of term, in both directions, also from a place within the history."""
    with recorded(backend.database) as found:
        for query, place in product(SEARCHES, ({}, {"before": 5000}, {"after": 5000})):
            response = ada.get("/runs", query_string={"q": query, **place})
            assert response.status_code == 200
            assert b"problems" not in response.data
    assert_costs_little(found, backend, MOST_WORK_OF_A_STEP)
    for query, count in (("rare", 10), ("hello", 25), ("seldom7", 20), ("state:cancelled rare", 3), ("none", 0)):
        assert ada.get("/runs", query_string={"q": query}).text.count('class="run"') == count, query


def test_live_pages(backend: Backend, app: Flask, ada: Visitor) -> None:
    """Bound the reads that open pages make at first, at each event and at every check."""
    me = owner_id(backend, ada.email)
    listings = [Listing(me, task=task, state=state) for task, state in product(TASKS, STATES)]
    waiting = make_run(backend, me)
    listings += [Listing(me, run_id=waiting.id), Listing(me, limit=10)]
    with recorded(backend.database) as found, app.app_context(), app.test_request_context("/live"):
        groups = [Subscribers(app, listing, Toasts(backend.database, me), prompt=True) for listing in listings]
        for group in groups:
            assert group.snapshot().page.listing == group.listing
        assert outdated(backend.database, groups)
        Toasts(backend.database, me).endings(utcnow() - KEPT)
        assert rights.marks(backend.database, [me], backend.catalog.values())
        assert sessions.current(backend.database, {one.id for one in sessions.listed(backend.database, me)})
    assert_costs_little(found, backend)


def test_sweeps(backend: Backend, ada: Visitor) -> None:
    """Everything that the sweeper does by itself, with Redis emptied before."""
    backend.redis.flushdb()
    for run_id in range(1, 500):
        push(backend.queue, (run_id, 1))
        take_next(backend.queue, backend.redis)
    with recorded(backend.database) as found:
        sweeper = Sweeper(backend)
        for _turn in range(3):
            sweeper.sweep()
        sweeper.turn()
        sweeper.leave()
    assert len(backend.queue.get_job_ids()) == 1000
    assert_costs_little(found, backend)


def test_changes_of_a_run(backend: Backend, ada: Visitor) -> None:
    """Everything that a worker, its supervisor and the owner do to a run."""
    database, me = backend.database, owner_id(backend, ada.email)
    failure = Failure("Oops", "it broke")

    def claimed(**values: Any) -> Run:
        run = lease.claim(database, make_run(backend, me, **values).id, "worker")
        assert run is not None
        return run

    with recorded(database) as found:
        heartbeats.seen(database, "worker")
        attempt.warm_up(backend)
        held = claimed()
        output.store(
            database, held, [Batch(OutputKind.LOG, [Entry(0, "out", "hello")], 9)], unfinished=[Entry(0, "", "")]
        )
        output.store(database, held, [], replaces=True)
        checkpoints.save(database, held, 1)
        checkpoints.load(database, held.id)
        lease.report(database, held, 0.5, "half")
        lease.renew(database, held)
        following = Claim("worker", backend.tasks, backend.durations)
        assert all(lease.succeed_and_claim(database, held, "done", following))
        assert attempt.take(backend, "worker")
        strange = Claim("worker", ("none such",), backend.durations)
        assert lease.claim_next(database, strange) is None
        assert lease.claim_unknown(database, strange)
        assert lease.lose(database, "worker")
        assert lease.give_back(database, claimed())
        assert lease.fail(database, claimed(), failure)
        assert lease.postpone(database, claimed(), failure, 60)
        assert lease.stop(database, claimed())
        assert claimed()
        assert lease.release(database, "worker")
        for _each in range(100):
            assert claimed()
        revive(backend, lease.expire(database, lease.leases(database)))
        heartbeats.gone(database, "worker")
        ada.post(f"/runs/{held.id}/retry")
        webhooks.create(backend, me, "https://example.com/")
        assert lease.stop(database, claimed())
        told = deliveries.claim(database, 60)
        assert told
        assert deliveries.record(database, told, deliveries.Answer(410))
    assert_costs_little(found, backend)


def test_a_claim_among_many_owners(backend: Backend, ada: Visitor) -> None:
    """Many people wait, each with many runs."""
    database, count = backend.database, 100
    with database.change() as connection:
        connection.execute(text(MANY_OWNERS), {"owners": count})
        first = connection.scalar(text("SELECT min(id) FROM users WHERE email LIKE 'many%'"))
        shared_out = "UPDATE runs SET owner_id = :first + id % :owners WHERE state = 'queued'"
        connection.execute(text(shared_out), {"first": first, "owners": count})
    turns.refresh(database)
    refresh_statistics(database)
    with recorded(database) as found:
        for _claim in range(10):
            run = attempt.take(backend, "worker")
            assert run is not None
            assert attempt.end(backend, run, Success(None), goes_on=True).following
    assert 0 < work_of_a_claim(found) < MOST_WORK_OF_A_CLAIM


def work_of_a_claim(found: Recorded) -> int:
    return max(work for statement, work in found.work.items() if statement.startswith("UPDATE runs"))


def test_a_claim_beside_thousands_of_runs_whose_limit_is_reached(backend: Backend, ada: Visitor) -> None:
    """Somebody has thousands of runs under keys that are full, before others that may start."""
    database, limited = backend.database, {"reverse_text": Limit(1, has_keys=True)}
    waiting = "state = 'queued' AND due_at IS NULL AND task = 'reverse_text'"
    with database.change() as connection:
        connection.execute(text(f"UPDATE runs SET owner_id = 1, limit_key = 'key' || (id % 7) WHERE {waiting}"))
        last = f"(SELECT max(id) FROM runs WHERE {waiting})"
        connection.execute(text(f"UPDATE runs SET limit_key = 'last' WHERE id = {last}"))
        connection.execute(text("DELETE FROM lanes"))
        turns.join(connection, [(1, 1)])
    refresh_statistics(database)
    claim = Claim("worker", ("reverse_text",), backend.durations, limits=limited)
    with recorded(database) as found:
        claimed = [lease.claim_next(database, claim) for _claim in range(9)]
    keys = [str(run.limit_key) for run in claimed if run]
    assert sorted(keys[:-1]) == [f"key{number}" for number in range(7)]
    assert keys[-1] == "last"
    assert_costs_little(found, backend)
    assert work_of_a_claim(found) < 2 * MOST_WORK_OF_A_CLAIM, "it looks at each key that is full"
