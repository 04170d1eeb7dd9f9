"""Retention: rules delete the ended runs that they are about, and no others; rows first, files after."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobs.runs import audit, events, retention, retention_walk, run_tags, usage
from jobs.runs.backend import Backend
from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.files import FileRow
from jobs.runs.people import Person
from jobs.runs.retention import RetentionRule
from jobs.runs.retention_walk import RetentionWalk, delete_runs, preview
from jobs.runs.run import Run, State
from jobs.runs.run_files import RunFileRow
from jobs.runs.shares import Share
from jobs.storage.database import utcnow
from tests.support.people import claimed, make_owner, make_run, note_file
from tests.support.stored_files import AN_HOUR, let_pass, objects_in

LONG_AGO = utcnow() - timedelta(days=100)
MB = 1_000_000


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_walk, "PAGE", 3)
    monkeypatch.setattr(retention_walk, "DELETED_AT_ONCE", 2)


@pytest.fixture
def ada(backend: Backend) -> int:
    return make_owner(backend, "ada@example.com")


def rule(**values: Any) -> RetentionRule:
    return RetentionRule(made_by="boss@example.com", **values)


def ended(backend: Backend, owner_id: int, task: str = "reverse_text", **values: Any) -> int:
    return make_run(backend, owner_id, task, **{"state": State.SUCCEEDED, "ended_at": LONG_AGO, **values}).id


def left(backend: Backend) -> list[int]:
    with backend.database.read() as session:
        return list(session.scalars(select(Run.id).order_by(Run.id)))


def walk(backend: Backend, *rules: RetentionRule) -> Sequence[int]:
    """Preview the rules, add them, walk, and return the runs that are left."""
    expected = preview(backend.database, rules)
    before = len(left(backend))
    for one in rules:
        retention.add_rule(backend.database, one)
    sweeper = RetentionWalk(backend)
    for _ in range(before):  # each goes on for a short time only
        sweeper.sweep()
    assert before - len(left(backend)) == expected.runs
    return left(backend)


def test_without_a_rule_nothing_is_deleted(backend: Backend, ada: int) -> None:
    run_id = ended(backend, ada)
    assert walk(backend) == [run_id]


def test_a_rule_of_age_deletes_what_ended_long_ago_and_leaves_all_else(backend: Backend, ada: int) -> None:
    gone = [ended(backend, ada) for _ in range(5)]
    kept = [
        ended(backend, ada, starred=True),
        ended(backend, ada, ended_at=utcnow() - timedelta(days=89)),
        ended(backend, ada, "factorise"),
        ended(backend, ada, state=State.FAILED),
        make_run(backend, ada, created_at=LONG_AGO).id,
    ]
    running = make_run(backend, ada, created_at=LONG_AGO)
    claimed(backend, running)
    more = [ended(backend, ada) for _ in range(2)]
    about = {"task": "reverse_text", "state": "succeeded", "days": 90}
    with backend.database.write() as session:
        run_tags.replace(session, ada, gone[0], ["board"])
    assert preview(backend.database, [rule(**about)]).exempt == 1
    assert walk(backend, rule(**about)) == [*kept, running.id]
    assert run_tags.tags_of(backend.database, ada) == []
    noted = audit.listed(backend.database, verb="runs deleted")
    assert sum(entry.after["runs"] for entry in noted) == len(gone + more)
    assert {entry.object for entry in noted} == {"by the rules of retention"}


def test_a_rule_of_number_keeps_the_newest_of_each_user(backend: Backend, ada: int) -> None:
    ben = make_owner(backend, "ben@example.com")
    runs = [(owner, ended(backend, owner, ended_at=utcnow())) for _ in range(4) for owner in (ada, ben)]
    others = [ended(backend, ada, "factorise") for _ in range(3)]
    assert walk(backend, rule(task="reverse_text", runs=2)) == [run_id for _owner, run_id in runs[4:]] + others


def test_a_rule_of_size_deletes_the_oldest_until_the_rest_fits(backend: Backend, ada: int) -> None:
    runs = [ended(backend, ada) for _ in range(5)]
    with backend.database.write() as session:
        session.add_all(
            RunFileRow(run_id=run_id, owner_id=ada, sha256=f"{run_id:064}", size=MB, name="a", media_type="text/plain")
            for run_id in runs
        )
    assert walk(backend, rule(megabytes=3), rule(megabytes=4)) == runs[-3:]


def test_what_other_rules_delete_counts_as_space_that_is_free(backend: Backend, ada: int) -> None:
    old, young = ended(backend, ada), ended(backend, ada, ended_at=utcnow())
    with backend.database.write() as session:
        session.add_all(
            RunFileRow(run_id=run_id, owner_id=ada, sha256=f"{run_id:064}", size=MB, name="a", media_type="text/plain")
            for run_id in (old, young)
        )
    assert walk(backend, rule(days=90), rule(megabytes=2)) == [young]


def test_files_go_after_their_runs_and_no_orphan_is_left(
    backend: Backend, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, kept = ended(backend, ada, result="x" * 5000), ended(backend, ada, ended_at=utcnow())
    for one, content in ((run_id, b"old"), (run_id, b"both"), (kept, b"both")):
        note_file(backend, one, content)
    with backend.database.write() as session:
        usage.count_run(session, ada)
        session.execute(update(usage.Usage).values(kept_bytes=10_000))
    published = list[int]()
    monkeypatch.setattr(events, "publish", lambda _redis, *changes: published.extend(one.run_id for one in changes))
    assert walk(backend, rule(days=90)) == [kept]
    assert published == [run_id]
    with backend.database.read() as session:
        assert usage.used(session, ada).kept_bytes < 5000
    let_pass(backend.database, AN_HOUR)
    for _ in range(2):
        FileCleanup(backend.database, backend.files.objects).sweep()
        let_pass(backend.database, AN_HOUR)
    with backend.database.read() as session:
        assert session.scalar(select(func.count()).select_from(FileRow)) == 1
    assert len(objects_in(backend.settings.files)) == 1


def test_a_run_that_is_starred_shared_or_queued_meanwhile_stays(backend: Backend, ada: int) -> None:
    starred, queued, gone = ended(backend, ada, starred=True), make_run(backend, ada).id, ended(backend, ada)
    shared, was_shared = ended(backend, ada), ended(backend, ada)
    with backend.database.write() as session:
        for run_id, days in ((shared, 1), (was_shared, -1)):
            until = utcnow() + timedelta(days=days)
            parts = {"parameters": True, "log": True, "files": True}
            session.add(Share(run_id=run_id, owner_id=ada, digest=str(run_id), expires_at=until, **parts))
    delete_runs(backend, [starred, queued, gone, shared, was_shared, 999])
    assert left(backend) == [starred, queued, shared]
    assert len(audit.listed(backend.database, verb="runs deleted")) == 1
    delete_runs(backend, [starred, gone])
    assert len(audit.listed(backend.database, verb="runs deleted")) == 1, "nothing happened"


def test_a_walk_ends_and_another_rule_begins_a_new_one(backend: Backend, ada: int) -> None:
    first, second = ended(backend, ada), ended(backend, ada, "factorise")
    sweeper = RetentionWalk(backend)
    retention.add_rule(backend.database, rule(task="reverse_text", days=90))
    sweeper.sweep()
    assert left(backend) == [second]
    later = ended(backend, ada)
    sweeper.sweep()
    assert left(backend) == [second, later], "the next walk is in an hour"
    retention.add_rule(backend.database, rule(task="factorise", days=90))
    sweeper.sweep()
    assert left(backend) == []
    assert first not in left(backend)


def test_rules_outlive_who_made_them(backend: Backend, ada: int) -> None:
    retention.add_rule(backend.database, rule(days=90))
    with backend.database.write() as session:
        session.delete(session.get_one(Person, ada))
    assert [one.values for one in retention.rules(backend.database)] == [{"days": 90}]
