"""A task that keeps its process: its runs, and only its, share one, as long as they leave it as they found it."""

from pathlib import Path

import pytest
from pydantic import Secret, SecretStr

from jobs import Secrets, task
from jobs.authoring.task import TaskError
from jobs.runs.run import State
from jobs.runs.submission import cancel
from tests.isolation.conftest import OneWorker
from tests.support.waiting import until


def test_runs_share_the_process_of_their_task_and_no_other_task_gets_it(worker: OneWorker) -> None:
    first = worker.run("remember").result
    other = worker.run("remember_too").result
    between = worker.run("look").result
    second = worker.run("remember").result
    assert (second["pid"], second["runs"]) == (first["pid"], first["runs"] + 1)
    assert worker.run("remember_too").result == other != first["pid"]
    assert between["kept"] == []


def test_each_run_of_a_kept_process_has_its_own_log_and_folder(worker: OneWorker) -> None:
    first, second = (worker.run("remember", how=how) for how in ("write", ""))
    assert [worker.lines(run) for run in (first, second)] == [[f"run {run.result['runs']}"] for run in (first, second)]
    assert second.result["folder"] == []
    assert second.result["pid"] == first.result["pid"]


@pytest.mark.parametrize(
    "how", ["fail", "thread", "child", "handler", "alarm", "umask", "folder", "environment", "exit"]
)
def test_a_process_that_a_run_has_changed_is_not_kept(worker: OneWorker, how: str) -> None:
    before = worker.run("remember").result
    changed = worker.run("remember", how=how)
    assert changed.state is (State.FAILED if how in ("fail", "exit") else State.SUCCEEDED)
    after = worker.run("remember").result
    assert (after["runs"], after["pid"] != before["pid"]) == (1, True)
    until(lambda: not Path(f"/proc/{before['pid']}").exists(), "the end of the process")


def test_a_process_whose_run_was_stopped_is_not_kept(worker: OneWorker) -> None:
    before = worker.run("remember").result
    run = worker.submit("remember", how="hang")
    until(lambda: worker.lines(run), "its start")
    cancel(worker.backend, run.owner_id, run.id)
    assert worker.ended(run).state is State.CANCELLED
    assert worker.run("remember").result["pid"] != before["pid"]


def test_a_task_with_secrets_cannot_keep_its_process() -> None:
    def with_secrets(secrets: Secrets) -> None:
        """Use secrets."""

    def with_a_secret_parameter(token: SecretStr) -> None:
        """Use a secret."""

    def with_secrets_within(tokens: dict[str, list[SecretStr]]) -> None:
        """Use secrets."""

    def with_a_secret_number(pins: list[Secret[int] | None]) -> None:
        """Use a secret."""

    for function in (with_secrets, with_a_secret_parameter, with_secrets_within, with_a_secret_number):
        with pytest.raises(TaskError, match="keep"):
            task(keep=True)(function)
    with pytest.raises(TaskError, match="keep"):
        task(keep="always")(with_secrets)  # type: ignore[call-overload]  # that is what it is about
