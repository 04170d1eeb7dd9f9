"""Owners and runs made directly in the database."""

from typing import Any

from jobs import Backend, Run, runner
from jobs.outcome import Outcome
from jobs.perform import perform
from jobs.reporter import Reporter
from jobs.runner import Report
from webapp.users import User


def make_owner(backend: Backend, email: str = "owner@example.com") -> int:
    user = User(email=email, password_hash="nobody can sign in with this")
    with backend.database.write() as session:
        session.add(user)
    return user.id


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


def execute(backend: Backend, run_id: int) -> None:
    """See a run through as a worker does, with its task called in this process."""

    def here(run: Run, report: Report) -> Outcome:
        return perform(backend.catalog, run.task, run.parameters, Reporter(report, per_second=10))

    runner.attend(backend, run_id, "worker", here)
