"""Everything that the process of a run writes is in the run's log, however the process ends."""

from pathlib import Path

import pytest

from jobs.runs.run import State
from tests.isolation.conftest import TOKEN, OneWorker
from tests.support.waiting import until

HUNDRED = [f"line {number}" for number in range(100)]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("exit 1", "The process exited with code 1"),
        ("exit 0", "The process exited with code 0"),
        ("segfault", "SIGSEGV"),
        ("kill", "most likely because the machine ran out of memory"),
        ("terminate", "SIGTERM"),
    ],
)
def test_every_line_is_there_after_a_crash(worker: OneWorker, how: str, said: str) -> None:
    run = worker.run("die", how=how)
    assert (run.state, run.error_kind) == (State.FAILED, "ProcessKilled")
    assert said in str(run.error_message)
    lines = worker.lines(run)
    assert lines[:100] == HUNDRED
    assert "the last words" in lines
    assert ("Fatal Python error: Segmentation fault" in "\n".join(lines)) == (how == "segfault")


def test_what_is_written_past_python_is_seen_live_and_without_secrets(worker: OneWorker, tmp_path: Path) -> None:
    run = worker.submit("write_in_every_way", token=TOKEN, go=str(tmp_path / "go"))
    hidden = {"a program", "a shell", "from C", "raw", "a child"}
    until(lambda: hidden <= set(worker.lines(run)) and worker.lines(run).count("•••") == 2, "the lines")
    assert any("write_in_every_way" in line for line in worker.lines(run)), "faulthandler's traceback"
    (tmp_path / "go").touch()
    assert worker.ended(run).result == "written"
    assert not any(TOKEN[:5] in line for line in worker.lines(run))


def test_a_progress_bar_is_one_line_that_is_redrawn(worker: OneWorker, tmp_path: Path) -> None:
    run = worker.submit("redraw", go=str(tmp_path / "go"))
    until(lambda: worker.lines(run) == ["step 9 of 10"], "the line")
    assert worker.finished_lines(run) == []
    (tmp_path / "go").touch()
    until(lambda: worker.finished_lines(run) == ["all done"], "the line with its end")
    assert worker.lines(run) == ["all done"]
    (tmp_path / "go-2").touch()
    assert worker.ended(run).result == "drawn"
    assert worker.lines(run) == ["all done"]


def test_a_line_that_has_no_end_yet_is_shown_after_a_pause(worker: OneWorker, tmp_path: Path) -> None:
    run = worker.submit("begin_a_line", go=str(tmp_path / "go"))
    until(lambda: worker.lines(run) == ["loading"], "its beginning")
    (tmp_path / "go").touch()
    until(lambda: worker.finished_lines(run) == ["loading done"], "its end")
    (tmp_path / "go-2").touch()
    assert worker.ended(run).result == "read"


def test_a_task_that_exceeds_its_memory_fails_and_says_so(worker: OneWorker) -> None:
    run = worker.run("take_much")
    assert (run.state, run.error_kind) == (State.FAILED, "OutOfMemory")
    assert run.error_message == "Out of memory. This task is limited to 5 MB."
