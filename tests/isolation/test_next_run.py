"""Nothing of a run reaches the next one, which is another user's."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.runs.checkpoints import load
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import State
from tests.isolation.conftest import TOKEN, OneWorker
from tests.support.waiting import until

CLEAN: dict[str, Any] = {
    "token": None,
    "folder": [],
    "umask": 0o022,
    "precision": 28,
    "recursion": 1000,
    "socket": None,
    "logging": 0,
    "handlers": 1,
    "alarm": 0,
    "alarm's handler": True,
    "terminate": True,
    "interrupt": True,
    "sum": 3,
    "threads": 1,
    "kept": [],
    "mask": [],
}


def test_what_a_run_changes_of_its_process_the_next_one_does_not_see(worker: OneWorker) -> None:
    first = worker.run("look").result
    assert {name: first[name] for name in CLEAN} == CLEAN
    assert worker.run("spoil", token=TOKEN).result == "spoilt"
    for _ in range(3):
        assert worker.run("look").result == first


def test_every_run_draws_its_own_numbers(worker: OneWorker) -> None:
    drawn = [number for _ in range(5) for number in worker.run("draw").result]
    assert len(set(drawn)) == 15


@pytest.mark.parametrize("how", ["return", "raise", "wait"])
def test_a_run_that_forks_has_its_own_outcome_and_so_have_the_next_six(worker: OneWorker, how: str) -> None:
    forked = worker.submit("fork", how=how)
    others = [worker.submit("report", word=f"word{number}") for number in range(6)]
    assert (worker.ended(forked).state, worker.ended(forked).result) == (State.SUCCEEDED, "the parent")
    for number, other in enumerate(others):
        result = worker.ended(other).result
        assert (result["before"], result["file"]["$file"]["name"]) == (None, f"word{number}.txt")
        assert worker.lines(other) == worker.lines(other, OutputKind.EMITTED) == [f"word{number}"]


def test_a_thread_that_is_left_behind_reaches_no_run_and_holds_up_nobody(worker: OneWorker, tmp_path: Path) -> None:
    haunted = worker.submit("haunt", go=str(tmp_path / "go"))
    others = [worker.submit("report", word="mine") for _ in range(3)]
    assert worker.ended(haunted).result == "returned"
    for other in others:
        ended = worker.ended(other)
        assert ended.result["before"] is None
        assert worker.lines(other) == worker.lines(other, OutputKind.EMITTED) == ["mine"]
        assert (load(worker.backend.database, other.id), ended.progress_note) == ("mine", "mine")
    began = worker.ended(others[0]).started_at
    ended_at = worker.ended(haunted).ended_at
    assert began
    assert ended_at
    assert (began - ended_at).total_seconds() < 1.0


def test_what_a_run_writes_into_its_working_directory_is_gone(worker: OneWorker, tmp_path: Path) -> None:
    assert worker.run("write_files", folder=str(tmp_path)).result == "True"
    folder = Path((tmp_path / "cwd").read_text())
    until(lambda: not folder.exists(), "the end of the folder")
    assert worker.run("look").result["folder"] == []
    assert not Path("left.txt").exists()


@pytest.mark.parametrize("how", ["return", "raise", "kill", "time out"])
def test_what_a_run_has_started_ends_with_it_wherever_it_fled(worker: OneWorker, tmp_path: Path, how: str) -> None:
    pids = tmp_path / "pids"
    ended = worker.run("leave_grandchildren", pids=str(pids), how=how)
    assert ended.state is (State.SUCCEEDED if how == "return" else State.FAILED)
    begun = time.monotonic()
    left = [int(pid) for pid in pids.read_text().split()]
    assert len(left) == 3
    until(lambda: not any(map(lives, left)), "the end of what it has started")
    assert time.monotonic() - begun < 5.0, "it takes a second at most, on a machine that is not busy"


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_tasks_see_no_key_of_the_application(worker: OneWorker) -> None:
    seen = worker.run("environment").result
    assert not {name for name in seen if name.startswith(("SECRET_KEY", "DATABASE_", "REDIS_", "AWS_", "PYTEST"))}
    assert seen["PATH"] == os.environ["PATH"]
