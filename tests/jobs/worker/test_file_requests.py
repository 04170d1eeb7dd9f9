"""The files that a running task stores and reads while the file store is unavailable."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs import Download, File, task
from jobs.authoring.catalog import Catalog
from jobs.storage.local_store import LocalStore
from jobs.storage.s3_store import Bucket, S3Store
from jobs.storage.store import FileStore
from jobs.values.outcome import Failure, Outcome, Stopped, Success
from jobs.values.stored_file import RunFile, StoreAway
from jobs.worker.execute import Order
from jobs.worker.execution import ChildEvent, Execution, Keep, Open
from jobs.worker.file_requests import FileRequests
from jobs.worker.local import execute_in_child
from jobs.worker.wakeup_pipe import WakeupPipe
from tests.support.objects import KEY, ObjectServer
from tests.support.waiting import PATIENCE_SECONDS


@task
def make() -> Download:
    """Return a file."""
    return Download(b"soup", name="soup.txt")


@task
def read(file: File) -> str:
    """Read a file."""
    with file.open() as stream:
        return stream.read().decode()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """One that has not been started."""
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "objects").mkdir()
    return ObjectServer(tmp_path / "objects")


class Worker:
    """Answers a child's requests as a worker does, and notes the files that were stored."""

    def __init__(self, store: FileStore, may_go_on: Callable[[], bool]) -> None:
        self._wakeup = WakeupPipe()
        self._files = FileRequests(store, self._wakeup)
        self._may_go_on = may_go_on
        self.stored: list[RunFile] = []

    def take(self, child: Execution, heard: ChildEvent) -> None:
        if isinstance(heard, Keep):
            self._files.keep(child, heard, self._may_go_on)
        elif isinstance(heard, Open):
            self._files.open(child, heard)
        else:
            return
        select.select([self._wakeup], [], [])
        self._wakeup.was_woken()
        self.stored += self._files.answer(child)

    def close(self) -> None:
        self._files.close()


@contextmanager
def working(store: FileStore, may_go_on: bool = True) -> Iterator[Worker]:
    worker = Worker(store, lambda: may_go_on)
    try:
        yield worker
    finally:
        worker.close()


def executed(function: Callable[..., object], worker: Worker, stop: bool = False, **parameters: object) -> Outcome:
    found = function.__dict__["__task__"]
    order = Order(found.name, parameters, folder=os.getcwd())
    return execute_in_child(Catalog({found.name: found}), order, worker.take, lambda: stop)


def test_a_file_is_kept_when_its_store_is_back(server: ObjectServer, tmp_path: Path) -> None:
    store = FileStore(server.store(server.bucket(), tmp_path))
    with pytest.raises(StoreAway):
        store.put(b"soup")
    over = threading.Event()

    def come_back() -> None:
        server.start()
        over.wait(PATIENCE_SECONDS)  # the server ends with the thread that has started it

    back = threading.Timer(2.0, come_back)
    back.start()
    try:
        with working(store) as worker:
            assert isinstance(executed(make, worker), Success)
        (file,) = worker.stored
        assert (file.name, file.media_type) == ("soup.txt", "text/plain")
        assert store.open(file.sha256).read() == b"soup"
    finally:
        over.set()
        back.join()
        server.stop()


def test_a_run_that_is_to_end_does_not_wait_for_its_store(server: ObjectServer, tmp_path: Path) -> None:
    away = FileStore(S3Store(Bucket("bucket", "", server.url), tmp_path))
    with working(away, may_go_on=False) as worker:
        assert executed(make, worker, stop=True) == Stopped()
        assert worker.stored == []


def test_a_file_of_the_bucket_is_read_through_the_worker(server: ObjectServer, tmp_path: Path) -> None:
    server.start()
    try:
        store = FileStore(server.store(server.bucket(), tmp_path))
        stored = store.put(b"bread")
        file = File("bread.txt", stored.size, stored.sha256, "text/plain").kept()
        with working(store) as worker:
            assert executed(read, worker, file=file) == Success("bread")
    finally:
        server.stop()


def test_a_file_that_is_not_kept_any_more_is_said_to_be(tmp_path: Path) -> None:
    file = File("bread.txt", 5, "0" * 64, "text/plain").kept()
    with working(FileStore(LocalStore(tmp_path))) as worker:
        outcome = executed(read, worker, file=file)
    assert isinstance(outcome, Failure)
    assert outcome.message == "bread.txt cannot be read: the file has been deleted"
