"""What a running task makes, and a file store that is away meanwhile."""

import io
import threading
from multiprocessing import Pipe
from pathlib import Path

import pytest

from jobs.context import StopRun
from jobs.link import FLAGS, STOP, PipeLink
from jobs.s3_store import Bucket, S3Store
from jobs.store import StoreAway
from tests.objects import KEY, ObjectServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """One that has not been started."""
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "objects").mkdir()
    return ObjectServer(tmp_path / "objects")


def test_a_file_is_kept_when_its_store_is_back(server: ObjectServer, tmp_path: Path) -> None:
    store = server.store(server.bucket(), tmp_path)
    with pytest.raises(StoreAway):
        store.put(b"soup")
    back = threading.Timer(2.0, server.start)
    back.start()
    ours, theirs = Pipe()
    try:
        stored = PipeLink(theirs, bytearray(FLAGS), store).keep(io.BytesIO(b"soup"), "soup.txt", "text/plain")
        assert store.open(stored.sha256).read() == b"soup"
        assert b"soup.txt" in ours.recv_bytes()
    finally:
        back.join()
        server.stop()


def test_a_run_that_is_to_end_does_not_wait_for_its_store(server: ObjectServer, tmp_path: Path) -> None:
    flags = bytearray(FLAGS)
    flags[STOP] = 1
    link = PipeLink(Pipe()[1], flags, S3Store(Bucket("bucket", "", server.url), tmp_path))
    with pytest.raises(StopRun):
        link.keep(io.BytesIO(b"soup"), "soup.txt", "text/plain")
