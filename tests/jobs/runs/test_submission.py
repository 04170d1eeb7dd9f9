"""Submitting: the row first, then the wake-up; and the sweeper for what got lost between."""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field
from sqlalchemy import update

from jobs import task
from jobs.authoring.task import TaskError
from jobs.runs import events, lease
from jobs.runs.asked import Asked
from jobs.runs.backend import Backend, open_backend
from jobs.runs.caps import TooManyRuns
from jobs.runs.idempotency import Reused
from jobs.runs.queue import DISPATCHER
from jobs.runs.run import Run, State
from jobs.runs.submission import Conflict, cancel, retry, submit, submit_once
from jobs.worker import attempt
from tests.support.people import claimed, make_owner, make_run, read


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


def order(backend: Backend, owner_id: int, text: str = "hello") -> Run:
    task = backend.catalog["reverse_text"]
    return submit(backend, task, owner_id, task.parameters.model_validate({"text": text}))


@pytest.fixture
def without_redis(backend: Backend, tmp_path: Path) -> Backend:
    """The same database, and a Redis that is away."""
    settings = backend.settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"})
    return open_backend(settings, backend.catalog)


def test_a_job_names_one_dispatcher_and_carries_only_the_id(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id, "a secret text")
    (job,) = backend.queue.get_jobs()
    assert (job.func_name, job.args, job.kwargs) == (DISPATCHER, [run.id], {})
    assert (job.id, job.description) == (f"run-{run.id}-1", "a run")
    assert b"secret" not in b"".join(backend.redis.dump(key) or b"" for key in backend.redis.keys("*"))


def test_the_owner_hears_of_it_and_nobody_else(backend: Backend, owner_id: int) -> None:
    pubsub = backend.redis.pubsub(ignore_subscribe_messages=True)
    pubsub.psubscribe("dumbwaiter:owner:*")
    pubsub.get_message(timeout=5)
    run = order(backend, owner_id)
    message = pubsub.get_message(timeout=5)
    assert message["channel"].decode() == events.channel(owner_id)
    assert json.loads(message["data"]) == {"run": run.id, "version": 1}


def test_a_submit_while_redis_is_away_is_kept(without_redis: Backend, owner_id: int) -> None:
    assert read(without_redis, order(without_redis, owner_id)).state is State.QUEUED


def test_a_submit_that_redis_did_not_take_says_so(without_redis: Backend, owner_id: int) -> None:
    run = order(without_redis, owner_id)
    assert (run.version, run.push_failed_at is not None) == (2, True)
    assert read(without_redis, run).push_failed_at is not None


def test_cancelling_a_run_that_has_started_asks_for_its_end_once(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id)
    claimed(backend, run)
    for _click in range(5):
        cancel(backend, owner_id, run.id)
    assert read(backend, run).stopping
    assert read(backend, run).version == 3


def test_cancelling_a_cancelled_run_changes_nothing(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id)
    for _click in range(5):
        cancel(backend, owner_id, run.id)
    assert (read(backend, run).state, read(backend, run).version) == (State.CANCELLED, 2)


def test_cancelling_a_run_that_has_ended_is_a_conflict(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id)
    lease.succeed(backend.database, claimed(backend, run), "olleh")
    with pytest.raises(Conflict):
        cancel(backend, owner_id, run.id)


def test_a_stop_without_redis_is_kept_in_the_row(without_redis: Backend, owner_id: int) -> None:
    run = order(without_redis, owner_id)
    claimed(without_redis, run)
    cancel(without_redis, owner_id, run.id)
    assert read(without_redis, run).stopping


def test_running_a_failed_run_again_is_its_next_attempt(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id)
    cancel(backend, owner_id, run.id)
    again = retry(backend, owner_id, read(backend, run))
    assert (again.id, again.attempt, again.state) == (run.id, 2, State.QUEUED)
    assert f"run-{run.id}-2" in backend.queue.get_job_ids()


def test_running_a_succeeded_run_again_keeps_its_result(backend: Backend, owner_id: int) -> None:
    run = order(backend, owner_id)
    lease.succeed(backend.database, claimed(backend, run), "olleh")
    again = retry(backend, owner_id, read(backend, run))
    assert again.id != run.id
    assert again.parameters == run.parameters
    assert read(backend, run).result == "olleh"


def test_running_a_run_again_that_has_not_ended_is_a_conflict(backend: Backend, owner_id: int) -> None:
    with pytest.raises(Conflict):
        retry(backend, owner_id, order(backend, owner_id))


@task
def tenfold(number: Annotated[int, Field(le=100), AfterValidator(lambda number: number * 10)]) -> int:
    """Change what was entered."""
    return number


def test_a_task_whose_validators_change_values_is_refused(backend: Backend, owner_id: int) -> None:
    definition = tenfold.__dict__["__task__"]
    for number in (5, 50):
        with pytest.raises(TaskError, match=r"test_submission\.py:\d+: task 'tenfold': its validators"):
            submit(backend, definition, owner_id, definition.parameters.model_validate({"number": number}))


def test_a_user_has_no_more_runs_waiting_than_allowed(backend: Backend) -> None:
    few = replace(backend, settings=backend.settings.model_copy(update={"user_queued_runs": 2}))
    ada, ben = make_owner(backend), make_owner(backend, "ben@example.com")
    first, second = order(few, ada), order(few, ada)
    with pytest.raises(TooManyRuns, match="You have 2 runs waiting"):
        order(few, ada)
    order(few, ben)
    cancel(few, ada, first.id)
    order(few, ada)
    with pytest.raises(TooManyRuns):
        retry(few, ada, read(backend, first))
    assert read(backend, second).state is State.QUEUED


numbers = count()


@task
def draw(
    colours: set[str], seed: Annotated[int, Field(default_factory=lambda: next(numbers))], size: int = 3
) -> None: ...


def once(backend: Backend, owner_id: int, **given: Any) -> tuple[int, bool]:
    drawn = draw.__dict__["__task__"]
    run, existing = submit_once(backend, drawn, owner_id, drawn.parameters.model_validate(given), Asked("one", given))
    return run.id, existing is None


def test_a_set_in_another_order_and_a_new_default_are_the_same_submission(backend: Backend, owner_id: int) -> None:
    first, created = once(backend, owner_id, colours={"red", "green"})
    assert created
    for order_of_another_process in (["red", "green"], ["green", "red"]):
        with backend.database.write() as session:
            stored = {"colours": order_of_another_process, "seed": 0, "size": 3}
            session.execute(update(Run).where(Run.id == first).values(parameters=stored))
        assert once(backend, owner_id, colours={"red", "green"}) == (first, False)


@pytest.mark.parametrize(
    ("other", "name"), [({"colours": {"blue"}}, "colours"), ({"seed": -1}, "seed"), ({"size": 4}, "size")]
)
def test_another_value_with_the_same_key_is_refused(
    backend: Backend, owner_id: int, other: dict[str, Any], name: str
) -> None:
    once(backend, owner_id, colours={"red"})
    with pytest.raises(Reused) as refused:
        once(backend, owner_id, **{"colours": {"red"}, **other})
    assert refused.value.parameter == name


def test_a_key_whose_task_has_changed_still_starts_nothing_twice(backend: Backend, owner_id: int) -> None:
    first, _created = once(backend, owner_id, colours={"red"})
    with backend.database.write() as session:
        session.execute(update(Run).where(Run.id == first).values(parameters={"shape": "round"}))
    assert once(backend, owner_id, colours={"red"}) == (first, False)


def test_a_run_that_is_run_again_is_claimed_without_a_sweep(backend: Backend, owner_id: int) -> None:
    failed = make_run(backend, owner_id, state=State.FAILED)
    assert attempt.take(backend, "worker") is None
    again = retry(backend, owner_id, failed)
    taken = attempt.take(backend, "worker")
    assert taken
    assert taken.id == again.id == failed.id
