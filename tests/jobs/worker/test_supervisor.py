"""The supervisor: workers that are ready before the first run."""

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs.authoring.catalog import Catalog
from jobs.runs.backend import Backend
from jobs.runs.heartbeats import WorkerRow
from jobs.worker import attempt
from tests.support.serving import serving
from tests.support.waiting import until


def test_workers_without_tasks_are_prepared_once(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, warm_up = tmp_path / "prepared", attempt.warm_up

    def noted(backend: Backend) -> None:
        with prepared.open("a") as file:
            file.write("once ")
        warm_up(backend)

    def pids() -> set[int]:
        with backend.database.read() as session:
            return set(session.scalars(select(WorkerRow.pid)))

    monkeypatch.setattr(attempt, "warm_up", noted)
    with serving(backend.settings, Catalog({})):
        (first,) = pids()
        os.kill(first, signal.SIGKILL)
        until(lambda: pids() - {first}, "the next worker")
    assert prepared.read_text() == "once "
