"""Tasks use processes and threads of their own in every way there is, and none of them hangs."""

import pytest

from jobs.runs.run import State
from tests.isolation.conftest import OneWorker
from tests.isolation.uses import USES


@pytest.mark.parametrize("kind", USES)
def test_processes_of_a_task_work_and_do_not_hang(worker: OneWorker, kind: str) -> None:
    run = worker.run("use", kind=kind)
    assert (run.state, run.result, run.error_message) == (State.SUCCEEDED, "done", None)
