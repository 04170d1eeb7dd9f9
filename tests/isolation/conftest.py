"""One worker that serves the tasks of these tests to several users."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs.runs.backend import Backend
from jobs.runs.output import read_output
from jobs.runs.output_entries import OutputKind
from jobs.runs.run import Run
from jobs.runs.submission import submit
from tests.isolation import kept, tasks, uses
from tests.support.people import make_owner, read
from tests.support.serving import catalog_of, serving_many
from tests.support.waiting import until

FUNCTIONS = {**vars(tasks), **vars(uses), **vars(kept)}
TASKS = catalog_of(*(value for value in FUNCTIONS.values() if hasattr(value, "__task__")))
TOKEN = "correct-horse-battery"


@dataclass
class OneWorker:
    """A backend whose one worker executes what is submitted, in the order of its submission."""

    backend: Backend
    users: int = 0

    def submit(self, name: str, *, token: str = "", **parameters: Any) -> Run:
        """Submit a run for a new user."""
        self.users += 1
        owner_id, task = make_owner(self.backend, f"user{self.users}@example.com"), TASKS[name]
        if token:
            self.backend.vault.put(owner_id, "API_TOKEN", token)
        return submit(self.backend, task, owner_id, task.parameters.model_validate(parameters))

    def ended(self, run: Run) -> Run:
        until(lambda: read(self.backend, run).state.ended, f"the end of {run.task}")
        return read(self.backend, run)

    def run(self, name: str, *, token: str = "", **parameters: Any) -> Run:
        return self.ended(self.submit(name, token=token, **parameters))

    def lines(self, run: Run, kind: OutputKind = OutputKind.LOG) -> list[Any]:
        batches = read_output(self.backend.database, run.id, kind).batches
        return [entry.content for batch in batches for entry in batch.entries]

    def finished_lines(self, run: Run) -> list[Any]:
        batches = read_output(self.backend.database, run.id, OutputKind.LOG).finished
        return [entry.content for batch in batches for entry in batch.entries]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[OneWorker]:
    with serving_many(tmp_path_factory.mktemp("isolation"), empty_database, TASKS) as one:
        yield OneWorker(one)


@pytest.fixture
def worker(served: OneWorker) -> OneWorker:
    """The worker, which has nothing left of the test before."""
    return served
