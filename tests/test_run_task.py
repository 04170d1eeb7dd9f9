"""The fixture for tests of tasks: the real worker, and everything that a task may ask for."""

import os
import stat

import pytest
from pydantic import ValidationError

from jobs import Cancelled, Checkpoint, Emit, FinalFailure, Log, Progress, User, Workspace, task
from jobs.runs.run import State
from tests.support.run_task import RunTask
from tests.support.tasks.reverse_text import reverse_text


@task
def everything(
    word: str,
    *,
    progress: Progress,
    cancelled: Cancelled,
    log: Log,
    emit: Emit,
    checkpoint: Checkpoint,
    workspace: Workspace,
    user: User,
) -> dict[str, object]:
    """Use all that there is to ask for."""
    for letter in progress.track(word, "letter"):
        emit(letter)
    log.warning("a line")
    print("another line")
    checkpoint.save(word)
    (workspace / "a.txt").write_text(word)
    return {
        "cancelled": cancelled(),
        "saved": checkpoint.load(),
        "written": (workspace / "a.txt").read_text(),
        "mode": stat.S_IMODE(workspace.stat().st_mode),
        "user": user.email,
        "process": os.getpid(),
    }


@task
def refuse(word: str) -> None:
    """Fail for good."""
    raise FinalFailure(f"not {word}")


def test_a_run_has_all_that_its_task_asks_for(run_task: RunTask) -> None:
    run = run_task(everything, word="abc")
    assert (run.state, run.error, run.traceback) == (State.SUCCEEDED, None, None)
    assert run.emitted == ["a", "b", "c"]
    assert run.output == ["a line", "another line"]
    assert run.result.pop("process") != os.getpid()
    assert run.result.pop("user").endswith("@example.com")
    assert run.result == {"cancelled": False, "saved": "abc", "written": "abc", "mode": 0o700}


def test_a_run_that_fails_says_why(run_task: RunTask) -> None:
    run = run_task(refuse, word="that")
    assert (run.state, run.result, run.error) == (State.FAILED, None, "FinalFailure: not that")
    assert "in refuse" in str(run.traceback)


def test_a_task_of_the_project_runs_in_the_same_way(run_task: RunTask) -> None:
    assert run_task(reverse_text, text="dish").result == "hsid"


def test_parameters_that_the_form_refuses_are_refused(run_task: RunTask) -> None:
    with pytest.raises(ValidationError):
        run_task(reverse_text, text="")
