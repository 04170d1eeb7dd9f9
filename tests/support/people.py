"""Owners and runs made directly in the database."""

from typing import Any

from sqlalchemy import update

from config import Settings
from jobs.runs import lease, run_files, turns
from jobs.runs.backend import Backend
from jobs.runs.output_entries import Entry
from jobs.runs.people import Person
from jobs.runs.run import Run, State
from jobs.runs.vault import Vault
from jobs.values.stored_file import RunFile
from jobs.worker import attempt
from jobs.worker.execute import Order
from jobs.worker.execution import ChildEvent, Emitted, Execution, Keep, Open, Save
from jobs.worker.local import execute_in_child, open_file, put_file
from jobs.worker.pending_output import PendingOutput
from jobs.worker.shared_state import ProgressReport
from jobs.worker.workspace import workspace
from webapp.accounts.users import Account


def make_owner(backend: Backend, email: str = "owner@example.com") -> int:
    user = Account(email=email, password_hash="nobody can sign in with this")
    with backend.database.write() as session:
        session.add(user)
    return user.id


def owner_id(backend: Backend, email: str) -> int:
    """Return the id of a registered user."""
    with backend.database.read() as session:
        return session.query(Account).filter(Account.email == email).one().id


def weigh(backend: Backend, owner_id: int, weight: float) -> None:
    with backend.database.write() as session:
        session.execute(update(Person).where(Person.id == owner_id).values(weight=weight))


def make_run(backend: Backend, owner_id: int, task: str = "reverse_text", **values: Any) -> Run:
    run = Run(**{"owner_id": owner_id, "task": task, "parameters": {"text": "hello"}, **values})
    with backend.database.write() as session:
        session.add(run)
        session.flush()
        if run.state is State.QUEUED:
            turns.join(session, [(owner_id, run.id)])
    return run


def claimed(backend: Backend, run: Run) -> Run:
    """Return a run as the worker that claims it holds it."""
    held = lease.claim(backend.database, run.id, "worker")
    assert held is not None
    return held


def read(backend: Backend, run: Run) -> Run:
    return run_of(backend, run.id)


def run_of(backend: Backend, run_id: int) -> Run:
    """Return the run of an id."""
    with backend.database.read() as session:
        return session.get_one(Run, run_id)


def with_key(backend: Backend, key: str, previous: str = "") -> Vault:
    """The vault as it is with another SECRET_KEY."""
    given = {"data_dir": backend.settings.data_dir, "secret_key": key, "secret_key_previous": previous}
    return Vault(backend.database, Settings.model_validate(given))


def note_file(
    backend: Backend, run_id: int, content: bytes, media_type: str = "image/png", name: str = "a.png"
) -> RunFile:
    """A file that a run has stored."""
    file = RunFile(*backend.files.put(content), name, media_type)
    with backend.database.write() as session:
        run_files.add(session, session.get_one(Run, run_id), [file])
    return file


def execute(backend: Backend, run_id: int) -> None:
    """Execute a run as a worker does, in a child of this process."""
    run = attempt.take(backend, "worker") or attempt.take_unknown(backend, "worker")
    if run is None:
        return
    assert run.id == run_id, "another run waits"
    pending = PendingOutput(backend, run)

    def take(child: Execution, event: ChildEvent) -> None:
        match event:
            case Entry():
                pending.add_line(event)
            case Emitted(value):
                pending.emit(value)
            case ProgressReport():
                if progress := child.progress():
                    lease.report(backend.database, run, *progress)
            case Save():
                child.answer(True)
            case Keep(file, start, name, media_type):
                stored = put_file(backend.files, file, start)
                pending.add_file(RunFile(*stored, name, media_type))
                child.answer(list(stored))
            case Open(sha256):
                open_file(backend.files, child, sha256)

    with workspace(None) as folder:
        order = Order(run.task, run.parameters, folder=str(folder))
        outcome = execute_in_child(backend.catalog, order, take, lambda: False)
    attempt.end(backend, run, outcome, pending=pending)
