"""TASK_USER: runs are executed as another user, with no way back; the rest of the service stays root."""

import logging
import os
import pwd
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import Download, File, Workspace, task
from jobs.runs.backend import Backend
from jobs.runs.file_ownership import note_uploads
from jobs.runs.run import State
from jobs.runs.submission import submit
from jobs.task_user import TaskUser, UnusableTaskUser, check_task_user, find_task_user
from jobs.values.stored_file import RunFile
from jobs.worker.workspace import workspace
from tests.support.people import make_owner
from tests.support.serving import catalog_of, ended, serving
from tests.support.waiting import until

USER = "nobody"


@task
def look_around(data_dir: str, text: File, workspace: Workspace) -> list[Any]:
    """Try what only root may do, and say what came of it."""

    def tried(what: Callable[[], object]) -> str:
        try:
            return repr(what())
        except OSError as error:
            return type(error).__name__

    copy = workspace / "copy.txt"
    with text.open() as stream:
        copy.write_bytes(stream.read().upper())
    parent = os.getppid()
    attempts = (
        *(lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.kill(parent, 0)),
        *(lambda: os.listdir(data_dir), lambda: Path(f"/proc/{parent}/environ").read_bytes()),
    )
    with open("/dev/stdout", "w") as out:
        out.write("opened by name\n")
    ids = (os.getuid(), os.geteuid(), os.getgid(), stat.S_IMODE(workspace.stat().st_mode), os.environ["HOME"])
    rights = subprocess.run(["grep", "NoNewPrivs", "/proc/self/status"], capture_output=True, text=True)
    return [*map(tried, attempts), rights.stdout.split()[-1], *ids, Download(copy)]


def is_root() -> bool:
    return os.geteuid() == 0


def test_a_run_has_the_rights_of_the_user_and_no_others(backend: Backend) -> None:
    if not is_root():
        refusal = "only root can run tasks as another user"
        with pytest.raises(UnusableTaskUser, match=refusal):
            find_task_user(USER)
        return
    nobody = pwd.getpwnam(USER)
    settings = backend.settings.model_copy(update={"task_user": USER})
    with serving(settings, catalog_of(look_around)) as served:
        owner = make_owner(served)
        text = RunFile(*served.files.put(b"hello"), "a.txt", "text/plain")
        note_uploads(served.database, owner, [text], 10**6)
        model = served.catalog["look_around"].parameters
        reference = {"$file": {"sha256": text.sha256, "size": 5, "name": "a.txt", "media_type": "text/plain"}}
        given = model.model_validate({"data_dir": str(settings.data_dir), "text": reference})
        run = ended(served, submit(served, served.catalog["look_around"], owner, given))
        assert run.state is State.SUCCEEDED, run.error_traceback
        *said, kept = run.result
        ids = [nobody.pw_uid, nobody.pw_uid, nobody.pw_gid, 0o700, nobody.pw_dir]
        assert said == [*6 * ["PermissionError"], "1", *ids]
        with served.files.open(kept["$file"]["sha256"]) as stored:
            assert stored.read() == b"HELLO"
        until(lambda: not list(served.workspaces.iterdir()), "the removal of the workspace")
        served.workspaces.rmdir()


@pytest.mark.parametrize(
    ("name", "words"), [("no-such-user", "there is no user"), ("123456789", "there is no user"), ("0", "not be root")]
)
def test_a_user_that_cannot_be_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(UnusableTaskUser, match=f"TASK_USER.*{words}"):
        find_task_user(name)


def test_a_folder_that_the_user_cannot_import_from_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not is_root():
        with pytest.raises(UnusableTaskUser):
            check_task_user(USER, [tmp_path])
        return
    tmp_path.chmod(0o700)
    with caplog.at_level(logging.WARNING):
        check_task_user(USER, [tmp_path])
    assert f"{USER} cannot read {tmp_path}" in caplog.text


def test_a_folder_of_workspaces_that_somebody_else_made_is_not_used(tmp_path: Path) -> None:
    user = TaskUser(USER, os.geteuid(), os.getegid(), (), "/")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(FileExistsError, match="belongs to another user"), workspace(tmp_path / "link", user):
        pass
