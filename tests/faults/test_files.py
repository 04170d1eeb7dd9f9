"""Files while processes are killed: what is referred to is there, and what is left behind is found and deleted."""

import multiprocessing
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from jobs.runs.backend import Backend
from jobs.runs.file_cleanup import FileCleanup
from jobs.runs.file_ownership import note_uploads
from jobs.runs.files import FileRow
from jobs.runs.uploads import Upload
from jobs.storage.local_store import LocalStore
from jobs.values.stored_file import RunFile
from tests.conftest import ROOT
from tests.faults import file_work
from tests.faults.file_work import CONTENTS, PLENTY
from tests.faults.scale import scale
from tests.support.people import make_owner
from tests.support.stored_files import A_DAY, AN_HOUR, let_pass, objects_in, strays
from tests.support.waiting import until

KILLS = scale(300, 30)
CONTENT = CONTENTS[0]


@pytest.fixture
def folder(backend: Backend) -> Path:
    return backend.settings.files


def upload(backend: Backend, owner_id: int, content: bytes) -> RunFile:
    file = RunFile(*backend.files.put(content), "a.txt", "text/plain")
    note_uploads(backend.database, owner_id, [file], PLENTY)
    return file


def killed(action: str, moment: str, backend: Backend) -> bool:
    """Run a function in another process, which is killed at a given point."""
    place = backend.settings.database, str(backend.settings.files)
    command = [sys.executable, "-m", "tests.faults.file_work", action, moment, *place]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL


def sweep(backend: Backend) -> None:
    FileCleanup(backend.database, backend.files.objects).sweep()


@pytest.mark.parametrize("moment", ["before_write", "after_write"])
def test_a_writer_that_is_killed_leaves_what_is_swept_and_bars_nobody(
    backend: Backend, folder: Path, moment: str
) -> None:
    assert killed("put", moment, backend)
    assert len(strays(backend.database)) == 1
    let_pass(backend.database, A_DAY)
    owner_id = make_owner(backend)
    file = upload(backend, owner_id, CONTENT)
    sweep(backend)
    assert backend.files.open(file.sha256).read() == CONTENT
    assert (len(objects_in(folder)), strays(backend.database)) == (1, set())


@pytest.mark.parametrize("moment", ["before_delete", "after_delete"])
@pytest.mark.parametrize("again", [False, True], ids=["gone", "put again"])
def test_a_sweeper_that_is_killed_is_succeeded(backend: Backend, folder: Path, moment: str, again: bool) -> None:
    owner_id = make_owner(backend)
    used = upload(backend, owner_id, b"in use")
    backend.files.put(CONTENT)
    let_pass(backend.database, AN_HOUR)
    assert killed("sweep", moment, backend)
    if again:
        backend.files.put(CONTENT)
    sweep(backend)
    assert backend.files.open(used.sha256).read() == b"in use"
    assert (len(objects_in(folder)), strays(backend.database)) == (1 + again, set())


class Troop:
    """Processes that use and clean the store, each with what it does."""

    def __init__(self, backend: Backend) -> None:
        # Forked from a process that has imported everything and is connected to nothing.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([file_work.__name__])
        self._place = backend.settings.database, str(backend.settings.files)
        self._living: list[tuple[Any, Callable[..., None], tuple[int, ...]]] = []

    def start(self, work: Callable[..., None], *arguments: int) -> None:
        process = self._context.Process(target=work, args=(*self._place, *arguments))
        process.start()
        self._living.append((process, work, arguments))

    def replace_one(self) -> None:
        """Kill one of them and start another in its place."""
        process, work, arguments = self._living.pop(random.randrange(len(self._living)))
        self._kill(process)
        self.start(work, *arguments)

    def end(self) -> None:
        for process, _work, _arguments in self._living:
            process.kill()
        for process, _work, _arguments in self._living:
            process.join()

    def _kill(self, process: Any) -> None:
        assert process.is_alive(), "it has failed; its traceback is above"
        process.kill()
        process.join()


def test_processes_that_are_killed_at_any_moment_lose_no_file_and_leave_none(backend: Backend, folder: Path) -> None:
    owners = [make_owner(backend, f"{number}@example.com") for number in range(3)]
    troop = Troop(backend)
    try:
        for owner_id in owners:
            troop.start(file_work.use, owner_id)
        troop.start(file_work.clean)
        until(lambda: objects_in(folder), "the first file")
        for _kill in range(KILLS):
            time.sleep(random.uniform(0.05, 0.3))  # the moment is what is random here
            troop.replace_one()
    finally:
        troop.end()
    with backend.database.read() as session:
        referred = set(session.scalars(select(Upload.sha256)))
    assert all(backend.files.open(sha256).read() in CONTENTS for sha256 in referred)
    let_pass(backend.database, A_DAY)
    sweep(backend)
    while strays(backend.database):
        sweep(backend)
    with backend.database.read() as session:
        assert set(session.scalars(select(FileRow.sha256))) == referred
    assert len(objects_in(folder)) == len(referred)
    with backend.database.write() as session:
        session.execute(delete(Upload))
    sweep(backend)
    assert objects_in(folder) == []
    assert isinstance(backend.files.objects, LocalStore)
