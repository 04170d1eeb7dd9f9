"""Workspaces: private, and gone after the attempt, however it ends."""

import multiprocessing
import os
import signal
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs import Progress, User, Workspace, task
from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from jobs.runs.statements import MOST_LOSSES
from jobs.runs.submission import cancel
from jobs.values.outcome import Success
from jobs.worker.workspace import tidy, workspace
from tests.support.calling import called
from tests.support.people import read
from tests.support.serving import catalog_of, ended, kill_worker_of, serving, serving_many, start
from tests.support.waiting import until


@task
def scatter(how: str, seen: str, workspace: Workspace, progress: Progress) -> int:
    """Leave a mess, and end in some way."""
    (workspace / "deep").mkdir()
    (workspace / "deep" / "a.txt").write_text("left over")
    (workspace / "deep").chmod(0)
    Path(seen).write_text(f"{workspace}\n")
    match how:
        case "raise":
            raise ValueError("no")
        case "kill its process":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            while True:
                progress(None, "waiting")
        case "hang":
            while True:
                signal.pause()
    return stat.S_IMODE(workspace.stat().st_mode)


@task
def introduce(user: User) -> tuple[int, str]:
    """Return the id and the address of the owner."""
    return user.id, user.email


@pytest.fixture
def served(backend: Backend) -> Any:
    with serving(backend.settings, catalog_of(scatter, introduce)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Backend]:
    """The same for tests that leave nothing behind."""
    with serving_many(tmp_path_factory.mktemp("shared"), empty_database, catalog_of(scatter, introduce)) as one:
        yield one


def seen(tmp_path: Path) -> Path:
    path = tmp_path / "seen"
    text = until(lambda: path.read_text() if path.exists() else "", "the task's start")
    return Path(text.rstrip())


def scattered(served: Backend, tmp_path: Path, how: str) -> Run:
    return start(served, "scatter", how=how, seen=str(tmp_path / "seen"))


@pytest.mark.parametrize(
    ("how", "state"),
    [("return", State.SUCCEEDED), ("raise", State.FAILED), ("kill its process", State.FAILED)],
)
def test_a_workspace_is_gone_when_its_run_has_ended(shared: Backend, tmp_path: Path, how: str, state: State) -> None:
    run = ended(shared, scattered(shared, tmp_path, how))
    assert run.state is state
    assert seen(tmp_path).parent == shared.workspaces
    until(lambda: not seen(tmp_path).exists(), "the removal of the workspace")
    if how == "return":
        assert run.result == 0o700


@pytest.mark.parametrize("how", ["wait", "hang"])
def test_a_workspace_is_gone_when_its_run_was_stopped(shared: Backend, tmp_path: Path, how: str) -> None:
    run = scattered(shared, tmp_path, how)
    path = seen(tmp_path)
    assert path.exists()
    cancel(shared, run.owner_id, run.id)
    assert ended(shared, run).state is State.CANCELLED
    until(lambda: not path.exists(), "the removal of the workspace")


def _is_gone(path: Path) -> bool:
    return not path.exists()


def test_a_workspace_is_gone_when_its_worker_was_killed(served: Backend, tmp_path: Path) -> None:
    run = scattered(served, tmp_path, "hang")
    for _attempt in range(MOST_LOSSES):
        path = seen(tmp_path)
        (tmp_path / "seen").unlink()
        kill_worker_of(served, run)
        until(partial(_is_gone, path), "the removal of the attempt's workspace")
    until(lambda: read(served, run).state.ended, "the last loss")
    assert read(served, run).losses == MOST_LOSSES
    until(lambda: list(served.workspaces.iterdir()) == [], "the removal of all workspaces")


def test_a_workspace_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    with workspace(tmp_path) as path:
        child = multiprocessing.get_context("fork").Process(target=tidy, args=(tmp_path,))
        child.start()
        child.join()
        assert path.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_in_a_workspace_leads_to_stays(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o755)
    (mine / "a.txt").write_text("kept")
    with workspace(tmp_path / "workspaces") as path:
        (path / "link").symlink_to(mine)
    assert (mine / "a.txt").read_text() == "kept"
    assert stat.S_IMODE(mine.stat().st_mode) == 0o755


def test_tidying_an_absent_folder_does_nothing(tmp_path: Path) -> None:
    tidy(tmp_path / "not there")


def test_a_workspace_that_cannot_be_made_fails_the_run_and_not_the_next_one(served: Backend) -> None:
    ended(served, start(served, "introduce"))
    until(lambda: not list(served.workspaces.iterdir()), "the removal of the workspace")
    served.workspaces.rmdir()
    served.workspaces.write_text("in the way")
    failed = ended(served, start(served, "introduce"))
    served.workspaces.unlink()
    assert (failed.state, failed.error_kind) == (State.FAILED, "NoWorkspace")
    assert "The server could not create the run's workspace" in str(failed.error_message)
    assert ended(served, start(served, "introduce")).state is State.SUCCEEDED


def test_a_task_with_a_workspace_is_a_plain_function_too(tmp_path: Path) -> None:
    said = str(tmp_path / "seen")
    inside = tmp_path / "inside"
    inside.mkdir(mode=0o700)
    assert scatter("return", said, workspace=inside, progress=Progress()) == 0o700


def test_a_task_learns_whose_run_it_is(shared: Backend) -> None:
    run = ended(shared, start(shared, "introduce"))
    assert run.result[0] == run.owner_id
    assert run.result[1].endswith("@example.com")


def test_a_user_can_be_made_for_a_plain_call() -> None:
    assert introduce(User(7, "ada@example.com")) == (7, "ada@example.com")
    assert called(introduce)[0] == Success([0, ""])
