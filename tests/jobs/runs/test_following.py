"""Runs that follow another one: after its success, with its result, and never after anything else."""

from datetime import timedelta

import pytest

from jobs.authoring.partial_parameters import without
from jobs.runs import lease, usage
from jobs.runs.asked import After, Asked, NoSuchRun, OtherOption
from jobs.runs.backend import Backend
from jobs.runs.deletion import delete_run
from jobs.runs.lease import Claim
from jobs.runs.run import Run, State
from jobs.runs.run_files import owned_file
from jobs.runs.submission import cancel, retry, submit_once
from jobs.storage.database import utcnow
from jobs.values.outcome import Failure
from jobs.worker.sweeper import Sweeper
from tests.support.people import execute, make_owner, make_run, note_file, read


@pytest.fixture
def owner_id(backend: Backend) -> int:
    return make_owner(backend)


@pytest.fixture
def sweeper(backend: Backend) -> Sweeper:
    sweeper = Sweeper(backend)
    sweeper.sweep()
    return sweeper


def order(backend: Backend, owner_id: int, after: Run, into: str | None = "text", key: str | None = None) -> Run:
    task = backend.catalog["reverse_text"]
    if into:
        task = without(task, into)
    parameters = task.parameters.model_validate({} if into else {"text": "abc"})
    return submit_once(backend, task, owner_id, parameters, Asked(key, after=After(after.id, into))).run


def succeed(backend: Backend, result: object) -> int:
    """Claim the next run as a worker, end it with success, and return its id."""
    run = lease.claim_next(backend.database, Claim("worker", backend.tasks, backend.durations))
    assert run
    assert lease.succeed(backend.database, run, result)
    return run.id


def states(backend: Backend, *runs: Run) -> list[tuple[State, str | None]]:
    return [(run.state, run.error_message) for run in (read(backend, one) for one in runs)]


def test_a_run_takes_the_result_of_the_one_that_it_follows(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first = make_run(backend, owner_id)
    second = order(backend, owner_id, first)
    third = order(backend, owner_id, second)
    bytes_before = kept(backend, owner_id)
    sweeper.sweep()
    assert succeed(backend, "the first result") == first.id
    assert lease.claim_next(backend.database, Claim("worker", backend.tasks, backend.durations)) is None
    sweeper.turn()
    assert f"run-{second.id}-1" in backend.queue.job_ids
    assert (read(backend, second).parameters, read(backend, second).due_at) == ({"text": "the first result"}, None)
    assert kept(backend, owner_id) > bytes_before
    execute(backend, second.id)
    assert read(backend, second).result == "tluser tsrif eht"
    sweeper.turn()
    execute(backend, third.id)
    assert read(backend, third).result == "the first result"
    assert kept(backend, owner_id) >= 0


def kept(backend: Backend, owner_id: int) -> int:
    with backend.database.read() as session:
        return usage.used(session, owner_id).kept_bytes


def test_a_file_of_the_result_belongs_to_both(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first, task = make_run(backend, owner_id), without(backend.catalog["count_words"], "texts")
    asked = Asked(after=After(first.id, "texts"))
    kept, lost = (
        submit_once(backend, task, owner_id, task.parameters.model_validate({}), one).run
        for one in (asked, Asked(after=After(make_run(backend, owner_id).id, "texts")))
    )
    file = note_file(backend, first.id, b"a word", "text/plain", "a.txt")
    for result in ([{"$file": file._asdict()}], [{"$file": {**file._asdict(), "sha256": "f" * 64}}]):
        succeed(backend, result)
    sweeper.turn()
    assert read(backend, kept).input_bytes == file.size
    with backend.database.read() as session:
        assert owned_file(session, owner_id, kept.id, file.sha256)
    earlier = read(backend, lost).after_id
    words = f"A file in the result of run {earlier}, which this run was to follow, is no longer stored."
    assert states(backend, lost) == [(State.FAILED, words)]


def test_a_result_that_is_no_such_parameter_fails_the_run(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first = make_run(backend, owner_id)
    second = order(backend, owner_id, first)
    succeed(backend, {"not": "a text"})
    sweeper.turn()
    execute(backend, second.id)
    (state, message), *_ = states(backend, second)
    assert state is State.FAILED
    assert message
    assert "text" in message


def test_a_chain_fails_and_is_cancelled_with_its_first_run(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    for end, state, verb in (("fail", State.FAILED, "failed"), ("cancel", State.CANCELLED, "was cancelled")):
        first = make_run(backend, owner_id)
        second = order(backend, owner_id, first, None)
        third = order(backend, owner_id, second, None)
        if end == "fail":
            held = lease.claim(backend.database, first.id, "worker")
            assert held
            lease.fail(backend.database, held, Failure("Error", "it broke"))
        else:
            cancel(backend, owner_id, first.id)
        sweeper.turn()
        said = [f"Run {one.id}, which this run was to follow, {verb}." for one in (first, second)]
        assert states(backend, second, third) == [(state, words) for words in said]


def test_a_run_that_is_tried_again_is_still_followed(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first = make_run(backend, owner_id)
    second = order(backend, owner_id, first)
    held = lease.claim(backend.database, first.id, "worker")
    assert held
    lease.postpone(backend.database, held, Failure("Error", "once"), 0)
    sweeper.sweep()
    assert read(backend, second).awaited_id == first.id
    succeed(backend, "at last")
    sweeper.turn()
    assert succeed(backend, None) == second.id


def test_the_one_that_was_to_come_first_is_deleted(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first = make_run(backend, owner_id)
    second = order(backend, owner_id, first)
    succeed(backend, "lost")
    delete_run(backend, owner_id, first.id)
    sweeper.turn()
    assert states(backend, second) == [(State.FAILED, f"Run {first.id}, which this run was to follow, was deleted.")]


def test_a_run_that_is_run_again_waits_again_unless_it_has_the_result(
    backend: Backend, owner_id: int, sweeper: Sweeper
) -> None:
    first = make_run(backend, owner_id)
    second = order(backend, owner_id, first)
    cancel(backend, owner_id, second.id)
    retry(backend, owner_id, read(backend, second))
    assert read(backend, second).awaited_id == first.id
    assert succeed(backend, "first") == first.id
    sweeper.turn()
    cancel(backend, owner_id, second.id)
    delete_run(backend, owner_id, first.id)
    retry(backend, owner_id, read(backend, second))
    sweeper.turn()
    assert succeed(backend, None) == second.id
    assert read(backend, second).parameters == {"text": "first"}


def test_a_run_may_follow_one_and_start_later(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first, later = make_run(backend, owner_id), utcnow() + timedelta(hours=1)
    task = backend.catalog["reverse_text"]
    asked = Asked(due_at=later, after=After(first.id))
    run = submit_once(backend, task, owner_id, task.parameters.model_validate({"text": "abc"}), asked).run
    succeed(backend, None)
    sweeper.turn()
    assert read(backend, run).is_scheduled
    assert read(backend, run).due_at == later


def test_only_ones_own_runs_are_followed(backend: Backend, owner_id: int) -> None:
    other = make_run(backend, make_owner(backend, "other@example.com"))
    for nobody in (other, Run(id=2**60)):
        with pytest.raises(NoSuchRun):
            order(backend, owner_id, nobody)


def test_a_key_covers_what_is_followed(backend: Backend, owner_id: int, sweeper: Sweeper) -> None:
    first, other = make_run(backend, owner_id), make_run(backend, owner_id)
    run = order(backend, owner_id, first, key="key")
    with pytest.raises(OtherOption, match="due_at or after"):
        order(backend, owner_id, other, key="key")
    succeed(backend, "done")
    sweeper.turn()
    assert order(backend, owner_id, first, key="key").id == run.id


def test_a_task_without_one_of_its_parameters_keeps_the_rules_of_the_others(backend: Backend) -> None:
    task = backend.catalog["random_number"]
    with pytest.raises(LookupError):
        without(task, "none")
    only = without(task, "minimum")
    assert only is not task
    assert without(task, "minimum").parameters is only.parameters
    assert list(only.parameters.model_fields) == ["maximum"]
    with pytest.raises(ValueError, match="Extra inputs"):
        only.parameters.model_validate({"minimum": 1})
    long = without(backend.catalog["count_words"], "texts")
    with pytest.raises(ValueError, match="most"):
        long.parameters.model_validate({"most": -1})
