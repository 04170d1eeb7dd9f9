"""One run for several submissions: while it waits or runs, and as long as its result may be used again."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from sqlalchemy import update

from jobs import File, Secrets, User, task
from jobs.authoring.same_runs import digest
from jobs.authoring.task import Task, TaskError
from jobs.runs import lease, same, webhooks
from jobs.runs.asked import Asked, WebhookAsked
from jobs.runs.backend import Backend, open_backend
from jobs.runs.lease import Claim
from jobs.runs.run import Run, State
from jobs.runs.same import Existing, Submitted
from jobs.runs.submission import Conflict, cancel, retry, submit_once
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from tests.support.people import make_owner, read
from tests.support.serving import catalog_of


def file(letter: str) -> File:
    return File("a.txt", 1, letter * 64, "text/plain")


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    number: Decimal = Decimal(1)


@task(unique="parameters")
def sort(names: set[str], size: int = 3) -> None: ...


@task(reuse=timedelta(days=7))
def count(names: set[str], size: int = 3) -> None: ...


@pytest.fixture
def backend(backend: Backend) -> Iterator[Backend]:
    opened = open_backend(backend.settings, catalog_of(sort, count))
    yield opened
    opened.database.engine.dispose()


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


def order(backend: Backend, owner_id: int, name: str, asked: Asked | None = None, **given: Any) -> Submitted:
    definition = backend.catalog[name]
    parameters = definition.parameters.model_validate({"names": ["b", "a"], **given})
    return submit_once(backend, definition, owner_id, parameters, asked or Asked())


def take(backend: Backend) -> Run:
    run = lease.claim_next(backend.database, Claim("worker", backend.tasks, backend.durations))
    assert run
    return run


def test_a_second_submission_leads_to_the_run_that_waits_or_runs(backend: Backend, owner_id: int) -> None:
    first = order(backend, owner_id, "sort")
    assert first.existing is None
    for same_again in ({"names": ["a", "b"]}, {"size": 3}):
        found = order(backend, owner_id, "sort", **same_again)
        assert (found.run.id, found.existing) == (first.run.id, Existing.UNIQUE)
    assert order(backend, owner_id, "sort", size=4).existing is None
    assert order(backend, make_owner(backend, "other@example.com"), "sort").existing is None
    held = take(backend)
    assert order(backend, owner_id, "sort").run.id == held.id == first.run.id
    lease.succeed(backend.database, held, None)
    assert order(backend, owner_id, "sort").existing is None


def test_many_at_the_same_time_lead_to_one_run(backend: Backend, owner_id: int) -> None:
    found, together = list[Submitted](), threading.Barrier(6)

    def one() -> None:
        together.wait()
        found.append(order(backend, owner_id, "sort"))

    threads = [threading.Thread(target=one) for _each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.run.id for one in found}) == 1
    assert sorted(str(one.existing) for one in found) == ["None", *["unique"] * 5]


def test_the_index_keeps_out_what_two_submissions_did_not_see(
    backend: Backend, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one looks before the first one has committed."""
    first = order(backend, owner_id, "sort")
    looks = iter([None, Submitted(first.run, Existing.UNIQUE)])
    monkeypatch.setattr(same, "found", lambda *_given: next(looks))
    assert order(backend, owner_id, "sort").run.id == first.run.id


def test_a_run_is_not_run_again_beside_the_same_one(backend: Backend, owner_id: int) -> None:
    first = order(backend, owner_id, "sort").run
    lease.fail(backend.database, take(backend), Failure("Error", "no"))
    second = order(backend, owner_id, "sort").run
    with pytest.raises(Conflict, match="Another run with these parameters"):
        retry(backend, owner_id, read(backend, first))
    cancel(backend, owner_id, second.id)
    assert retry(backend, owner_id, read(backend, first)).id == first.id


def test_a_key_and_a_webhook_hold_for_the_run_that_they_lead_to(backend: Backend, owner_id: int) -> None:
    first = order(backend, owner_id, "sort").run
    keyed = Asked(key="one")
    assert [order(backend, owner_id, "sort", keyed).existing for _each in range(2)] == [Existing.UNIQUE, Existing.KEY]
    later = Asked(key="two", due_at=utcnow() + timedelta(hours=1))
    assert {order(backend, owner_id, "sort", later).run.id for _each in range(2)} == {first.id}
    told = Asked(webhook=WebhookAsked("https://example.com/hook", "whsec_" + "a" * 32))
    assert order(backend, owner_id, "sort", told).run.id == first.id
    assert webhooks.url_for_run(backend.database, first.id) == "https://example.com/hook"


def finished(backend: Backend, owner_id: int, name: str = "count", **given: Any) -> Run:
    run = order(backend, owner_id, name, **given).run
    lease.succeed(backend.database, take(backend), "the result")
    return run


def test_a_result_is_used_again_by_its_owner(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id, "count").run
    assert order(backend, owner_id, "count").existing is None, "there is no result yet"
    for _each in range(2):
        lease.succeed(backend.database, take(backend), "the result")
    found = order(backend, owner_id, "count", names={"a", "b"})
    assert (found.existing, found.run.result) == (Existing.REUSE, "the result")
    assert found.run.id == run.id + 1, "the newest one"
    assert order(backend, owner_id, "count", size=4).existing is None
    assert order(backend, make_owner(backend, "other@example.com"), "count").existing is None
    assert order(backend, owner_id, "count", Asked(anyway=True)).existing is None
    assert retry(backend, owner_id, read(backend, run)).id > run.id, "to run again is to ask for it"


def test_a_result_is_not_used_again_when_it_is_too_old_or_has_failed_or_the_code_is_another(
    backend: Backend, owner_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(backend, owner_id)
    assert order(backend, owner_id, "count").run.id == run.id
    with monkeypatch.context() as patch:
        patch.setattr(same, "code_version", lambda _path: "another 0123")
        assert order(backend, owner_id, "count").existing is None
        patch.setattr(same, "code_version", lambda _path: "")
        assert order(backend, owner_id, "count").existing is None
    for values in ({"ended_at": utcnow() - timedelta(days=7, seconds=1)}, {"state": State.FAILED}):
        with backend.database.write() as session:
            session.execute(update(Run).where(Run.id == run.id).values(ended_at=utcnow(), state=State.SUCCEEDED))
            session.execute(update(Run).where(Run.id == run.id).values(**values))
        assert order(backend, owner_id, "count").existing is None


def definition(function: Any) -> Task:
    found: Task = function.__dict__["__task__"]
    return found


def test_what_has_no_form_that_can_be_compared_is_never_the_same(backend: Backend, owner_id: int) -> None:
    class Odd:
        pass

    class Model(BaseModel, arbitrary_types_allowed=True):
        value: Any

    for value in (Odd(), float("nan"), {"deep": [Odd()]}):
        assert digest("task", Model(value=value)) is None
    run = Run(task="sort", owner_id=owner_id, parameters={})
    same.mark(run, replace(definition(sort), reuse=timedelta(1)), Model(value=Odd()))
    assert (run.unique_key, run.reuse_key) == (None, None)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"a", "b", "c"}, {"c", "b", "a"}, True),
        ({"x": 1, "y": [1, 2]}, {"y": [1, 2], "x": 1}, True),
        ([1, 2], [2, 1], False),
        ("1", 1, False),
        (Inner(), Inner(number=Decimal(2)), False),
        (Colour.RED, "red", True),
        (None, "", False),
        (file("a"), file("a"), True),
        (file("a"), file("b"), False),
    ],
)
def test_parameters_are_the_same_if_their_values_are(one: Any, other: Any, is_same: bool) -> None:
    class Model(BaseModel):
        value: Any

    digests = [digest("task", Model(value=value)) for value in (one, other)]
    assert None not in digests
    assert (digests[0] == digests[1]) == is_same
    assert digest("other", Model(value=one)) != digests[0]


@pytest.mark.parametrize(
    ("options", "takes", "words"),
    [
        ({"unique": "owner"}, int, "'unique' must be \"parameters\""),
        ({"reuse": 7}, int, "'reuse' must be a positive timedelta"),
        ({"reuse": timedelta()}, int, "'reuse' must be a positive timedelta"),
        ({"unique": "parameters"}, SecretStr, "'unique' cannot be combined with secret parameters"),
        ({"reuse": timedelta(1)}, SecretStr, "'reuse' cannot be combined with secrets"),
        ({"reuse": timedelta(1)}, Secrets, "'reuse' cannot be combined with secrets"),
        ({"reuse": timedelta(1)}, User, "'reuse' cannot be combined with a User"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_the_task_file(options: Any, takes: Any, words: str) -> None:
    def work(given: Any) -> None: ...

    work.__annotations__["given"] = takes
    with pytest.raises(TaskError, match=words):
        task(**options)(work)
