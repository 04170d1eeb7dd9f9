"""Caps: who may have how much, by the settings, by role and by user, and what is said beyond it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from config import ConfigError
from jobs.runs import audit, caps, lease, usage
from jobs.runs.backend import Backend
from jobs.runs.cancel_all import RUNS_AT_ONCE, cancel_all
from jobs.runs.caps import Caps, TooManyRuns, caps_of, set_caps
from jobs.runs.deletion import delete_run
from jobs.runs.run import Run, State
from jobs.runs.submission import cancel, retry, submit
from jobs.storage.database import utcnow
from tests.support.history import write_queue
from tests.support.people import make_owner, make_run, read
from webapp.accounts import users

NOTHING: dict[str, int | None] = dict.fromkeys(caps.NAMES)


def few(backend: Backend, **settings: object) -> Backend:
    return replace(backend, settings=backend.settings.model_copy(update=settings))


def order(backend: Backend, owner_id: int) -> Run:
    task = backend.catalog["reverse_text"]
    return submit(backend, task, owner_id, task.parameters.model_validate({"text": "abc"}))


def test_what_holds_for_a_user_comes_before_the_role_and_that_before_the_settings(backend: Backend) -> None:
    settings = few(backend, role_caps="member.runs_a_day=20, administrator.queued_runs = 5000").settings
    ada, boss = make_owner(backend), make_owner(backend, "boss@example.com")
    users.set_admin(backend.database, "boss@example.com", True)
    set_caps(backend.database, ada, {**NOTHING, "queued_runs": 3})
    with backend.database.read() as session:
        assert caps_of(session, settings, ada) == Caps(3, 10_000, 20, settings.user_quota_mb, settings.user_kept_mb)
        assert caps_of(session, settings, boss).queued_runs == 5000
        assert caps_of(session, settings, boss).runs_a_day == settings.user_runs_a_day
    set_caps(backend.database, ada, NOTHING)
    assert caps.quota_bytes(backend.database, settings, ada) == settings.user_quota_mb * 1_000_000
    second, first = audit.listed(backend.database, verb="caps changed")
    assert (first.object, first.after["queued_runs"]) == ("owner@example.com", 3)
    assert (second.before["queued_runs"], second.after["queued_runs"]) == (3, None)


@pytest.mark.parametrize("text", ["boss.queued_runs=1", "member.runs=1", "member.runs_a_day=", "member.runs_a_day=-1"])
def test_caps_of_a_role_that_cannot_be_read_are_named(backend: Backend, text: str) -> None:
    with pytest.raises(ConfigError, match="ROLE_CAPS: cannot read"):
        caps.by_role(few(backend, role_caps=f"member.queued_runs=1,{text}").settings)


def test_a_day_has_a_number_of_runs_whatever_became_of_them(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    one, ada = few(backend, user_runs_a_day=2), make_owner(backend)
    first, _second = order(one, ada), order(one, ada)
    cancel(one, ada, first.id)
    tries: tuple[Callable[[], Run], ...] = (lambda: order(one, ada), lambda: retry(one, ada, read(one, first)))
    for again in tries:
        with pytest.raises(TooManyRuns, match=r"started 2 runs today.*midnight UTC, in \d+ h \d+ min") as refused:
            again()
        assert 0 < refused.value.seconds <= 24 * 3600
    with backend.database.read() as session:
        assert usage.used(session, ada).runs_today == 2, "what is refused is not counted"
    order(one, make_owner(backend, "ben@example.com"))
    tomorrow = utcnow() + timedelta(days=1)
    monkeypatch.setattr(usage, "utcnow", lambda: tomorrow)
    order(one, ada)
    with backend.database.read() as session:
        assert usage.used(session, ada).runs_today == 1


def test_runs_submitted_at_the_same_time_are_all_counted(backend: Backend) -> None:
    one, ada = few(backend, user_runs_a_day=5), make_owner(backend)

    def try_to(_number: int) -> bool:
        try:
            return bool(order(one, ada))
        except TooManyRuns:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(try_to, range(16))) == 5


def test_what_runs_keep_is_counted_until_they_are_deleted(backend: Backend) -> None:
    ada = make_owner(backend)
    first, other = order(backend, ada), order(backend, ada)
    size = len(json.dumps(first.parameters))
    for run, result in ((first, "é" * 1000), (other, "short")):
        held = lease.claim(backend.database, run.id, "worker")
        assert held
        assert lease.succeed(backend.database, held, result)
    assert kept(backend, ada) == 2 * size + len(json.dumps("é" * 1000))
    delete_run(backend, ada, first.id)
    delete_run(backend, ada, first.id)
    assert kept(backend, ada) == size
    small = few(backend, user_kept_mb=0)
    with pytest.raises(TooManyRuns, match="take more than the 0 MB that are allowed"):
        order(small, ada)
    delete_run(backend, ada, other.id)
    assert kept(backend, ada) == 0


def kept(backend: Backend, owner_id: int) -> int:
    with backend.database.read() as session:
        return usage.used(session, owner_id).kept_bytes


def test_who_may_have_none_is_told_so(backend: Backend) -> None:
    ada = make_owner(backend)
    for name in ("queued_runs", "running_runs", "runs_a_day"):
        set_caps(backend.database, ada, {**NOTHING, name: 0})
        with pytest.raises(TooManyRuns, match="You may not start runs at present"):
            order(backend, ada)


def test_all_runs_of_a_user_are_cancelled_and_nobody_elses(backend: Backend) -> None:
    ada, ben = make_owner(backend), make_owner(backend, "ben@example.com")
    running, other, done = make_run(backend, ada), make_run(backend, ben), make_run(backend, ada, state=State.SUCCEEDED)
    write_queue(backend.database, ada, RUNS_AT_ONCE + 1, 1)
    assert lease.claim(backend.database, running.id, "worker")
    assert cancel_all(backend, ada) == RUNS_AT_ONCE + 3
    with backend.database.read() as session:
        assert caps.unfinished(session, ada) == {State.QUEUED: 0, State.RUNNING: 1}
    assert read(backend, running).stopping
    assert read(backend, other).state is State.QUEUED
    assert read(backend, done).state is State.SUCCEEDED
    noted = [entry.after for entry in audit.listed(backend.database, verb="runs cancelled")]
    assert noted == [{"waiting": 2, "running": 0}, {"waiting": RUNS_AT_ONCE, "running": 1}]
