"""The web process while the database is locked or full: it answers, reports what it could not save, and goes on."""

import resource
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil
import pytest
from sqlalchemy import select

from jobs.runs.backend import Backend
from jobs.runs.run import Run, State
from tests.faults.locking import locked
from tests.support.person import Person
from tests.support.stack import Stack
from tests.support.waiting import until

pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("serving"), LEASE_SECONDS="4") as running:
        yield running


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    one = stack.backend()
    yield one
    one.database.engine.dispose()


def runs(backend: Backend, since: int = 0) -> list[Run]:
    """Return the runs from this one on."""
    with backend.database.read() as session:
        return list(session.scalars(select(Run).where(Run.id >= since).order_by(Run.id)))


def all_ended(backend: Backend) -> bool:
    return all(run.state.ended for run in runs(backend))


def test_while_another_process_writes_pages_are_read_and_submits_wait_their_turn(
    stack: Stack, backend: Backend
) -> None:
    ada = Person(stack.url, "ada@example.com")
    before = ada.submit("reverse_text", text="before")
    until(lambda: all_ended(backend), "the run before")
    count = 20
    with ThreadPoolExecutor(count) as many, locked(stack.data_dir / "dumbwaiter.db") as holder:
        submits = [many.submit(ada.submit, "reverse_text", text="meanwhile") for _ in range(count)]
        for _ in range(3):
            assert ada.get("/healthz").text
            assert ada.get("/runs").select_one(f"#run-{before}")
        early = [submit.exception() or submit.result() for submit in submits if submit.done()]
        assert holder.is_alive(), "all of that was answered while the lock was held"
        assert early == []
        accepted = [submit.result() for submit in submits]
    until(lambda: all_ended(backend), "the end of every run")
    assert sorted([before, *accepted]) == [run.id for run in runs(backend, before)]
    assert {(run.state, run.attempt) for run in runs(backend, before)} == {(State.SUCCEEDED, 1)}


@contextmanager
def full_disk(stack: Stack) -> Iterator[None]:
    """No process can make any file longer, as when the disk is full; what is there can be read."""
    everybody = psutil.Process(stack.process.pid).children(recursive=True)
    writers = [one for one in everybody if "valkey" not in one.name()]
    for one in writers:
        one.rlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for one in [*writers, *psutil.Process(stack.process.pid).children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_submit_that_could_not_be_kept_says_so_and_leaves_nothing_behind(stack: Stack, backend: Backend) -> None:
    ada = Person(stack.url, "ada.again@example.com")
    accepted = [ada.submit("reverse_text", text="before")]
    until(lambda: all_ended(backend), "the run before")
    with full_disk(stack):
        for _ in range(3):
            with pytest.raises(urllib.error.HTTPError) as refused:
                ada.submit("reverse_text", text="not kept")
            assert refused.value.code == 503
            assert "not been saved" in refused.value.read().decode()
        assert ada.get("/runs").select_one(f"#run-{accepted[0]}"), "what is there can be read"
        assert [run.id for run in runs(backend, accepted[0])] == accepted
    accepted += [ada.submit("reverse_text", text="after") for _ in range(3)]
    until(lambda: all_ended(backend), "the end of every run")
    assert [run.id for run in runs(backend, accepted[0])] == accepted
    assert {run.state for run in runs(backend, accepted[0])} == {State.SUCCEEDED}
