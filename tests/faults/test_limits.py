"""Tasks that go beyond every limit: their run ends with a reason, and the next one runs."""

import pytest

from jobs.runs.run import Run, State
from tests.faults.audit import claims
from tests.faults.harness import Harness
from tests.faults.scale import scale

LATE_SECONDS = 5.0
TURNS = scale(10, 1)


def check_that_the_pool_works(harness: Harness) -> None:
    run = harness.await_end(harness.submit())
    assert (run.state, harness.times(run)) == (State.SUCCEEDED, (1, 1))
    harness.check()


def ended(harness: Harness, task: str, **parameters: object) -> Run:
    return harness.await_end(harness.submit(task, **parameters))


def test_a_task_that_swallows_everything_ends_soon_after_its_time(running: Harness) -> None:
    for _ in range(TURNS):
        run = ended(running, "swallow")
        assert (run.state, run.error_kind) == (State.FAILED, "Timeout")
        assert run.error_message == "Timed out after 2 s."
        assert 2.0 <= (run.seconds or 0) <= 2.0 + LATE_SECONDS
    check_that_the_pool_works(running)


@pytest.mark.parametrize("lease_seconds", [2])
def test_a_task_that_lets_no_other_thread_run_keeps_its_lease(harness: Harness, lease_seconds: int) -> None:
    harness.open_pool(2)
    run = ended(harness, "hold", seconds=4 * lease_seconds)
    assert (run.state, run.attempt, run.losses) == (State.SUCCEEDED, 1, 0)
    assert (harness.times(run), claims(harness.backend.database)[run.id]) == ((1, 1), 1)
    assert (run.seconds or 0) > 3 * lease_seconds
    check_that_the_pool_works(harness)


def test_a_task_that_takes_memory_without_end_fails(running: Harness) -> None:
    for _ in range(TURNS):
        run = ended(running, "gobble")
        assert (run.state, run.error_kind) == (State.FAILED, "OutOfMemory")
        assert "100 MB" in (run.error_message or "")
    check_that_the_pool_works(running)


@pytest.mark.parametrize("code", [0, 1, 70])
def test_a_task_that_ends_its_process_fails_and_says_how(running: Harness, code: int) -> None:
    run = ended(running, "leave", code=code)
    assert (run.state, run.error_kind, run.attempt) == (State.FAILED, "ProcessKilled", 1)
    assert f"exited with code {code} " in (run.error_message or "")
    check_that_the_pool_works(running)


@pytest.mark.parametrize(("what", "named"), [("object", "object"), ("50 MB", "the limit is 1,000,000 bytes")])
def test_a_result_that_cannot_be_kept_fails_and_is_named(running: Harness, what: str, named: str) -> None:
    run = ended(running, "give", what=what)
    assert (run.state, run.error_kind, run.attempt) == (State.FAILED, "ResultError", 1)
    assert named in (run.error_message or "")
    check_that_the_pool_works(running)


@pytest.mark.parametrize("what", ["surrogate", "key", "deep"])
def test_a_result_that_is_kept_in_part_says_what_was_changed(running: Harness, what: str) -> None:
    run = ended(running, "give", what=what)
    assert (run.state, run.attempt) == (State.SUCCEEDED, 1)
    assert run.notes
    check_that_the_pool_works(running)
