"""Owners and runs made directly in the database."""

from functools import partial
from typing import Any, BinaryIO

from jobs import run_files, runner
from jobs.backend import Backend
from jobs.perform import Order, perform
from jobs.runs import Run
from jobs.store import RunFile, StoredFile
from jobs.unstored import Unstored
from webapp.users import User


def make_owner(backend: Backend, email: str = "owner@example.com") -> int:
    user = User(email=email, password_hash="nobody can sign in with this")
    with backend.database.write() as session:
        session.add(user)
    return user.id


def owner_id(backend: Backend, email: str) -> int:
    """The id of somebody who has registered."""
    with backend.database.read() as session:
        return session.query(User).filter(User.email == email).one().id


def make_run(backend: Backend, owner_id: int, task: str = "reverse_text", **values: Any) -> Run:
    run = Run(**{"owner_id": owner_id, "task": task, "parameters": {"text": "hello"}, **values})
    with backend.database.write() as session:
        session.add(run)
    return run


def read(backend: Backend, run: Run) -> Run:
    with backend.database.read() as session:
        found = session.get(Run, run.id)
    assert found is not None
    return found


def note_file(
    backend: Backend, run_id: int, content: bytes, media_type: str = "image/png", name: str = "a.png"
) -> RunFile:
    """A file that a run has stored."""
    file = RunFile(*backend.files.put(content), name, media_type)
    with backend.database.write() as session:
        run_files.add(session, session.get_one(Run, run_id), [file])
    return file


class Here:
    """The link of a task that is called in this process."""

    def __init__(self, backend: Backend, run: Run, unstored: Unstored) -> None:
        self.report = partial(runner.report, backend, run)
        self.put_out = unstored.add
        self.open = backend.files.open
        self._files = backend.files
        self._unstored = unstored

    def keep(self, stream: BinaryIO, name: str, media_type: str) -> StoredFile:
        stored = self._files.put(stream)
        self._unstored.add_file(RunFile(*stored, name, media_type))
        return stored

    def save(self, value: Any) -> None:
        """Checkpoints are kept by workers."""

    def stop_requested(self) -> bool:
        return False


def execute(backend: Backend, run_id: int) -> None:
    """See a run through as a worker does, with its task called in this process."""
    run = runner.take(backend, run_id, "worker")
    if run is None:
        return
    unstored = Unstored(backend, run)
    outcome = perform(backend.catalog, Order(run.task, run.parameters), Here(backend, run, unstored))
    runner.end(backend, run, outcome, unstored=unstored)
